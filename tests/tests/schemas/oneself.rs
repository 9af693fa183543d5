//! Users about themselves: without a factor, invited, with an app, with a token, delayed.

use std::process::Output;

use serde_json::Value;
use twofactor_tests::fob::Fob;
use twofactor_tests::oneself::answering_for_the_secret;
use twofactor_tests::private_host::said;
use twofactor_tests::security_key::public_line;

use crate::witness::{Witness, story};

pub(crate) const COMMANDS: &[&str] = &[
    "self status",
    "self enroll",
    "self replace",
    "self recovery",
    "self reset",
    "self token",
    "self ssh-key add",
    "self ssh-key list",
    "self ssh-key remove",
];

#[test]
fn users_about_themselves() {
    story(COMMANDS, |witness| {
        let host = witness.host;
        host.add_user("alice");
        let _broker = host.broker();
        let status = || compared(witness, "status", &host.run_twofactor_of("alice", &["--json", "self", "status"], ""));
        assert_eq!(status()["apps"], Value::Array(Vec::new()));
        let invitation = host.json(&["invite", "alice"])["invitation"].as_str().unwrap().to_owned();
        assert!(status()["invited_until"].is_string());
        let set_up = |verb: &str, before: &str, proof: &str| {
            let command = host.twofactor_of("alice", &["--json", "self", verb, "--qr", "none"]);
            let (_, output) = answering_for_the_secret(command, before, |app| format!("{}\n{proof}", app.code(0)));
            compared(witness, verb, &output)
        };
        let first = set_up("enroll", &format!("{invitation}\n"), "");
        let paper = |result: &Value, index: usize| format!("{}\n", result["recovery_codes"][index].as_str().unwrap());
        let second = set_up("replace", "", &paper(&first, 0));
        let run = |verb: &[&str], lines: &str| {
            let output = host.run_twofactor_of("alice", &[&["--json", "self"], verb].concat(), lines);
            compared(witness, verb[0], &output)
        };
        let third = run(&["recovery"], &paper(&second, 0));
        let fob = Fob::clock(1);
        host.import(std::slice::from_ref(&fob));
        let codes = fob.authenticator.two_codes().map(|code| code + "\n").concat();
        run(&["token", &fob.serial], &format!("{codes}{}", paper(&third, 1)));
        let key = |verb: &str, argument: &[&str], lines: &str| {
            let verb = ["self", "ssh-key", verb];
            let output = host.run_twofactor_of("alice", &[&["--json"], &verb[..], argument].concat(), lines);
            assert!(output.status.success(), "{verb:?}: {}", said(&output));
            witness.compare(&verb, serde_json::from_slice(&output.stdout).unwrap())
        };
        assert_eq!(key("list", &[], ""), Value::Array(Vec::new()));
        key("add", &["-"], &format!("{}{}", public_line(1, "laptop"), paper(&third, 2)));
        assert_eq!(key("list", &[], "")[0]["label"], "laptop");
        host.succeed("twofactor", ["code", "alice"]);
        let seen = status();
        assert!(seen["ssh_keys"][0]["label"] == "laptop" && seen["temporary_code_until"].is_string(), "{seen}");
        key("remove", &["laptop"], &paper(&third, 3));
        for wrong in 0..6 {
            host.run_twofactor_of("alice", &["self", "recovery"], &format!("000000000000000{wrong}\n"));
        }
        let delayed = status();
        assert!(delayed["own_blocked_until"].is_string() && delayed["last_accepted"].is_string(), "{delayed}");
        assert!(delayed["tokens"][0]["state"].is_string(), "{delayed}");
        host.succeed("twofactor", ["unlock", "alice"]);
        run(&["reset", "--yes"], &paper(&third, 0));
    });
}

#[track_caller]
fn compared(witness: &Witness<'_>, verb: &str, output: &Output) -> Value {
    assert!(output.status.success(), "{verb}: {}", said(output));
    witness.compare(&["self", verb], serde_json::from_slice(&output.stdout).unwrap())
}
