//! `twofactor backup` and `restore`: the real tool, the real module before and after, Debian's `age` and `jq`.
//!
//! A test that needs codes of several times stops the clock of module and tool (`twofactor_tests::moment`).

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod content;
mod damage;
mod interrupted;
mod meanwhile;
mod memory;
mod merging;
mod scheduled;
mod undone;
mod used;

use std::fs;
use std::io::Write as _;
use std::process::{Output, Stdio};

use twofactor_tests::moment::Moment;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, said};
use twofactor_tests::requirements::stopped_clock_met;

const STATE: &str = "/var/lib/twofactor";
const MARKER: &str = "/etc/twofactor/state.id";

/// A key of age, and its identity.
const KEY: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
const PASSPHRASE: &str = "correct horse battery staple";

/// A private host, with the identity in `/root/key.txt`.
fn host(test: impl FnOnce(&Host) + Send) {
    if stopped_clock_met() {
        twofactor_tests::private_host::private_host(|host| {
            host.private_file("key.txt", &format!("# an identity\n{IDENTITY}\n"));
            test(host);
        });
    }
}

/// Writes a backup and gives its path.
#[track_caller]
fn back_up(host: &Host, name: &str) -> String {
    let file = format!("/root/{name}.age");
    host.sysadmin(&["backup", &file, "--recipient", KEY]);
    file
}

/// The arguments that restore a file.
fn restoring<'a>(file: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    [&["restore", file, "--identity", "/root/key.txt"], options].concat()
}

#[track_caller]
fn restore(host: &Host, file: &str, options: &[&str]) -> String {
    let output = host.run_twofactor(&restoring(file, options));
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stderr).unwrap()
}

/// Runs the tool with a line on its standard input.
fn with_input(host: &Host, arguments: &[&str], line: &str) -> Output {
    let mut command = host.twofactor(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let _ = process.stdin.take().unwrap().write_all(format!("{line}\n").as_bytes());
    process.wait_with_output().unwrap()
}

/// The disk with the state is gone; `/etc` is there.
fn lose_the_state() {
    fs::remove_dir_all(STATE).unwrap();
}

/// The whole host is gone, and another one is set up.
fn begin_anew() {
    lose_the_state();
    fs::remove_file(MARKER).unwrap();
}

/// The names and sizes of everything below the state, and the marker.
fn everything() -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut waiting = vec![STATE.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.to_str().unwrap().to_owned();
            if path.is_dir() {
                waiting.push(name);
            } else {
                found.push((name, fs::read(path).unwrap()));
            }
        }
    }
    found.push((MARKER.to_owned(), fs::read(MARKER).unwrap_or_default()));
    found.sort();
    found
}

#[track_caller]
fn assert_opens(host: &Host, moment: Moment, user: &str, code: &str) {
    let outcome = host.login_at(moment, user).typing(code);
    assert_eq!(outcome.code(), ReturnCode::SUCCESS, "{outcome:?} {:?}", host.module_log());
}

#[track_caller]
fn assert_refused(host: &Host, moment: Moment, user: &str, code: &str, reason: &str) {
    let outcome = host.login_at(moment, user).typing(code);
    assert_eq!(outcome.code(), ReturnCode::AUTH_ERR, "{outcome:?}");
    host.assert_logged(&["denied", user, &format!("reason={reason}")]);
}
