//! `twofactor-link`: on a host of a fleet, it brings the questions of root's programs to the servers and the answers back.
//!
//! It keeps no state and judges nothing. It needs the network, and no file but the certificate of the host; root's programs need no
//! network then.

#![forbid(unsafe_code)]

mod asking;
mod journal;
mod local;
mod server;
mod tls;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use twofactor_core::config::{Config, DEFAULT_PATH, Expected};
use twofactor_core::host::trusted::Owner;

use asking::Servers;

/// Brings the questions of this host's logins to the servers of its fleet.
#[derive(Debug, Parser)]
#[command(name = "twofactor-link", version)]
struct Arguments {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,

    /// Make this socket and listen there, on hosts without systemd
    #[arg(long, value_name = "PATH")]
    listen: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            journal::complain(&problem);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let config = Config::load(&arguments.config, Expected::Certainly, Owner::ROOT)
        .map_err(|error| format!("{}; {}", error.lines().join("\n"), error.hint()))?;
    let membership = config.membership.ok_or_else(|| format!("{} has no [fleet]", arguments.config.display()))?;
    let servers = Arc::new(Servers::new(&membership.servers, &tls::client(&membership)?));
    let listener = match &arguments.listen {
        Some(path) => local::made_at(path)?,
        None => local::inherited()?,
    };
    local::serve(&listener, &servers)
}
