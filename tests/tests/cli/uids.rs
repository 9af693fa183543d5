//! A name was given to another person, or users were renumbered: what the tool says, refuses and takes over.

use std::fs;

use serde_json::json;
use twofactor_tests::fob::Fob;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::terminal::{Size, Terminal};

use crate::{stderr, stdout};

const ANOTHER: u32 = 4444;

/// bob's app is that of the former bob.
fn with_another_bob(host: &Host) -> u64 {
    host.user_with_app("bob");
    let former = host.json(&["status", "bob"])["uid"].as_u64().expect("a uid");
    host.give_name_to_another("bob", ANOTHER);
    former
}

/// The command fails with this exit code, and says all of this.
#[track_caller]
fn assert_fails(host: &Host, arguments: &[&str], code: i32, says: &[&str]) {
    let output = host.run_twofactor(arguments);
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    for words in says {
        assert!(stderr(&output).contains(words), "{words:?} is not in {}", said(&output));
    }
}

/// The uids that the accounts belong to.
fn uids(host: &Host) -> Vec<(String, Option<u64>)> {
    let status = host.json(&["status"]);
    let accounts = status.as_array().expect("accounts").iter();
    accounts.map(|account| (account["user"].as_str().unwrap().to_owned(), account["uid"].as_u64())).collect()
}

#[test]
fn whatever_would_mix_two_persons_is_refused_with_both_ways_out() {
    private_host(|host| {
        let former = with_another_bob(host);
        host.import(&[Fob::clock(1)]);
        let serial = Fob::clock(1).serial;
        let list = host.private_file("list.csv", &format!("# who gets what\n{serial},bob\n"));
        let changed = format!("the account belongs to uid {former}, and bob is uid 4444 now");
        let says = [changed.as_str(), "twofactor state adopt-uids bob", "twofactor reset bob"];
        for command in [
            &["enroll", "bob", "--no-confirm"][..],
            &["enroll", "bob", "--no-confirm", "--replace"],
            &["enroll", "bob", "--no-confirm", "--label", "second"],
            &["invite", "bob"],
            &["recovery", "bob"],
            &["token", "assign", &serial, "bob"],
        ] {
            assert_fails(host, command, 7, &says);
        }
        let in_file = ["list.csv:2: the account belongs to"];
        assert_fails(host, &["token", "assign", "--from", list.to_str().unwrap()], 7, &in_file);
        assert_eq!(host.json(&["token", "show", &serial])["user"], json!(null));
        let tokens = host.json(&["status", "bob"])["tokens"].as_array().unwrap().len();
        assert_eq!(tokens, 1, "nothing was added");
    });
}

#[test]
fn verify_status_and_explain_say_that_the_account_is_another_persons() {
    private_host(|host| {
        let bob = host.user_with_app("bob");
        let before = host.succeed("twofactor", ["status", "bob"]);
        let former = host.json(&["status", "bob"])["uid"].as_u64().unwrap();
        assert!(before.contains(&format!("Uid:             {former}\n")), "{before}");
        host.give_name_to_another("bob", ANOTHER);

        let changed = format!("the account belongs to uid {former}, and");
        assert_fails(host, &["verify", "bob", &bob.code()], 5, &[&changed, "uid-changed", "adopt-uids bob"]);
        let verified = host.run_twofactor(&["--json", "verify", "bob", &bob.code()]);
        let verified: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
        assert_eq!(verified, json!({ "format": 1, "user": "bob", "accepted": false, "reason": "uid-changed" }));

        let status = host.json(&["status", "bob"]);
        assert_eq!((&status["uid"], &status["uid_now"]), (&json!(former), &json!(ANOTHER)));
        let detailed = host.succeed("twofactor", ["status", "bob"]);
        assert!(detailed.contains("every login is refused") && detailed.contains("reset bob"), "{detailed}");
        assert!(host.succeed("twofactor", ["status"]).contains("bob (another uid)"));

        host.system_service("explained", "auth required pam_twofactor.so\naccount required pam_permit.so\n");
        for level in ["required", "enroll", "optional"] {
            host.configure(&format!("[default]\nsecond_factor = \"{level}\"\n"));
            let explained = host.json(&["explain", "bob", "--service", "explained"]);
            assert_eq!(
                explained["right_code"],
                json!({ "result": "PAM_AUTH_ERR", "reason": "uid-changed" }),
                "{level}"
            );
            assert_eq!(explained["no_phone"]["reason"], "uid-changed");
            assert_eq!(explained["prompts"], json!(["Verification code: "]), "{level}");
        }
        let page = host.succeed("twofactor", ["explain", "bob", "--service", "explained"]);
        assert!(
            page.contains("refused: uid changed") && page.contains("Enrolled:         the account belongs to"),
            "{page}"
        );
        host.succeed("userdel", ["bob"]);
        let gone = host.json(&["status", "bob"]);
        assert_eq!((&gone["uid"], &gone["uid_now"]), (&json!(former), &json!(null)), "a user of nobody is as ever");
    });
}

