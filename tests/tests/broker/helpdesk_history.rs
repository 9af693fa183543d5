//! The history of what a helpdesk that is not root has done, where the log is lost.

use std::fs;
use std::path::Path;

use serde_json::Value;
use twofactor_tests::fob::Fob;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::private_host::{Host, private_host, said};

use crate::helpdesk::{PROTECTED, by, events, opens, refused, with_helpdesk};
use crate::helpdesk_tokens::{change_registry, pair};
use crate::oneself::scripted;
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
fn codes_that_were_read_out_and_refused_stay_in_the_history() {
    private_host(|host| {
        with_helpdesk(host, "");
        let fob = Fob::clock(1);
        host.user_with("alice", &fob);
        let _broker = host.broker();
        let mut wrong = fob.authenticator.wrong_codes();
        let mut resync = |member: &str| {
            let codes = [wrong.next().unwrap(), wrong.next().unwrap()];
            by(host, member, &["token", "resync", &fob.serial, &codes[0], &codes[1]]).status.code()
        };
        for member in ["hanna", "otto", "hanna", "hanna", "hanna"] {
            assert_eq!(resync(member), Some(5));
        }
        assert_eq!(resync("otto"), Some(5), "throttled");
        let code = fob.authenticator.code(0);
        refused(&by(host, "hanna", &["verify", "alice", &code]), 5, "too many wrong codes were tried here");
        let refusals: Vec<String> = history(host, "alice")
            .iter()
            .filter(|entry| entry["event"] == "denied")
            .map(|entry| format!("{} {} {}", entry["by"], entry["reason"], entry["problem"]).replace('"', ""))
            .collect();
        let tried = |member: &str| format!("{member} wrong-code helpdesk, token resync: wrong-codes");
        let mut expected = ["hanna", "otto", "hanna", "hanna", "hanna"].map(tried).to_vec();
        expected.push("otto throttled helpdesk, token resync: throttled".to_owned());
        expected.push("hanna throttled helpdesk, verify: throttled".to_owned());
        assert_eq!(refusals, expected);
        assert!(acts(host, "alice").iter().all(|act| act.starts_with("denied")), "{:?}", acts(host, "alice"));
        // Beside the log, each is told once.
        let shown = events(host, "alice");
        let told = |line: &str| shown.iter().filter(|event| *event == line).count();
        assert_eq!((told("denied hanna"), told("denied otto")), (5, 2), "{shown:?}");
    });
}

const REGISTRY: &str = "/var/lib/twofactor/registry.db";

#[test]
fn a_registry_that_is_lost_is_not_begun_anew_without_root() {
    private_host(|host| {
        with_helpdesk(host, "");
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let is_there = || Path::new(REGISTRY).exists();
        let findings = || {
            let report = host.run_twofactor(&["--json", "doctor"]);
            let report: Value = serde_json::from_slice(&report.stdout).unwrap();
            report["findings"].as_array().unwrap().iter().map(|one| one["id"].to_string()).collect::<Vec<_>>()
        };
        assert!(by(host, "hanna", &["unlock", "alice"]).status.success());
        fs::remove_file(REGISTRY).unwrap();
        let code = alice.code();
        for arguments in [
            &["verify", "alice", &code][..],
            &["unlock", "alice"],
            &["code", "alice"],
            &["reset", "alice", "--yes"],
            &["token", "assign", "T0000001", "alice"],
        ] {
            refused(&by(host, "hanna", arguments), 1, "the broker cannot answer");
        }
        assert!(by(host, "hanna", &["status", "alice"]).status.success(), "a look goes on");
        let lines = ["error user=alice", "reason=store-unavailable", "there is no registry at", "by=hanna"];
        let line = host.assert_logged(&lines);
        assert!(line.contains("from a backup") && line.contains("by twofactor doctor --fix"), "{line}");
        // Nor by a user.
        let codes = format!("{ANY_CODE}\n{ANY_CODE}\n{code}\n");
        refused(&scripted(host, "alice", &["self", "token", "T0000001"], &codes), 1, "the broker cannot answer");
        host.assert_logged(&["error user=alice asked_by=", "reason=store-unavailable", "token import FILE"]);
        assert!(!is_there() && opens(host, "alice", &code), "the code was not looked at");
        // Root makes it, and says so.
        assert!(findings().contains(&"\"no-registry\"".to_owned()), "{:?}", findings());
        let fixed = said(&host.run_twofactor(&["doctor", "--fix"]));
        assert!(fixed.contains("made /var/lib/twofactor/registry.db, a registry without tokens"), "{fixed}");
        let repaired = "repaired registry_made=/var/lib/twofactor/registry.db";
        assert!(host.log().iter().any(|line| line.text.contains(repaired)), "{:?}", host.log());
        assert!(!findings().contains(&"\"no-registry\"".to_owned()), "{:?}", findings());
        assert!(by(host, "hanna", &["unlock", "alice"]).status.success());
        // Not where it had tokens.
        host.assign_more(&Fob::clock(1), "alice");
        fs::remove_file(REGISTRY).unwrap();
        let unfixed = said(&host.run_twofactor(&["doctor", "--fix"]));
        assert!(unfixed.contains("not everything could be fixed: there is no registry at"), "{unfixed}");
        assert!(!is_there());
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
        assert!(opens(host, "alice", &code), "it was not used up");
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
