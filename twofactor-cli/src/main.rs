//! `twofactor`: the sysadmin's tool. Enrolls users, looks, resets, unlocks; every rule it applies lives in `twofactor-core`.
//!
//! A run reads top to bottom: arguments as typed ([`args`], read by [`tips`]), one command ([`commands`]) with what it needs of the host
//! ([`host`]), what it prints ([`output`]), and how it ends ([`error`]).

#![forbid(unsafe_code)]

mod args;
mod asking;
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

use std::process::ExitCode;

use error::Failure;

fn main() -> ExitCode {
    if rehearsing::is_asked_for() {
        return rehearsing::run();
    }
    let typed = match tips::read_arguments() {
        Ok(typed) => typed,
        Err(error) => return output::usage(&error),
    };
    let output = typed.global.output();
    let ended = randomness::keys_for_hash_maps().map_err(Failure::Entropy).and_then(|()| commands::run(typed, &output));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::failure(&failure.lines(), failure.hint().as_deref());
            ExitCode::from(failure.status() as u8)
        }
    }
}
