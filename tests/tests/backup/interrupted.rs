//! A restore that is killed at any of its steps leaves the old state or the new one.

use std::fs;
use std::process::Stdio;

use twofactor_tests::fob::Fob;
use twofactor_tests::private_host::{Host, said};
use twofactor_tests::requirements::programs_met;

use crate::{MARKER, STATE, back_up, begin_anew, host, lose_the_state, restore, restoring};

/// The calls after which a power cut or a kill finds another state on disk.
const STEPS: [&str; 6] = ["fsync", "fdatasync", "syncfs", "renameat", "renameat2", "unlinkat"];

/// Runs the restore and kills it at the `number`th of these calls. `false` when it made fewer.
fn killed_at(host: &Host, file: &str, call: &str, number: usize) -> bool {
    let mut command = host.command("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={call}:signal=SIGKILL:when={number}")]);
    command.arg("twofactor").args(restoring(file, &[])).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success() || output.status.code().is_none_or(|code| code > 128), "{}", said(&output));
    !output.status.success()
}

/// The accounts and tokens that the tool finds: none, or all.
#[track_caller]
fn is_restored(host: &Host, what: &str) -> bool {
    let status = host.run_twofactor(&["--json", "status"]);
    assert!(status.status.success(), "{what}: {}", said(&status));
    let users = serde_json::from_slice::<serde_json::Value>(&status.stdout).unwrap().as_array().unwrap().len();
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
                if !killed_at(host, &file, call, number) {
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
                if !killed_at(host, &file, call, number) {
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
