//! `twofactor-link`: on a host of a fleet, it brings the questions of root's programs to the servers and the answers back.
//!
//! It keeps no state and judges nothing. It needs the network, and no file but the certificate of the host; root's programs need no
//! network then. What else of a fleet needs the network on a host stands here, too: to join it.

#![forbid(unsafe_code)]

mod addresses;
mod asking;
mod connection;
mod failure;
mod joining;
mod journal;
mod local;
mod own_files;
mod pinned;
mod renewing;
mod server;
mod status;
mod tls;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use twofactor_core::config::fleet::{Membership, ServerAddress};
use twofactor_core::config::{Config, DEFAULT_PATH, Expected};
use twofactor_core::host::trusted::Owner;

use asking::Servers;
use failure::{Exit, Failure};
use joining::Again;
use renewing::When;
use tls::{Files, Tls};

/// Brings the questions of this host's logins to the servers of its fleet.
#[derive(Debug, Parser)]
#[command(name = "twofactor-link", version)]
struct Arguments {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH, global = true)]
    config: PathBuf,

    /// Make this socket and listen there, on hosts without systemd
    #[arg(long, value_name = "PATH")]
    listen: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Get a certificate for this host, with a join code that is asked for
    Join {
        /// A server, as NAME or NAME:PORT; several are tried in their order
        #[arg(required = true, value_parser = address)]
        servers: Vec<ServerAddress>,
        /// This host has joined before, and joins anew
        #[arg(long)]
        again: bool,
    },
    /// Get another certificate for this host once two thirds of the present one's time are over
    Renew {
        /// At once
        #[arg(long)]
        now: bool,
        /// Get none, and end with status 1 where it is not time yet
        #[arg(long, conflicts_with = "now")]
        check: bool,
    },
    /// Say whether the link runs, which certificate this host has, and which servers answer
    Status,
}

fn address(text: &str) -> Result<ServerAddress, String> {
    ServerAddress::parse(text)
        .ok_or_else(|| "this is no name of a host, with a port behind a colon or without".to_owned())
}

fn main() -> ExitCode {
    let Arguments { config, listen, command } = Arguments::parse();
    let done = match command {
        None => serve(&config, listen.as_deref()),
        Some(Command::Join { servers, again }) => {
            let again = if again { Again::Joins } else { Again::Refused };
            joining::run(&servers, &config, again).map(|line| journal::result(&line))
        }
        Some(Command::Renew { check: true, .. }) => {
            return ExitCode::from(u8::from(
                membership(&config).is_ok_and(|membership| !renewing::is_time(&membership)),
            ));
        }
        Some(Command::Renew { now, .. }) => renew(&config, if now { When::Now } else { When::Due }),
        Some(Command::Status) => membership(&config).and_then(|membership| {
            let (lines, answers) = status::run(&membership);
            journal::result(&lines.join("\n"));
            let none = || Failure::new(Exit::Failed, "no server of the fleet answers", "twofactor fleet status");
            answers.then_some(()).ok_or_else(none)
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { problem, hint, exit }) => {
            journal::complain(&format!("error: {problem}"));
            journal::complain(&format!("hint: {hint}"));
            ExitCode::from(exit as u8)
        }
    }
}

/// Renews, and says so. By hand it names the command that starts a link anew which cannot take the certificate up: the unit of the timer
/// does that itself.
fn renew(config: &Path, when: When) -> Result<(), Failure> {
    let facts = renewing::run(&membership(config)?, when)?;
    journal::result(&renewing::line(&facts));
    if let Some(shown) = status::shown().filter(|shown| when == When::Now && shown.serial != facts.serial) {
        journal::complain(&format!(
            "the link that runs has certificate {} until it is started anew: systemctl restart twofactor-link",
            shown.serial
        ));
    }
    Ok(())
}

/// `[fleet]` of the configuration.
fn membership(path: &Path) -> Result<Membership, Failure> {
    let config = Config::load(path, Expected::Certainly, Owner::ROOT);
    let config =
        config.map_err(|error| Failure::new(Exit::BadConfiguration, error.lines().join("\n"), error.hint()))?;
    let hint = "twofactor fleet join SERVER";
    let missing = || Failure::new(Exit::BadConfiguration, format!("{} has no [fleet]", path.display()), hint);
    config.membership.ok_or_else(missing)
}

/// Serves the programs of this host, for ever.
fn serve(config: &Path, listen: Option<&Path>) -> Result<(), Failure> {
    let membership = membership(config)?;
    let hint = "twofactor fleet status";
    let failed = |problem: String| Failure::new(Exit::Failed, problem, hint);
    let tls = Tls::new(Files::of(&membership).or_credentials())
        .map_err(|error| Failure::new(Exit::BadConfiguration, error.to_string(), "see [fleet] in twofactor.toml(5)"))?;
    let servers = Arc::new(Servers::new(&membership.servers, &Arc::new(tls)));
    let listener = match listen {
        Some(path) => local::made_at(path),
        None => local::inherited(),
    };
    local::serve(&listener.map_err(failed)?, &servers).map_err(failed)
}
