//! Logging in with physical tokens: a vendor's seed file and the real tool at one end, the real libpam, sshd, su and sudo
//! at the other.
//!
//! Codes come from oathtool. Where a test needs several codes of one clock it stops that of the module
//! (`twofactor_tests::moment`); where it needs many it takes tokens with a button.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod beside_registry;
mod broken_registry;
mod clocks;
mod crashes;
mod disks;
mod guest;
mod hands;
mod logging_in;
mod once;
mod policy;
mod stopped;
mod waiting;

use twofactor_tests::pam::{Outcome, ReturnCode};
use twofactor_tests::private_host::Host;
use twofactor_tests::requirements::{programs_met, stopped_clock_met};

/// A private host, when this suite can run. A near miss is a wrong code there: the question for the next code has tests of
/// its own.
fn host(test: impl FnOnce(&Host) + Send) {
    if programs_met(&["7z", "sqlite3", "zip"]) && stopped_clock_met() {
        twofactor_tests::private_host::private_host(|host| {
            host.configure(NO_QUESTION);
            test(host);
        });
    }
}

/// The configuration of these hosts.
const NO_QUESTION: &str = "[window]\nresync_at_login = false\n";

#[track_caller]
fn assert_accepted(outcome: &Outcome) {
    assert_eq!(outcome.code(), ReturnCode::SUCCESS, "{outcome:?}");
}

#[track_caller]
fn assert_denied(outcome: &Outcome) {
    assert_eq!(outcome.code(), ReturnCode::AUTH_ERR, "{outcome:?}");
}

/// Asserts that the last line of the module holds all of `fragments`.
#[track_caller]
fn assert_last_logged(host: &Host, fragments: &[&str]) {
    let lines = host.module_log();
    let last = lines.last().map_or("", String::as_str);
    assert!(fragments.iter().all(|fragment| last.contains(fragment)), "not {fragments:?} but: {last}");
}