#[test]
fn a_renumbering_of_all_users_is_shown_and_taken_over_by_one_command() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        host.user_with_app("bob");
        host.user_with_app("carol");
        host.user_with_app("dave");
        host.add_user("erin");
        let known = uids(host);
        let former: Vec<u64> = known.iter().map(|(_, uid)| uid.unwrap()).collect();
        host.renumber("alice", 5001);
        host.renumber("bob", 5002);
        host.succeed("userdel", ["dave"]);

        let shown = stdout(&host.run_twofactor(&["state", "adopt-uids", "--dry-run"]));
        let rows: Vec<Vec<&str>> = shown.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        let [a, b] = [former[0].to_string(), former[1].to_string()];
        assert_eq!(rows, [["alice", &a, "5001"], ["bob", &b, "5002"]], "{shown}");
        assert_eq!(uids(host), known, "a dry run changes nothing");
        assert_fails(host, &["state", "adopt-uids"], 7, &["no question can be asked", "--yes"]);
        assert_eq!(uids(host), known);

        let adopted = host.json(&["state", "adopt-uids", "--yes"]);
        let one = |user: &str, before: u64, uid: u32| json!({ "format": 1, "user": user, "uid_before": before, "uid": uid, "adopted": true });
        assert_eq!(adopted, json!([one("alice", former[0], 5001), one("bob", former[1], 5002)]));
        let expected = [("alice", 5001), ("bob", 5002), ("carol", former[2]), ("dave", former[3])];
        assert_eq!(uids(host), expected.map(|(user, uid)| (user.to_owned(), Some(uid))), "dave is no user any more");
        let line = format!("uid-adopted user=alice uid_before={a} uid=5001");
        assert!(host.log().iter().any(|logged| logged.text.contains(&line)), "{:#?}", host.log());
        assert_eq!(host.login("alice").typing(alice.code()).code(), ReturnCode::SUCCESS);
        let again = host.run_twofactor(&["state", "adopt-uids"]);
        assert!(stderr(&again).contains("because this host has no such user: dave"), "{}", said(&again));
        assert_eq!(
            (again.status.code(), host.json(&["state", "adopt-uids"])),
            (Some(0), json!([])),
            "{}",
            said(&again)
        );
    });
}

#[test]
fn an_adoption_is_asked_for_with_every_change_in_view() {
    private_host(|host| {
        let former = with_another_bob(host);
        for (answer, uid) in [("", former), ("n", former), ("y", ANOTHER.into())] {
            let mut terminal = Terminal::start(&host.twofactor(&["state", "adopt-uids", "bob"]), Size::LARGE);
            terminal.expect("[y/N] ");
            assert!(terminal.shown().contains(&former.to_string()) && terminal.shown().contains("4444"));
            terminal.type_line(answer);
            assert_eq!(terminal.wait().code(), Some(if uid == former { 7 } else { 0 }), "{answer:?}");
            assert_eq!(uids(host), [("bob".to_owned(), Some(uid))], "{answer:?}");
        }
    });
}

#[test]
fn who_is_not_known_or_has_nothing_is_no_user_to_adopt_for() {
    private_host(|host| {
        host.user_with_app("alice");
        host.add_user("bob");
        host.renumber("alice", 5001);
        assert_fails(host, &["state", "adopt-uids", "nobody-here", "--yes"], 3, &["there is no user"]);
        assert_fails(host, &["state", "adopt-uids", "alice", "bob", "--yes"], 3, &["bob is not enrolled"]);
        assert_ne!(uids(host), [("alice".to_owned(), Some(5001))], "all or nothing");
        assert_eq!(host.json(&["state", "adopt-uids", "alice", "alice", "--yes"]).as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_damaged_account_is_named_and_does_not_keep_the_others_from_being_adopted() {
    private_host(|host| {
        host.user_with_app("alice");
        host.user_with_app("bob");
        host.renumber("alice", 5001);
        host.renumber("bob", 5002);
        fs::write("/var/lib/twofactor/users/alice/state", "garbage").unwrap();
        assert_fails(host, &["state", "adopt-uids", "--yes"], 1, &["users/alice/state", "1 of 2 accounts"]);
        assert_eq!(host.json(&["status", "bob"])["uid"], 5002);
    });
}

#[test]
fn tokens_that_stay_after_a_reset_are_said_to_be_another_persons() {
    private_host(|host| {
        host.user_with_app("bob");
        host.assign_more(&Fob::clock(1), "bob");
        host.give_name_to_another("bob", ANOTHER);
        let shown = host.succeed("twofactor", ["token", "show", &Fob::clock(1).serial]);
        assert!(shown.contains("every login is refused"), "{shown}");
        let reset = host.run_twofactor(&["reset", "bob", "--yes"]);
        assert_eq!(reset.status.code(), Some(0));
        assert!(stderr(&reset).contains("while these tokens stay assigned"), "{}", said(&reset));
        assert_fails(host, &["enroll", "bob", "--no-confirm"], 7, &["the account belongs to uid"]);
        assert_fails(host, &["reset", "bob", "--yes"], 3, &["token unassign"]);
        host.succeed("twofactor", ["token", "unassign", &Fob::clock(1).serial, "--force"]);
        let bob = host.enroll("bob", &[]);
        assert_eq!(host.login("bob").typing(bob.code()).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn an_invitation_of_the_former_person_is_replaced_by_one_of_the_new() {
    private_host(|host| {
        host.add_user("bob");
        host.json(&["invite", "bob"]);
        host.give_name_to_another("bob", ANOTHER);
        let listed = host.json(&["state", "adopt-uids", "--dry-run"]);
        assert_eq!((&listed[0]["user"], &listed[0]["adopted"]), (&json!("bob"), &json!(false)), "it could be kept");
        host.json(&["invite", "bob"]);
        assert_eq!(host.json(&["state", "adopt-uids", "--dry-run"]), json!([]));
    });
}
