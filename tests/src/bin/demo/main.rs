//! `make demo` and `make demo-NAME`: what the module is for, for real, in a private host. Each prints what a person at the
//! terminals would see, and the log.
//!
//! Nothing of this machine is changed: users, `/etc`, network, processes and devices are private, and end with it.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a demonstration prints, and fails loudly"
)]

mod enroll;
mod fleet;
mod grace;
mod invite;
mod login;
mod register;
mod ssh_key;
mod token;
mod transcript;

use std::process::ExitCode;
use std::time::Instant;

use twofactor_tests::artifacts::{self, Profile};
use twofactor_tests::machines;
use twofactor_tests::private_host::{self, Host};
use twofactor_tests::requirements;
use twofactor_tests::security_key;

/// Whom it is about.
const USER: &str = "alice";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["machine", arguments @ ..] = words.as_slice() {
        machines::serve(arguments);
        return ExitCode::SUCCESS;
    }
    let (demonstration, programs): (fn(&Host), &[&str]) = match words[..] {
        [] => (login::demonstrate, &[]),
        ["enroll"] => (enroll::demonstrate, &[]),
        ["invite"] => (invite::demonstrate, &[]),
        ["register"] => (register::demonstrate, &[]),
        ["grace"] => (grace::demonstrate, &[]),
        ["token"] => (token::demonstrate, &["7z"]),
        ["ssh-key"] => (ssh_key::demonstrate, &[]),
        ["fleet"] => return of_a_fleet(),
        _ => {
            eprintln!("usage: demo [enroll|invite|register|grace|token|ssh-key|fleet]");
            return ExitCode::from(2);
        }
    };
    if !requirements::met() || !requirements::programs_met(programs) {
        return ExitCode::FAILURE;
    }
    let started = Instant::now();
    let artifacts = artifacts::build(Profile::Release);
    if words == ["ssh-key"] {
        security_key::prepare();
    }
    private_host::run(&artifacts, |host| {
        host.add_user(USER);
        host.succeed("install", ["-d", "-m", "0700", "/var/lib/twofactor", "/var/lib/twofactor/users"]);
        demonstration(host);
    });
    end(started)
}

/// Several hosts, each with what it needs.
fn of_a_fleet() -> ExitCode {
    if !requirements::met() || !requirements::programs_met(&["nsenter", "setpriv"]) {
        return ExitCode::FAILURE;
    }
    if !requirements::package_met("postgresql", "/usr/lib/postgresql") {
        return ExitCode::FAILURE;
    }
    let artifacts = artifacts::with_fleet(if cfg!(debug_assertions) { Profile::Debug } else { Profile::Release });
    let started = Instant::now();
    fleet::demonstrate(&artifacts);
    end(started)
}

fn end(started: Instant) -> ExitCode {
    let seconds = started.elapsed().as_secs_f32();
    transcript::say(&format!("{seconds:.1} s, a real sshd and the real module. Nothing on this machine was changed."));
    ExitCode::SUCCESS
}
