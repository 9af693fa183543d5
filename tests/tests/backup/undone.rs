//! A restore names the resets, used recovery codes and lost or revoked tokens after the backup that it undoes.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use twofactor_core::host::clock::UnixTime;
use twofactor_tests::fob::Fob;
use twofactor_tests::moment::Moment;
use twofactor_tests::private_host::{Host, said};

use crate::{KEY, assert_opens, host, lose_the_state, restoring};

const FILE: &str = "/root/codes.age";

/// Writes a backup and gives its time.
fn back_up_at(host: &Host) -> UnixTime {
    let written = host.json(&["backup", FILE, "--recipient", KEY]);
    UnixTime::from_rfc3339(written["at"].as_str().unwrap()).unwrap()
}

/// Gives the host a log in a file: the first lines are of the day before the backup, those from `later` on of a minute after it.
fn keep_log(host: &Host, backup: UnixTime, later: usize) {
    let day_before = UnixTime::from_seconds(backup.seconds() - 86_400);
    let minute_after = backup.after(Duration::from_mins(1));
    let stamped = |(number, text): (usize, String)| {
        let at = if number < later { day_before } else { minute_after }.to_string();
        format!("{} testhost {text}\n", at.replace('Z', ".000001+00:00"))
    };
    let lines = host.log().into_iter().map(|line| line.text).enumerate().map(stamped);
    fs::write("/var/log/auth.log", lines.collect::<String>()).unwrap();
}

/// The undone acts of a restore in JSON: event, subject, whether a time is known.
fn undone(restored: &Value) -> Vec<(String, String, bool)> {
    let text = |act: &Value, name: &str| act[name].as_str().map(str::to_owned);
    let acts = restored["undone"].as_array().unwrap().iter().map(|act| {
        let subject = ["user", "serial", "series"].into_iter().find_map(|name| text(act, name)).unwrap();
        (text(act, "event").unwrap(), subject, !act["at"].is_null())
    });
    acts.collect()
}

fn act(event: &str, subject: &str) -> (String, String, bool) {
    (event.to_owned(), subject.to_owned(), true)
}

