//! `twofactor` as a library: the sysadmin's tool. Enrolls users, looks, resets, unlocks; every rule it applies lives in `twofactor-core`.
//!
//! A run reads top to bottom: arguments as typed (`args`, read by `tips`), one command (`commands`) with what it needs of the host
//! (`host`), what it prints (`output`), and how it ends (`error`). `twofactor` runs it on the files of this host, and
//! `twofactor-server administer` on the central store of a fleet: to that program the tool hands over what is about accounts on a machine with
//! `[store]` (`central`).

#![forbid(unsafe_code)]

mod args;
mod asking;
mod central;
mod commands;
mod error;
mod host;
mod journal;
mod output;
mod people;
mod program;
mod progress;
mod qr;
mod randomness;
mod rehearsing;
mod sshd;
mod terminal;
mod tips;

use std::ffi::OsString;
use std::process::ExitCode;

pub use host::{OpenCentral, OpenHosts};
pub use journal::actor_or_root as sysadmin;

use error::Failure;

/// Runs a command line on the files of this host; `words` begin with the program's name.
pub fn run(words: &[OsString]) -> ExitCode {
    if rehearsing::is_asked_for() {
        return rehearsing::run();
    }
    run_command(words)
}

/// Runs a command line on the central store that `open` opens.
pub fn run_on_central(words: &[OsString], open: OpenCentral, hosts: OpenHosts) -> ExitCode {
    host::administer_with(open, hosts);
    run_command(words)
}

fn run_command(words: &[OsString]) -> ExitCode {
    let typed = match tips::parse(words) {
        Ok(typed) => typed,
        Err(error) => return output::usage(&error),
    };
    let (output, named) = (typed.global.output(), typed.global.config.clone());
    let ended = randomness::keys_for_hash_maps()
        .map_err(Failure::Entropy)
        .and_then(|()| central::hand_over(&typed, words))
        .and_then(|()| commands::run(typed, &output))
        .map_err(|failure| central::elsewhere(failure, named.as_deref()));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::failure(&failure.lines(), failure.hint().as_deref());
            ExitCode::from(failure.status() as u8)
        }
    }
}
