//! `twofactor log` and fail2ban on what the real module and tool have written, through the real journald and rsyslogd.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod fail2ban;
mod files;
mod journal;
mod report;

use serde_json::Value;
use twofactor_tests::log_daemon::PROGRAMS;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::requirements;

/// A private host in which log daemons can be started.
fn host_with_daemons(test: impl FnOnce(&Host) + Send) {
    if requirements::programs_met(&PROGRAMS) {
        private_host(test);
    }
}

/// The events that `twofactor log` reports.
#[track_caller]
fn events(host: &Host, arguments: &[&str]) -> Vec<Value> {
    let report = host.json(&[&["log"], arguments].concat());
    report.as_array().expect("an array").clone()
}

/// An event as `event user`, for comparing whole lists.
fn words(events: &[Value]) -> Vec<String> {
    let word = |event: &Value, key: &str| event[key].as_str().unwrap_or("-").to_owned();
    events.iter().map(|event| format!("{} {}", word(event, "event"), word(event, "user"))).collect()
}

/// Imports a fob and gives it to a user.
fn assign_fob(host: &Host, user: &str) -> String {
    let path = host.place("fobs.csv");
    std::fs::write(&path, "0004711000000,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n").unwrap();
    let path = path.to_str().unwrap();
    host.succeed("chmod", ["600", path]);
    host.succeed("twofactor", ["token", "import", path]);
    host.succeed("twofactor", ["token", "assign", "0004711000000", user]);
    "0004711000000".to_owned()
}