/// Restores, and gives the JSON and the warnings.
#[track_caller]
fn restored(host: &Host, options: &[&str]) -> (Value, String) {
    let output = host.run_twofactor(&[&["--json"], &restoring(FILE, options)[..]].concat());
    assert!(output.status.success(), "{}", said(&output));
    (serde_json::from_slice(&output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_restore_names_all_that_its_log_knows_to_be_undone() {
    host(|host| {
        host.user_with_app("alice");
        let dave = host.user_with_app("dave");
        host.user_with_app("erin");
        let fobs = Fob::box_of(1, 6);
        host.import(&fobs);
        host.add_user("bob");
        host.assign(&fobs[0], "bob");
        host.assign(&fobs[5], "bob");
        // Before the backup: it is in it.
        host.sysadmin(&["reset", "erin", "--yes"]);
        host.enroll("erin", &[]);
        host.sysadmin(&["token", "lost", &fobs[4].serial]);
        let later = host.log().len();
        let at = back_up_at(host);

        host.sysadmin(&["reset", "alice", "--yes"]);
        for code in &dave.recovery_codes[..2] {
            assert_opens(host, Moment::SOME, "dave", code);
        }
        host.sysadmin(&["token", "lost", &fobs[0].serial]);
        host.sysadmin(&["token", "revoke", &fobs[1].serial, "--yes"]);
        host.sysadmin(&["token", "disable", &fobs[2].serial]);
        host.sysadmin(&["token", "enable", &fobs[2].serial]);
        host.sysadmin(&["token", "disable", &fobs[3].serial]);
        host.sysadmin(&["token", "unassign", &fobs[5].serial, "--force"]);
        host.sysadmin(&["token", "assign", &fobs[5].serial, "erin"]);
        keep_log(host, at, later);
        lose_the_state();

        let (restored, warnings) = restored(host, &["--keep-recovery"]);
        let serial = |number: usize| fobs[number].serial.as_str();
        let mut expected = vec![
            act("accepted", "dave"),
            act("reset", "alice"),
            act("lost", serial(0)),
            act("revoked", serial(1)),
            act("disabled", serial(3)),
            act("assigned", serial(5)),
        ];
        let mut found = undone(&restored);
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{restored:#}");
        let minute_after = at.after(Duration::from_mins(1));
        for words in [
            format!("alice was reset at {minute_after}, after the backup: that is undone"),
            "hint: twofactor reset alice".to_owned(),
            format!("2 recovery codes of dave were used, the last one at {minute_after}"),
            format!("token {} was reported lost at {minute_after}", serial(0)),
            format!("hint: twofactor token revoke {}", serial(1)),
            format!("token {} was assigned to erin at {minute_after}", serial(5)),
            format!("after {at} is back as it was then\n"),
        ] {
            assert!(warnings.contains(&words), "{words}: {warnings}");
        }
        // The commands do it again.
        for act in restored["undone"].as_array().unwrap() {
            let command = act["command"].as_str().unwrap();
            let command = if command.contains(" reset ") || command.contains(" revoke ") {
                format!("{command} --yes")
            } else {
                command.to_owned()
            };
            host.succeed("sh", ["-c", &command]);
        }
        assert_eq!(host.json(&["token", "show", serial(0)])["state"], "lost");
        assert_eq!(host.json(&["token", "show", serial(1)])["state"], "revoked");
        assert_eq!(host.json(&["status"]).as_array().unwrap().iter().filter(|user| user["user"] == "alice").count(), 0);
    });
}

#[test]
fn recovery_codes_that_are_void_and_a_log_that_is_gone_are_no_acts() {
    host(|host| {
        let dave = host.user_with_app("dave");
        let later = host.log().len();
        let at = back_up_at(host);
        assert_opens(host, Moment::SOME, "dave", &dave.recovery_codes[0]);
        host.sysadmin(&["recovery", "dave"]);
        keep_log(host, at, later);
        lose_the_state();
        let (voided, warnings) = restored(host, &[]);
        assert_eq!(undone(&voided), []);
        assert!(warnings.contains("the recovery codes of dave are void"), "{warnings}");

        lose_the_state();
        fs::remove_file("/var/log/auth.log").unwrap();
        let (kept, warnings) = restored(host, &["--keep-recovery"]);
        assert_eq!(undone(&kept), []);
        assert!(warnings.contains("is back as it was then; no log of this host tells it"), "{warnings}");
    });
}

#[test]
fn a_merge_names_what_came_back_and_not_what_stayed() {
    host(|host| {
        host.user_with_app("alice");
        host.user_with_app("dave");
        let fobs = Fob::box_of(1, 3);
        host.import(&fobs);
        host.add_user("bob");
        host.assign(&fobs[0], "bob");
        host.user_with_app("erin");
        let later = host.log().len();
        let at = back_up_at(host);
        let (same, warnings) = restored(host, &["--merge"]);
        assert_eq!(same["users"], json!([]));
        assert!(!warnings.contains("as it was then"), "nothing came back: {warnings}");

        host.sysadmin(&["reset", "alice", "--yes"]);
        host.sysadmin(&["token", "lost", &fobs[0].serial]);
        host.sysadmin(&["token", "delete", &fobs[1].serial, "--yes"]);
        // Enrolled again here: the account stays as it is.
        host.sysadmin(&["reset", "erin", "--yes"]);
        host.enroll("erin", &[]);
        let (by_state, warnings) = restored(host, &["--merge"]);
        let reset = ("reset".to_owned(), "alice".to_owned(), false);
        assert_eq!(undone(&by_state), [act("deleted", &fobs[1].serial), reset], "{by_state:#}\n{warnings}");
        assert!(warnings.contains("of all that came back, whatever was reset"), "{warnings}");
        assert!(
            warnings.contains("alice had no second factor on this host any more, and its log does not say since when"),
            "{warnings}"
        );

        // With a log its time is known. The token is still back.
        host.sysadmin(&["reset", "alice", "--yes"]);
        keep_log(host, at, later);
        let (by_log, _) = restored(host, &["--merge"]);
        assert_eq!(undone(&by_log), [act("reset", "alice"), act("deleted", &fobs[1].serial)], "{by_log:#}");
        let text = host.run_twofactor(&restoring(FILE, &["--merge"]));
        let expected = format!("0 accounts and 0 physical tokens are back, as of {at}.\n4 accounts stayed.\n");
        assert_eq!(String::from_utf8(text.stdout).unwrap(), expected);
    });
}
