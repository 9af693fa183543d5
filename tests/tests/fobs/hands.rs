//! A token goes from hand to hand: who may log in with it now, and which of its codes are used.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use twofactor_tests::fob::Fob;
use twofactor_tests::moment::Moment;
use twofactor_tests::private_host::Host;

use crate::{assert_accepted, assert_denied, assert_last_logged, host};

const NOW: Moment = Moment::SOME;

/// The code that the fob shows so many periods from now.
fn code(fob: &Fob, steps: i64) -> String {
    NOW.code(&fob.authenticator, steps)
}

/// Takes the token from whoever has it.
#[track_caller]
fn take(host: &Host, fob: &Fob) {
    host.succeed_at(NOW, &["token", "unassign", &fob.serial, "--force"]);
}

#[track_caller]
fn give(host: &Host, fob: &Fob, user: &str) {
    host.succeed_at(NOW, &["token", "assign", &fob.serial, user]);
}

#[test]
fn a_token_that_was_taken_away_opens_nothing_from_then_on() {
    host(|host| {
        let fob = Fob::clock(1);
        host.user_with("alice", &fob);
        assert_accepted(&host.login_at(NOW, "alice").typing(code(&fob, -1)));
        take(host, &fob);
        for steps in [0, 1] {
            assert_denied(&host.login_at(NOW, "alice").typing(code(&fob, steps)));
            assert_last_logged(host, &["denied user=alice", "reason=not-enrolled"]);
        }
    });
}

#[test]
fn a_token_taken_away_while_a_login_waits_at_its_prompt_opens_nothing() {
    host(|host| {
        let (fob, other) = (Fob::clock(1), Fob::clock(2));
        host.user_with("alice", &fob);
        host.user_with("bob", &other);
        host.assign_more(&Fob::button(1), "bob");
        for (user, fob, reason) in [("alice", &fob, "not-enrolled"), ("bob", &other, "wrong-code")] {
            let mut login = host.login_at(NOW, user).start();
            login.expect_prompt();
            take(host, fob);
            assert_denied(&login.ending_with(code(fob, 0)));
            assert_last_logged(host, &["denied user=", reason]);
        }
    });
}

#[test]
fn a_token_given_while_a_login_waits_at_its_prompt_opens_that_session() {
    host(|host| {
        let fob = Fob::clock(1);
        host.add_user("alice");
        host.import(std::slice::from_ref(&fob));
        let mut login = host.login_at(NOW, "alice").start();
        login.expect_prompt();
        give(host, &fob, "alice");
        assert_accepted(&login.ending_with(code(&fob, 0)));
    });
}

#[test]
fn what_one_owner_has_used_is_used_for_the_next_and_the_next_code_is_not() {
    host(|host| {
        let (clock, button) = (Fob::clock(1), Fob::button(1));
        host.user_with("alice", &clock);
        host.assign_more(&button, "alice");
        host.add_user("bob");
        assert_accepted(&host.login_at(NOW, "alice").typing(code(&clock, 0)));
        assert_accepted(&host.login_at(NOW, "alice").typing(button.code_of(3)));
        for fob in [&clock, &button] {
            take(host, fob);
            give(host, fob, "bob");
        }
        assert_used_up(host, "bob", &[code(&clock, 0), code(&clock, -1), button.code_of(3), button.code_of(0)]);
        assert_accepted(&host.login_at(NOW, "bob").typing(code(&clock, 1)));
        assert_accepted(&host.login_at(NOW, "bob").typing(button.code_of(4)));
        // And back again, past what bob has used.
        for fob in [&clock, &button] {
            take(host, fob);
            give(host, fob, "alice");
        }
        assert_used_up(host, "alice", &[code(&clock, 1), button.code_of(4)]);
        assert_accepted(&host.login_at(NOW, "alice").typing(code(&clock, 2)));
        assert_accepted(&host.login_at(NOW, "alice").typing(button.code_of(5)));
    });
}

/// None of these codes is good any more, and the log says why.
#[track_caller]
fn assert_used_up(host: &Host, user: &str, codes: &[String]) {
    for used in codes {
        assert_denied(&host.login_at(NOW, user).typing(used));
        assert_last_logged(host, &[&format!("denied user={user} "), "reason=replayed"]);
    }
}

