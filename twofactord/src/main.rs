//! `twofactord`: the broker. It answers programs that cannot open files of root, such as screen lockers, about the codes of
//! their own user.
//!
//! It runs as root and needs no capability and no network. systemd starts it when a program connects, and it ends after a
//! while without a question. What a login means is decided in twofactor-core; this program knows who asks.

#![forbid(unsafe_code)]

mod caller;
mod fleet;
mod helpdesk;
mod journal;
mod listening;
mod places;
mod self_service;
mod serving;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use twofactor_core::store::broker::SOCKET;

/// Answers programs that do not run as root about the second factor of their user.
#[derive(Debug, Parser)]
#[command(name = "twofactord", version)]
struct Arguments {
    /// Make this socket and listen there, on hosts without systemd
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = SOCKET)]
    listen: Option<PathBuf>,

    /// The configuration
    #[arg(long, value_name = "FILE", default_value = twofactor_core::config::DEFAULT_PATH)]
    config: PathBuf,

    /// End when nothing was asked for this long. Only where systemd has opened the socket
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    idle: u64,
}

fn main() -> ExitCode {
    let Arguments { listen, config, idle } = Arguments::parse();
    let run = match listen {
        Some(path) => listening::made_at(&path).and_then(|listener| listening::run(&listener, &config, None)),
        None => listening::inherited()
            .and_then(|listener| listening::run(&listener, &config, Some(Duration::from_secs(idle.max(1))))),
    };
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            journal::complain(&error);
            ExitCode::FAILURE
        }
    }
}
