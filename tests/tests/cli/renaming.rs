//! A user got another login name (`usermod -l`): the account goes along with all that was used, also when the command is killed.

use std::fs;
use std::process::{Output, Stdio};

use serde_json::json;
use twofactor_tests::fob::Fob;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::requirements::programs_met;
use twofactor_tests::terminal::{Size, Terminal};

use crate::{stderr, stdout};

const STATE: &str = "/var/lib/twofactor";

/// The calls before which the command is killed, or which fail.
const STEPS: [&str; 6] = ["pwrite64", "fsync", "fdatasync", "renameat", "renameat2", "unlinkat"];

fn is_renamed(host: &Host) {
    host.succeed("usermod", ["--login", "alicia", "alice"]);
    host.succeed("groupmod", ["--new-name", "alicia", "alice"]);
}

#[track_caller]
fn assert_fails(host: &Host, arguments: &[&str], code: i32, says: &[&str]) {
    let output = host.run_twofactor(arguments);
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    for words in says {
        assert!(stderr(&output).contains(words), "{words:?} is not in {}", said(&output));
    }
}

#[test]
fn what_was_used_under_the_old_name_stays_used_under_the_new_and_the_next_code_logs_in() {
    private_host(|host| {
        host.configure("[[rule]]\nusers = [\"alice\"]\nsecond_factor = \"required\"\n");
        let alice = host.user_with_app("alice");
        let fob = Fob::button(1);
        host.assign_more(&fob, "alice");
        host.add_user("bob");
        let login = |user: &str, code: &str| host.login(user).typing(code).code();
        let used = alice.code();
        assert_eq!(login("alice", &used), ReturnCode::SUCCESS);
        assert_eq!(login("alice", &fob.code_of(0)), ReturnCode::SUCCESS);
        assert_eq!(login("alice", &alice.recovery_codes[0]), ReturnCode::SUCCESS);
        let uid = host.json(&["status", "alice"])["uid"].clone();
        assert_fails(host, &["rename", "alice", "alicia"], 3, &["there is no user \"alicia\""]);
        is_renamed(host);
        let output = host.run_twofactor(&["rename", "alice", "alicia"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert_eq!(stdout(&output), "alice's account is alicia's now, with 1 app and 1 physical token.\n");
        for words in ["twofactor.toml:1 names alice", "usermod -l alice alicia", "twofactor rename alicia alice"] {
            assert!(stderr(&output).contains(words), "{words:?} is not in {}", stderr(&output));
        }
        for code in [&used, &fob.code_of(0), &alice.recovery_codes[0]] {
            assert_eq!(login("alicia", code), ReturnCode::AUTH_ERR, "{code}");
            host.assert_logged(&["denied user=alicia", "reason=replayed"]);
        }
        assert_eq!(login("alicia", &fob.code_of(1)), ReturnCode::SUCCESS);
        assert_eq!(login("alicia", &alice.recovery_codes[1]), ReturnCode::SUCCESS);
        let line = format!("account-renamed user=alicia user_before=alice uid_before={uid} uid={uid}");
        assert!(host.log().iter().any(|logged| logged.text.contains(&line)), "{:#?}", host.log());
        assert_fails(host, &["status", "alice"], 3, &[]);
        assert_eq!(host.json(&["token", "show", &fob.serial])["user"], "alicia");
        // Another person who gets the name begins anew.
        host.add_user("alice");
        assert_eq!(login("alice", &fob.code_of(2)), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=alice", "reason=not-enrolled"]);
        assert_fails(host, &["rename", "alicia", "bob"], 7, &["alicia is a user of this host"]);
        assert_eq!(login("alicia", &fob.code_of(2)), ReturnCode::SUCCESS);
    });
}

#[test]
fn the_log_of_a_user_has_what_happened_under_the_former_name_until_the_rename() {
    private_host(|host| {
        fs::write("/var/log/auth.log", "").unwrap();
        host.user_with_app("alice");
        host.assign_more(&Fob::button(1), "alice");
        is_renamed(host);
        host.sysadmin(&["rename", "alice", "alicia"]);
        host.add_user("alice");
        let events = |user: &str| -> Vec<(String, String)> {
            let log = host.json(&["log", "--user", user]);
            let text = |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap().to_owned();
            log.as_array().unwrap().iter().map(|entry| (text(entry, "event"), text(entry, "user"))).collect()
        };
        let theirs = events("alicia");
        for (event, user) in [("assigned", "alice"), ("account-renamed", "alicia")] {
            assert!(theirs.contains(&(event.to_owned(), user.to_owned())), "{theirs:?}");
        }
        assert_eq!(events("alice").last().unwrap().0, "account-renamed", "what became of the account");
    });
}

#[test]
fn another_uid_is_asked_about_and_a_user_who_is_there_still_keeps_the_account() {
    private_host(|host| {
        host.user_with_app("alice");
        let before = host.json(&["status", "alice"])["uid"].clone();
        host.add_user("bob");
        assert_fails(host, &["rename", "alice", "bob", "--yes"], 7, &["alice is a user of this host", "usermod -l"]);
        assert_fails(host, &["rename", "alice", "alice"], 7, &["alice is called that already"]);
        assert_fails(host, &["rename", "carol", "bob"], 3, &["carol has no account"]);
        assert_fails(host, &["rename", "../x", "bob"], 3, &["there is no user"]);
        is_renamed(host);
        host.renumber("alicia", 4444);
        assert_fails(host, &["rename", "alice", "alicia"], 7, &["no question can be asked", "--yes"]);
        for (answer, status) in [("", 7), ("n", 7), ("y", 0)] {
            let mut terminal = Terminal::start(&host.twofactor(&["rename", "alice", "alicia"]), Size::LARGE);
            terminal.expect("[y/N] ");
            assert!(terminal.shown().contains(&before.to_string()) && terminal.shown().contains("4444"));
            terminal.type_line(answer);
            assert_eq!(terminal.wait().code(), Some(status), "{answer:?}");
        }
        assert_eq!(host.json(&["status", "alicia"])["uid"], 4444);
        // The name is another person's now, whose own account is not taken.
        host.user_with_app("alice");
        host.renumber("alicia", 5555);
        assert_fails(host, &["rename", "alicia", "alice", "--yes"], 7, &["alicia is a user of this host"]);
        host.succeed("userdel", ["--force", "alicia"]);
        assert_fails(
            host,
            &["rename", "alicia", "alice", "--yes"],
            7,
            &["alice has an account already", "reset alice"],
        );
    });
}

#[test]
fn an_account_whose_name_has_gone_to_another_person_is_renamed_for_the_former_one() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        is_renamed(host);
        host.add_user("alice");
        let renamed = host.json(&["rename", "alice", "alicia"]);
        assert_eq!((&renamed["user"], &renamed["user_before"]), (&json!("alicia"), &json!("alice")));
        assert_eq!(host.login("alicia").typing(alice.next_code()).code(), ReturnCode::SUCCESS);
    });
}