#[test]
fn what_was_used_stays_used_when_the_token_is_deleted_and_imported_again_for_anybody() {
    host(|host| {
        let (clock, button) = (Fob::clock(1), Fob::button(1));
        host.user_with("alice", &clock);
        host.assign_more(&button, "alice");
        host.add_user("bob");
        assert_accepted(&host.login_at(NOW, "alice").typing(code(&clock, 0)));
        assert_accepted(&host.login_at(NOW, "alice").typing(button.code_of(0)));
        for user in ["alice", "bob"] {
            host.succeed_at(NOW, &["token", "delete", &clock.serial, &button.serial, "--yes", "--force"]);
            for fob in [&clock, &button] {
                host.import(std::slice::from_ref(fob));
                give(host, fob, user);
            }
            assert_used_up(host, user, &[code(&clock, 0), button.code_of(0)]);
        }
        assert_accepted(&host.login_at(NOW, "bob").typing(code(&clock, 1)));
        assert_accepted(&host.login_at(NOW, "bob").typing(button.code_of(1)));
    });
}

#[test]
fn resetting_an_account_or_enrolling_an_app_forgets_nothing_about_its_tokens() {
    host(|host| {
        let fob = Fob::clock(1);
        host.user_with("alice", &fob);
        assert_accepted(&host.login_at(NOW, "alice").typing(code(&fob, 0)));
        host.enroll("alice", &["--counter"]);
        assert_denied(&host.login_at(NOW, "alice").typing(code(&fob, 0)));
        host.sysadmin(&["reset", "alice", "--yes"]);
        assert_denied(&host.login_at(NOW, "alice").typing(code(&fob, 0)));
        assert_last_logged(host, &["denied user=alice", "reason=replayed"]);
        assert_accepted(&host.login_at(NOW, "alice").typing(code(&fob, 1)));
    });
}

#[test]
fn a_token_put_aside_or_lost_opens_nothing_says_so_and_opens_again_once_it_is_enabled() {
    host(|host| {
        let fob = Fob::clock(1);
        host.user_with("alice", &fob);
        for (steps, verb, stage) in [(-1, "disable", "disabled"), (0, "lost", "lost")] {
            host.succeed_at(NOW, &["token", verb, &fob.serial]);
            assert_denied(&host.login_at(NOW, "alice").typing(code(&fob, steps)));
            let (is, enable) = (format!("token {} is {stage}", fob.serial), format!("token enable {}", fob.serial));
            assert_last_logged(host, &["denied user=alice", "reason=token-disabled", &is, &enable]);
            assert_eq!(host.failures("alice"), 0, "its owner guesses nothing");
            host.succeed_at(NOW, &["token", "enable", &fob.serial]);
            assert_accepted(&host.login_at(NOW, "alice").typing(code(&fob, steps)));
        }
        // Used before it was put aside is still used.
        host.succeed_at(NOW, &["token", "disable", &fob.serial]);
        host.succeed_at(NOW, &["token", "enable", &fob.serial]);
        assert_denied(&host.login_at(NOW, "alice").typing(code(&fob, 0)));
    });
}

#[test]
fn a_revoked_token_opens_nothing_for_anybody_ever_again() {
    host(|host| {
        let (fob, other) = (Fob::clock(1), Fob::button(1));
        host.user_with("alice", &fob);
        host.assign_more(&other, "alice");
        host.succeed_at(NOW, &["token", "revoke", &fob.serial, "--yes"]);
        assert_denied(&host.login_at(NOW, "alice").typing(code(&fob, 0)));
        assert_last_logged(host, &["denied user=alice", "reason=wrong-code"]);
        assert_accepted(&host.login_at(NOW, "alice").typing(other.code_of(0)));
        assert_eq!(host.run_twofactor(&["token", "assign", &fob.serial, "alice"]).status.code(), Some(7));
        assert_eq!(host.run_twofactor(&["token", "enable", &fob.serial]).status.code(), Some(7));
        let file = format!("/root/{}.csv", fob.serial);
        assert!(!host.run_twofactor(&["token", "import", &file]).status.success());
        assert_denied(&host.login_at(NOW, "alice").typing(code(&fob, 1)));

        host.succeed_at(NOW, &["token", "revoke", &other.serial, "--yes", "--force"]);
        assert_denied(&host.login_at(NOW, "alice").typing(other.code_of(1)));
        assert_last_logged(host, &["denied user=alice", "reason=not-enrolled"]);
    });
}

