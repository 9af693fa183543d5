//! The history of what a helpdesk that is not root has done, where the log is lost.

use std::fs;

use serde_json::Value;
use twofactor_tests::fob::Fob;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::private_host::{Host, private_host};

use crate::helpdesk::{PROTECTED, by, events, refused, with_helpdesk};
use crate::helpdesk_tokens::{change_registry, pair};
use crate::uid_of;

/// The entries about a user that `twofactor log` has from the registry.
fn history(host: &Host, user: &str) -> Vec<Value> {
    fs::create_dir_all("/var/log").unwrap();
    fs::write("/var/log/auth.log", "").unwrap();
    let log = host.json(&["log", "--user", user]);
    let entries: Vec<Value> = log.as_array().unwrap().clone();
    assert!(entries.iter().all(|entry| entry["source"] == "registry"), "{log}");
    entries
}

/// Those of members, as `event by outcome`.
pub(crate) fn acts(host: &Host, user: &str) -> Vec<String> {
    let entries = history(host, user).into_iter().filter(|entry| entry["asked_by"].is_u64());
    let text = |entry: Value| {
        let outcome = entry["outcome"].as_str().map_or_else(String::new, |outcome| format!(" {outcome}"));
        format!("{} {}{outcome}", entry["event"].as_str().unwrap(), entry["by"].as_str().unwrap())
    };
    entries.map(text).collect()
}

#[test]
fn each_act_of_a_member_is_in_the_history() {
    private_host(|host| {
        with_helpdesk(host, "");
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let run = |member: &str, arguments: &[&str]| by(host, member, arguments).status.code();
        let findings = || {
            let report = host.run_twofactor(&["--json", "doctor"]);
            let report: Value = serde_json::from_slice(&report.stdout).unwrap();
            report["findings"].as_array().unwrap().iter().map(|one| one["id"].to_string()).collect::<Vec<_>>()
        };
        // There are no tokens yet.
        let before = findings();
        assert_eq!(run("hanna", &["unlock", "alice"]), Some(0));
        assert_eq!(findings(), before, "a registry without tokens is well");
        let fob = Fob::clock(1);
        host.import(std::slice::from_ref(&fob));
        assert_eq!(run("hanna", &["verify", "alice", &alice.code()]), Some(0));
        assert_eq!(run("otto", &["verify", "alice", &alice.wrong_code()]), Some(5));
        assert_eq!(run("hanna", &["code", "alice"]), Some(0));
        assert_eq!(run("otto", &["code", "alice", "--revoke"]), Some(0));
        assert_eq!(run("hanna", &["token", "assign", &fob.serial, "alice"]), Some(0));
        let codes = pair(&fob, 0);
        assert_eq!(run("hanna", &["token", "resync", &fob.serial, &codes[0], &codes[1]]), Some(0));
        assert_eq!(run("otto", &["reset", "alice", "--yes"]), Some(0));
        let expected = [
            "unlocked hanna",
            "checked hanna right",
            "checked otto wrong-code",
            "code-given hanna",
            "code-revoked otto",
            "assigned hanna",
            "resynced hanna",
            "reset otto",
        ];
        assert_eq!(acts(host, "alice"), expected);
        // A look, and acts that were refused.
        assert_eq!(run("hanna", &["status", "alice"]), Some(0));
        assert_eq!(run("hanna", &["code", "alice", "--revoke"]), Some(0));
        assert_eq!(run("hanna", &["token", "resync", &fob.serial, &codes[0], &codes[1]]), Some(5));
        assert_eq!(run("hanna", &["token", "assign", &fob.serial, "alice"]), Some(7));
        host.succeed("gpasswd", ["--add", "alice", "sudo"]);
        refused(&by(host, "hanna", &["unlock", "alice"]), 4, PROTECTED);
        assert_eq!(acts(host, "alice"), expected);
        let first = &history(host, "alice")[0];
        assert_eq!((&first["asked_by"], &first["failures"]), (&uid_of("hanna").into(), &0.into()), "{first}");
        assert!(first["time"].is_string() && first["phase"].is_null(), "{first}");
        // Beside the log, each is told once.
        let shown = events(host, "alice");
        for line in
            ["unlocked hanna", "checked otto", "code-given hanna", "assigned hanna", "resynced hanna", "reset otto"]
        {
            assert_eq!(shown.iter().filter(|event| *event == line).count(), 1, "{line}: {shown:?}");
        }
    });
}

#[test]
fn no_act_is_done_that_does_not_stand_in_the_history() {
    private_host(|host| {
        with_helpdesk(host, "");
        let alice = host.user_with_app("alice");
        host.assign_more(&Fob::clock(1), "alice");
        let _broker = host.broker();
        change_registry(
            host,
            "CREATE TRIGGER refusing BEFORE INSERT ON history BEGIN SELECT RAISE(ABORT, 'refused'); END",
        );
        let code = alice.code();
        for arguments in
            [&["verify", "alice", &code][..], &["unlock", "alice"], &["code", "alice"], &["reset", "alice", "--yes"]]
        {
            refused(&by(host, "hanna", arguments), 1, "the broker cannot answer");
        }
        let line = host.assert_logged(&["error user=alice", "reason=store-corrupt", "by=hanna"]);
        assert!(line.contains("hint=\"restore /var/lib/twofactor/registry.db from a backup\""), "{line}");
        let status = host.json(&["status", "alice"]);
        assert!(status["temporary_code_until"].is_null() && status["recovery_codes"] == 10, "{status}");
        assert!(by(host, "hanna", &["status", "alice"]).status.success(), "a look goes on");
        assert!(crate::helpdesk::opens(host, "alice", &code), "it was not used up");
        // Nor does a registry that cannot be read say whose a token is.
        let registry = fs::read("/var/lib/twofactor/registry.db").unwrap();
        fs::write("/var/lib/twofactor/registry.db", "this is no registry").unwrap();
        refused(
            &by(host, "hanna", &["token", "resync", "T0000001", ANY_CODE, ANY_CODE]),
            1,
            "the broker cannot answer",
        );
        host.assert_logged(&["error serial=T0000001 asked_by=", "reason=store-corrupt", "by=hanna"]);
        fs::write("/var/lib/twofactor/registry.db", registry).unwrap();
        // An act whose outcome cannot be written is done, and says that it may have been.
        change_registry(host, "DROP TRIGGER refusing");
        change_registry(
            host,
            "CREATE TRIGGER refusing BEFORE UPDATE ON history BEGIN SELECT RAISE(ABORT, 'refused'); END",
        );
        assert!(by(host, "hanna", &["code", "alice"]).status.success());
        assert!(host.json(&["status", "alice"])["temporary_code_until"].is_string());
        assert_eq!(acts(host, "alice"), ["code-given hanna unknown"]);
        let shown = events(host, "alice");
        assert_eq!(shown.iter().filter(|event| *event == "code-given hanna").count(), 2, "the log knows: {shown:?}");
    });
}
