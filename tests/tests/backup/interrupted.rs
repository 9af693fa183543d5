//! A restore that is killed at any of its steps leaves the old state or the new one; of a merge each account and the registry.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;

use serde_json::Value;
use twofactor_tests::fob::Fob;
use twofactor_tests::moment::Moment;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, said};
use twofactor_tests::requirements::programs_met;

use crate::{MARKER, STATE, assert_opens, back_up, begin_anew, host, lose_the_state, restore, restoring};

/// The calls after which a power cut or a kill finds another state on disk.
const STEPS: [&str; 6] = ["fsync", "fdatasync", "syncfs", "renameat", "renameat2", "unlinkat"];

/// Runs the restore and kills it at the `number`th of these calls. `false` when it made fewer.
fn killed_at(host: &Host, file: &str, options: &[&str], call: &str, number: usize) -> bool {
    let mut command = host.command("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={call}:signal=SIGKILL:when={number}")]);
    command.arg("twofactor").args(restoring(file, options)).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success() || output.status.code().is_none_or(|code| code > 128), "{}", said(&output));
    !output.status.success()
}

/// The accounts and tokens that the tool finds: none, or all.
#[track_caller]
fn is_restored(host: &Host, what: &str) -> bool {
    let status = host.run_twofactor(&["--json", "status"]);
    assert!(status.status.success(), "{what}: {}", said(&status));
    let users = serde_json::from_slice::<Value>(&status.stdout).unwrap().as_array().unwrap().len();
    let tokens = host.json(&["token", "list"]).as_array().unwrap().len();
    assert!([(0, 0), (2, 3)].contains(&(users, tokens)), "{what}: {users} users, {tokens} tokens");
    users > 0
}

#[test]
fn a_restore_that_is_killed_at_any_step_leaves_the_old_state_or_the_new_one() {
    host(|host| {
        if !programs_met(&["strace"]) {
            return;
        }
        host.user_with_app("alice");
        let fobs = Fob::box_of(1, 3);
        host.import(&fobs);
        host.add_user("bob");
        host.assign(&fobs[0], "bob");
        let file = back_up(host, "codes");
        begin_anew();
        let (mut old, mut new) = (0, 0);
        for call in STEPS {
            for number in 1.. {
                let what = format!("killed at {call} {number}");
                if !killed_at(host, &file, &[], call, number) {
                    break;
                }
                if is_restored(host, &what) {
                    new += 1;
                } else {
                    old += 1;
                    // What is left over is in nobody's way.
                    restore(host, &file, &[]);
                    assert!(is_restored(host, &what));
                }
                lose_the_state();
                let _ = fs::remove_file(MARKER);
                let _ = fs::remove_dir_all("/var/lib/.twofactor.restore");
            }
            lose_the_state();
            fs::remove_file(MARKER).unwrap();
        }
        assert!(old > 5 && new > 0, "{old} times the old state, {new} times the new one");
    });
}

#[test]
fn a_state_that_is_gone_is_never_an_empty_one_while_a_restore_is_killed() {
    host(|host| {
        if !programs_met(&["strace"]) {
            return;
        }
        host.user_with_app("alice");
        let file = back_up(host, "codes");
        let marker = fs::read(MARKER).unwrap();
        for call in STEPS {
            for number in 1.. {
                let _ = fs::remove_dir_all(STATE);
                fs::write(MARKER, &marker).unwrap();
                if !killed_at(host, &file, &[], call, number) {
                    break;
                }
                let status = host.run_twofactor(&["--json", "status", "alice"]);
                let is_whole = status.status.success();
                let is_unavailable = said(&status).contains("names the state of this host");
                assert!(is_whole || is_unavailable, "killed at {call} {number}: {}", said(&status));
            }
        }
    });
}