/// Runs the rename under strace, which does this to the `number`th of these calls.
fn disturbed(host: &Host, call: &str, number: usize, fault: &str) -> Output {
    let mut command = host.command("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={call}:{fault}:when={number}")]);
    command.args(["twofactor", "rename", "alice", "alicia", "--yes"]).stdin(Stdio::null()).output().unwrap()
}

/// A host on which alice is called alicia now and has another uid, with her app and token still under the old name, and counts
/// under the new one.
fn with_a_rename_to_do(test: impl FnOnce(&Host, &Fob, &str) + Send) {
    private_host(|host| {
        if !programs_met(&["strace"]) {
            return;
        }
        let alice = host.user_with_fob("alice");
        let fob = Fob::button(1);
        host.assign_more(&fob, "alice");
        is_renamed(host);
        host.renumber("alicia", 4444);
        host.sysadmin(&["invite", "alicia"]);
        host.succeed("cp", ["--archive", STATE, "/root/before"]);
        test(host, &fob, &alice.next_code());
    });
}

fn begin_anew(host: &Host) {
    fs::remove_dir_all(STATE).unwrap();
    host.succeed("cp", ["--archive", "/root/before", STATE]);
}

/// The name under which the account is whole: its app and its token count there, and nothing counts under the other.
#[track_caller]
fn holder(host: &Host, fob: &Fob, code: &str, what: &str) -> &'static str {
    let counts = |user: &str, code: &str| host.run_twofactor(&["verify", user, code]).status.success();
    let token = fob.code_of(0);
    let found = ["alice", "alicia"].map(|user| (counts(user, code), counts(user, &token)));
    match found {
        [(true, true), (false, false)] => "alice",
        [(false, false), (true, true)] => "alicia",
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn a_rename_that_is_killed_at_any_step_leaves_one_name_with_all_and_is_completed_by_repeating_it() {
    with_a_rename_to_do(|host, fob, code| {
        let (mut old, mut new) = (0, 0);
        for call in STEPS {
            for number in 1.. {
                let what = format!("killed at {call} {number}");
                let output = disturbed(host, call, number, "signal=SIGKILL");
                let is_killed = !output.status.success();
                assert!(!is_killed || output.status.code().is_none_or(|code| code > 128), "{}", said(&output));
                match holder(host, fob, code, &what) {
                    "alice" => old += 1,
                    _ => new += 1,
                }
                host.sysadmin(&["rename", "alice", "alicia", "--yes"]);
                assert_eq!(holder(host, fob, code, &what), "alicia", "{what}");
                assert_eq!(host.json(&["token", "show", &fob.serial])["user"], "alicia", "{what}");
                assert_eq!(host.json(&["status", "alicia"])["uid"], 4444, "{what}");
                begin_anew(host);
                if !is_killed {
                    break;
                }
            }
        }
        assert!(old > 5 && new > 0, "{old} times the old name, {new} times the new one");
    });
}

#[test]
fn a_rename_that_fails_at_any_step_has_changed_nothing_or_is_done() {
    with_a_rename_to_do(|host, fob, code| {
        let mut failed = 0;
        for call in STEPS {
            for number in 1..=calls(host, call) {
                let what = format!("{call} {number} fails");
                let output = disturbed(host, call, number, "error=ENOSPC");
                let holder = holder(host, fob, code, &what);
                // What could not be flushed may be there all the same.
                let may_differ = ["fsync", "fdatasync"].contains(&call);
                let is_done = output.status.success();
                assert!(is_done == (holder == "alicia") || may_differ && !is_done, "{what}: {}", said(&output));
                if !output.status.success() {
                    failed += 1;
                    let registered = host.json(&["token", "show", &fob.serial])["user"].clone();
                    assert!(may_differ || registered == holder, "{what}: {registered}: {}", said(&output));
                    host.sysadmin(&["rename", "alice", "alicia", "--yes"]);
                    assert_eq!(self::holder(host, fob, code, &what), "alicia");
                }
                assert_eq!(host.json(&["token", "show", &fob.serial])["user"], "alicia", "{what}");
                begin_anew(host);
            }
        }
        assert!(failed > 5, "{failed} times");
    });
}

/// How many of these calls an undisturbed rename makes.
fn calls(host: &Host, call: &str) -> usize {
    let traced = host.place("traced");
    let mut command = host.command("strace");
    command.args(["-f", "-qq", "-o"]).arg(&traced).args(["-e", &format!("trace={call}")]);
    let output =
        command.args(["twofactor", "rename", "alice", "alicia", "--yes"]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    begin_anew(host);
    fs::read_to_string(traced).unwrap().lines().filter(|line| line.contains(&format!("{call}("))).count()
}