#[test]
fn reset_beside_a_fob_that_changes_hands_leaves_the_right_number_of_them() {
    host(|host| {
        let fob = Fob::button(1);
        host.user_with("alice", &fob);
        let start = |arguments: &[&str]| Started(quietly(host, arguments).spawn().unwrap());
        let give: &[&str] = &["token", "assign", &fob.serial, "alice"];
        let take: &[&str] = &["token", "unassign", &fob.serial, "--force"];
        let mut counter = 0;
        for round in 0..24 {
            let given = round % 2 == 1;
            // An app, for reset to forget. It may have it still.
            quietly(host, &["enroll", "alice", "--no-confirm", "--qr", "none"]).status().unwrap();
            // Everybody has read what can be read without the lock on alice's account, and waits for that.
            let lock = LockedFolder::take(ALICES);
            let change = start(if given { give } else { take });
            lock.expect_waiting(1);
            let resets = [0; 2].map(|_| start(&["reset", "alice", "--yes"]));
            lock.expect_waiting(3);
            drop(lock);
            assert!(change.end().success(), "round {round}");
            for reset in resets {
                reset.end();
            }
            assert_token_and_state_agree(host, &fob, given, &mut counter);
        }
    });
}

#[test]
fn reset_of_a_user_without_a_folder_beside_a_fob_that_is_taken_leaves_the_right_number_of_them() {
    host(|host| {
        let fob = Fob::button(1);
        host.user_with("alice", &fob);
        let mut counter = 0;
        for round in 0..12 {
            if round > 0 {
                host.assign(&fob, "alice");
            }
            // An accident, of which reset is the way out.
            fs::remove_dir_all(ALICES).unwrap();
            let lock = LockedFolder::take(STATE);
            let start = |arguments: &[&str]| Started(quietly(host, arguments).spawn().unwrap());
            let take = start(&["token", "unassign", &fob.serial, "--force"]);
            lock.expect_waiting(1);
            let reset = start(&["reset", "alice", "--yes"]);
            lock.expect_waiting(2);
            drop(lock);
            assert!(take.end().success(), "round {round}");
            reset.end();
            assert_token_and_state_agree(host, &fob, false, &mut counter);
        }
    });
}

const STATE: &str = "/var/lib/twofactor";
const ALICES: &str = "/var/lib/twofactor/users/alice";

/// A process that does not outlive its test.
struct Started(Child);

impl Started {
    fn end(mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn quietly(host: &Host, arguments: &[&str]) -> Command {
    let mut command = host.twofactor(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A folder of the state that this test keeps locked.
struct LockedFolder {
    handle: File,
    inode: String,
}

impl LockedFolder {
    fn take(path: &str) -> Self {
        let handle = File::open(path).unwrap();
        handle.lock().unwrap();
        let inode = format!(":{} ", handle.metadata().unwrap().ino());
        Self { handle, inode }
    }

    /// Waits until so many processes are announced in the folder's queue.
    fn expect_waiting(&self, processes: usize) {
        let started = Instant::now();
        loop {
            let locks = fs::read_to_string("/proc/locks").unwrap();
            let waiting = locks.lines().filter(|line| line.contains("OFDLCK") && line.contains(&self.inode)).count();
            if waiting >= processes {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(8), "{waiting} of {processes} wait for {:?}", self.handle);
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Asserts that a token which alice has opens a login, and that one which she has not is refused as nothing of hers, and
/// that doctor finds nothing wrong with either.
#[track_caller]
fn assert_token_and_state_agree(host: &Host, fob: &Fob, given: bool, counter: &mut u64) {
    let outcome = host.login("alice").typing(fob.code_of(*counter));
    if given {
        assert_accepted(&outcome);
        *counter += 1;
    } else {
        assert_denied(&outcome);
        assert_last_logged(host, &["denied user=alice", "reason=not-enrolled"]);
    }
    let report = host.run_twofactor(&["--json", "doctor", "--fix"]);
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["fixed"], serde_json::json!([]), "the number of tokens was wrong");
    let is_about_accounts = |finding: &&serde_json::Value| finding.to_string().contains("alice");
    let findings: Vec<_> = report["findings"].as_array().unwrap().iter().filter(is_about_accounts).collect();
    assert!(findings.is_empty(), "{findings:?}");
}
