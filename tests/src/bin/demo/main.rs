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
use twofactor_tests::private_host::{self, Host};
use twofactor_tests::requirements;
use twofactor_tests::security_key;

/// Whom it is about.
const USER: &str = "alice";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (demonstration, programs): (fn(&Host), &[&str]) = match words[..] {
        [] => (login::demonstrate, &[]),
        ["enroll"] => (enroll::demonstrate, &[]),
        ["invite"] => (invite::demonstrate, &[]),
        ["register"] => (register::demonstrate, &[]),
        ["grace"] => (grace::demonstrate, &[]),
        ["token"] => (token::demonstrate, &["7z"]),
        ["ssh-key"] => (ssh_key::demonstrate, &[]),
        _ => {
            eprintln!("usage: demo [enroll|invite|register|grace|token|ssh-key]");
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
    let seconds = started.elapsed().as_secs_f32();
    transcript::say(&format!("{seconds:.1} s, a real sshd and the real module. Nothing on this machine was changed."));
    ExitCode::SUCCESS
}
