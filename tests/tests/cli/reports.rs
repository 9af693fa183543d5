//! What scripts read: JSON, quiet output, completions, and readers that go away.

use std::fs;
use std::process::Stdio;

use serde_json::Value;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{private_host, said};

use crate::{stderr, stdout};

#[test]
fn every_report_is_one_json_document() {
    private_host(|host| {
        host.add_user("alice");
        let enrolled = host.json(&["enroll", "alice", "--no-confirm"]);
        for name in ["user", "serial", "secret", "uri", "recovery_codes", "algorithm", "digits", "period", "issued"] {
            assert!(!enrolled[name].is_null(), "{name}: {enrolled}");
        }
        assert_eq!(enrolled["user"], "alice");
        assert!(enrolled["uri"].as_str().unwrap().contains(enrolled["secret"].as_str().unwrap()));
        let alice = &host.enroll("alice", &["--label", "second"]);
        assert_eq!(host.login("alice").rhost("192.0.2.7").typing(alice.code()).code(), ReturnCode::SUCCESS);
        let status = host.json(&["status", "alice"]);
        let time = status["last_accepted"].as_str().unwrap();
        assert!(time.len() == 20 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "RFC 3339 in UTC: {time}");
        assert!(host.json(&["status"]).is_array());
        assert_eq!(host.json(&["verify", "alice", &alice.authenticator.code(1)])["accepted"], true);
        assert_eq!(host.json(&["unlock", "alice"])["user"], "alice");
        assert_eq!(host.json(&["recovery", "alice"])["recovery_codes"].as_array().unwrap().len(), 10);
        assert_eq!(host.json(&["config", "show"])["window"]["drift"], "1m");
        assert_eq!(host.json(&["config", "check"])["valid"], true);
        assert_eq!(host.json(&["reset", "alice", "--yes"])["user"], "alice");
    });
}

#[test]
fn a_refusal_is_json_too_and_keeps_its_exit_code() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let output = host.run_twofactor(&["--json", "verify", "alice", &alice.wrong_code()]);
        assert_eq!(output.status.code(), Some(5));
        let refusal: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&refusal["accepted"], &refusal["reason"]), (&false.into(), &"wrong-code".into()));
    });
}

#[test]
fn config_show_can_be_used_as_a_configuration() {
    private_host(|host| {
        host.configure("[prompt]\ntries = 3\n[default]\nsecond_factor = \"optional\"\n");
        let shown = host.succeed("twofactor", ["config", "show"]);
        fs::write("/etc/twofactor/copy.toml", &shown).unwrap();
        assert_eq!(host.succeed("twofactor", ["--config", "/etc/twofactor/copy.toml", "config", "show"]), shown);
        assert!(shown.contains("tries = 3") && shown.contains("optional"), "{shown}");
    });
}

#[test]
fn quiet_output_is_the_result_alone() {
    private_host(|host| {
        host.user_with_app("alice");
        for arguments in [&["--quiet", "unlock", "alice"][..], &["--quiet", "reset", "alice", "--yes"]] {
            let output = host.run_twofactor(arguments);
            assert!(output.status.success());
            assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("", ""), "{arguments:?}");
        }
    });
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    private_host(|host| {
        host.user_with_app("alice");
        let output = host
            .command("sh")
            .args(["-c", "twofactor --quiet status | true; twofactor completions bash | head -1"])
            .output();
        let output = output.unwrap();
        assert!(output.status.success());
        assert_eq!(stderr(&output), "", "{}", said(&output));
    });
}

#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    private_host(|host| {
        host.add_user("alice");
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = host.twofactor(&["enroll", "alice", "--no-confirm"]).stdout(Stdio::from(full)).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "a secret nobody saw: {}", said(&output));
    });
}

#[test]
fn completions_are_scripts_their_shells_accept() {
    private_host(|host| {
        for shell in ["bash", "zsh", "fish"] {
            let script = host.succeed("twofactor", ["completions", shell]);
            assert!(script.contains("twofactor") && script.contains("enroll"), "{shell}");
        }
        let path = host.place("completion");
        fs::write(&path, host.succeed("twofactor", ["completions", "bash"])).unwrap();
        host.succeed("bash", ["-n", path.to_str().unwrap()]);
    });
}