/// Each user's second factor, and each token, by name, as the tool finds them.
#[track_caller]
fn found(host: &Host, what: &str) -> BTreeMap<String, Value> {
    let list = |arguments: &[&str], key: &str| -> Vec<(String, Value)> {
        let output = host.run_twofactor(&[&["--json"], arguments].concat());
        assert!(output.status.success(), "{what}: {}", said(&output));
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        let named = |one: &Value| (format!("{key} {}", one[key].as_str().unwrap()), one.clone());
        list.as_array().unwrap().iter().map(named).collect()
    };
    // A user's tokens are compared as tokens. Until when codes are burned depends on the time of the restore.
    let without_tokens = |(name, mut user): (String, Value)| {
        let mut apps = user["tokens"].as_array().unwrap().clone();
        apps.retain(|token| !token["label"].is_null());
        for app in &mut apps {
            app["burned_until"] = Value::Null;
        }
        user["tokens"] = apps.into();
        (name, user)
    };
    let users = list(&["status"], "user").into_iter().map(without_tokens);
    // The uid stands in the owner's account.
    let without_uid = |(name, mut token): (String, Value)| {
        token["uid"] = Value::Null;
        (name, token)
    };
    users.chain(list(&["token", "list"], "serial").into_iter().map(without_uid)).collect()
}

/// Puts the state back as it was copied.
fn put_back(host: &Host, copy: &str) {
    fs::remove_dir_all(STATE).unwrap();
    host.succeed("cp", ["--archive", copy, STATE]);
}

#[test]
fn a_merge_that_is_killed_at_any_step_leaves_each_account_and_the_registry_whole_and_is_completed_by_another() {
    host(|host| {
        if !programs_met(&["strace"]) {
            return;
        }
        let [alice, dave, erin] = ["alice", "dave", "erin"].map(|user| host.user_with_app(user));
        let fobs = Fob::box_of(1, 3);
        host.import(&fobs);
        host.add_user("bob");
        host.assign(&fobs[0], "bob");
        let file = back_up(host, "codes");
        let moment = Moment::SOME;
        let used = [("alice", moment.code(&alice.authenticator, 0)), ("dave", moment.code(&dave.authenticator, 0))];
        for (user, code) in &used {
            assert_opens(host, moment, user, code);
        }
        // alice is brought back into her folder, bob and erin with theirs, dave stays; one token is known, two are not.
        host.sysadmin(&["reset", "alice", "--yes"]);
        let serials = [0, 1].map(|number: usize| fobs[number].serial.as_str());
        host.sysadmin(&["token", "unassign", serials[0], "--force"]);
        host.sysadmin(&["token", "delete", serials[0], serials[1], "--yes"]);
        for user in ["bob", "erin"] {
            fs::remove_dir_all(format!("{STATE}/users/{user}")).unwrap();
        }
        let copy = "/root/before";
        host.succeed("cp", ["--archive", STATE, copy]);
        let old = found(host, "before");
        restore(host, &file, &["--merge"]);
        let new = found(host, "after");
        assert_eq!((old.len(), new.len()), (2, 7), "{old:#?}\n{new:#?}");

        let mut seen = [0; 3];
        for call in STEPS {
            for number in 1.. {
                let what = format!("killed at {call} {number}");
                put_back(host, copy);
                if !killed_at(host, &file, &["--merge"], call, number) {
                    break;
                }
                let left = found(host, &what);
                for (name, one) in &left {
                    let is_whole = [&old, &new].iter().any(|all| all.get(name) == Some(one));
                    assert!(is_whole, "{what}: {name} is neither the old one nor the new one: {one:#}");
                }
                assert!(old.keys().all(|name| left.contains_key(name)), "{what}: something is lost: {left:#?}");
                for (user, code) in &used {
                    let outcome = host.login_at(moment, user).typing(code);
                    assert_ne!(outcome.code(), ReturnCode::SUCCESS, "{what}: a used code of {user}");
                }
                seen[if left == old { 0 } else { usize::from(left == new) + 1 }] += 1;
                restore(host, &file, &["--merge"]);
                assert_eq!(found(host, &what), new, "{what}: completed");
                assert!(!fs::exists(format!("{STATE}/-new-restore")).unwrap(), "{what}: nothing is left over");
            }
        }
        assert!(seen.iter().all(|times| *times > 0), "old, in between, new: {seen:?}");
        let later = Moment::SOME.after(30);
        for (user, app) in [("alice", &alice), ("dave", &dave), ("erin", &erin)] {
            assert_opens(host, later, user, &later.code(&app.authenticator, 0));
        }
        assert_opens(host, later, "bob", &later.code(&fobs[0].authenticator, 0));
    });
}
