//! The content of a backup: opened by Debian's `age`, read with `jq`, and the same after a round trip.

use serde_json::{Value, json};
use twofactor_tests::fob::Fob;
use twofactor_tests::moment::Moment;
use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::private_host::{Host, said};
use twofactor_tests::requirements::programs_met;

use crate::{assert_opens, back_up, begin_anew, host, restoring};

/// The decrypted lines of a backup.
fn lines(host: &Host, file: &str) -> Vec<Value> {
    let text = host.succeed("age", ["--decrypt", "--identity", "/root/key.txt", file]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines of an account that a restore changes: how far secrets are burned.
const CHANGED: [&str; 6] = ["[[token]]", "seed = ", "watermark = ", "drift = ", "anchor = ", "has_credentials = "];

/// The lines without what a restore changes.
fn comparable(lines: Vec<Value>) -> Vec<Value> {
    let is_kept = |line: &&str| !line.is_empty() && !CHANGED.iter().any(|word| line.starts_with(word));
    let comparable = |mut line: Value| {
        for text in ["credentials", "state"] {
            if let Some(text) = line.get_mut("account").and_then(|account| account.get_mut(text)) {
                *text = json!(text.as_str().unwrap().lines().filter(is_kept).collect::<Vec<_>>());
            }
        }
        if let Some(token) = line.get_mut("token").and_then(Value::as_object_mut) {
            token.remove("watermark");
            token.remove("anchor");
        }
        line
    };
    let inner = lines.len() - 1;
    lines.into_iter().take(inner).skip(1).map(comparable).collect()
}

/// A host with something of everything.
fn furnish(host: &Host) -> (Authenticator, Fob) {
    let alice = host.user_with_app("alice");
    host.enroll("alice", &["--label", "second", "--counter"]);
    let moment = Moment::SOME;
    assert_opens(host, moment, "alice", &moment.code(&alice.authenticator, 0));
    let fobs = [Fob::clock(1), Fob::clock(2), Fob::clock(3)];
    host.import(&fobs);
    host.import(&[Fob::button(1), Fob::button(2)]);
    host.add_user("bob");
    host.assign(&fobs[0], "bob");
    assert_opens(host, moment, "bob", &moment.code(&fobs[0].authenticator, 0));
    host.assign(&fobs[1], "bob");
    host.sysadmin(&["token", "revoke", &fobs[1].serial, "--yes"]);
    host.sysadmin(&["token", "disable", &fobs[2].serial]);
    host.assign(&Fob::button(1), "bob");
    assert_opens(host, moment, "bob", &Fob::button(1).code_of(0));
    host.sysadmin(&["token", "unassign", &Fob::button(1).serial]);
    host.sysadmin(&["token", "delete", &Fob::button(1).serial, "--yes"]);
    host.add_user("carol");
    host.sysadmin(&["invite", "carol"]);
    let [first, ..] = fobs;
    (alice.authenticator, first)
}

#[test]
fn everything_is_the_same_after_a_backup_a_restore_and_a_backup() {
    host(|host| {
        if !programs_met(&["age", "jq"]) {
            return;
        }
        furnish(host);
        let first = lines(host, &back_up(host, "first"));
        let words: Vec<&str> =
            first.iter().map(|line| line.as_object().unwrap().keys().next().unwrap().as_str()).collect();
        for word in ["twofactor_backup", "account", "series", "import", "token", "burned", "history", "end"] {
            assert!(words.contains(&word), "{word} is not in {words:?}");
        }
        // Two backups without a column would be the same, too.
        let told = || [&["token", "list"][..], &["series", "list"]].map(|words| host.json(words));
        let before = told();
        begin_anew();
        let output = host.run_twofactor(&restoring("/root/first.age", &["--keep-recovery"]));
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(told(), before);
        let second = lines(host, &back_up(host, "second"));
        let (first, second) = (comparable(first), comparable(second));
        assert_eq!(first.len(), second.len());
        for (one, other) in first.iter().zip(&second) {
            assert_eq!(one, other);
        }
    });
}

#[test]
fn the_page_without_twofactor_opens_a_backup_with_age_and_jq() {
    host(|host| {
        if !programs_met(&["age", "jq"]) {
            return;
        }
        let (alice, fob) = furnish(host);
        back_up(host, "codes");
        let page =
            std::fs::read_to_string(twofactor_tests::artifacts::workspace().join("docs/guide/without-twofactor.md"));
        let page = page.unwrap();
        let block = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("commands");
        let mut shell = host.command("sh");
        let output = shell.current_dir("/root").args(["-eu", "-c", block]).output().unwrap();
        assert!(output.status.success(), "{block}\n{}", said(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(&alice.secret) && text.contains(&fob.authenticator.secret), "{text}");
    });
}
