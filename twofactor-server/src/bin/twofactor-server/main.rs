//! `twofactor-server`: the central store of a fleet. Hosts ask it about the codes of their users; files or
//! PostgreSQL keep the accounts.
//!
//! The meaning of a login is decided in twofactor-core. This program reads, writes, seals, and knows which host asks.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command: it says what it has found")]

mod administering;
mod advice;
mod failure;
mod hosts;
mod key_commands;
mod own_names;
mod seed_key;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use twofactor_core::config::fleet::{Backing, CentralStore, Port};
use twofactor_core::config::{Config, DEFAULT_PATH, Expected};
use twofactor_core::host::trusted::Owner;
use twofactor_core::store::Unusable as _;
use twofactor_server::{Admission, Server, check, check_embedded, lasting, serve, tls_of_fleet, tls_of_site};

use failure::Failure;
use hosts::ListedHosts;
use key_commands::KeyCommand;
use own_names::names;
use seed_key::SeedKey;

/// The central store of a fleet.
#[derive(Debug, Parser)]
#[command(name = "twofactor-server", version)]
struct Arguments {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer the hosts of the fleet
    Serve,
    /// Say what is wrong: with the database, the clocks, the keys, the certificate
    Check,
    /// Run a command of twofactor on the central store: twofactor does so itself where its configuration has [store]
    #[command(hide = true)]
    Administer {
        /// The command, after "--"
        #[arg(last = true)]
        words: Vec<OsString>,
    },
    /// The keys that seal what the database keeps
    #[command(subcommand)]
    Key(KeyCommand),
}

fn main() -> ExitCode {
    let Arguments { config: path, command } = Arguments::parse();
    if let Command::Administer { words } = command {
        return administering::run(path, &words);
    }
    let done = Config::load(&path, Expected::Certainly, Owner::ROOT)
        .map_err(|error| Failure::new(error.lines().join("\n"), error.hint()))
        .and_then(|config| run(&command, &config, &path));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { problem, hint }) => {
            eprintln!("twofactor-server: {problem}\n  {hint}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command, config: &Config, path: &Path) -> Result<(), Failure> {
    let missing = |section: &str| {
        Failure::new(format!("{} has no [{section}]", path.display()), format!("see [{section}] in twofactor.toml(5)"))
    };
    let store = config.central_store.as_ref().ok_or_else(|| missing("store"))?;
    match command {
        Command::Key(command) => key_commands::run(command, store, &runtime()?),
        Command::Check => checked(store, config),
        Command::Administer { .. } => Ok(()),
        Command::Serve => {
            let port = config.port.as_ref().ok_or_else(|| missing("server"))?;
            runtime()?.block_on(serve_all(store, port, config, path))
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Runtime::new().map_err(|error| Failure::new(error.to_string(), "is the machine out of memory?"))
}

/// The beginning of the finding that there is no store yet.
const NOTHING_YET: &str = "no tables yet";

/// Prints a line for each thing that was looked at.
fn checked(store: &CentralStore, config: &Config) -> Result<(), Failure> {
    let seed_key = SeedKey::of(store);
    let keys = seed_key.read();
    let mut findings = vec![match &keys {
        Ok(keys) => Ok(format!("{}: keys {:?}; key {} seals", seed_key.path.display(), keys.numbers(), keys.sealing())),
        Err(error) => Err((error.to_string(), error.hint())),
    }];
    if let Some(port) = &config.port {
        for file in port.site.iter().flat_map(|files| [&files.certificate, &files.client_ca]) {
            findings.push(lasting(file).map_err(|error| (error.to_string(), error.hint())));
        }
        findings.push(match &port.site {
            None => Ok(format!("certificates: of the fleet's own authority, for {}", names(port).join(", "))),
            Some(files) => match tls_of_site(files) {
                Ok(_) => Ok(format!("{}: can be used", files.certificate.display())),
                Err(error) => Err((error.to_string(), error.hint())),
            },
        });
    }
    let of_store = match &store.backing {
        Backing::Postgresql(connection) => runtime()?.block_on(check(connection, keys.as_ref().ok())),
        Backing::Files(folder) => check_embedded(folder, keys.ok()),
    };
    findings.extend(of_store.into_iter().map(|finding| finding.map_err(|error| (error.to_string(), error.hint()))));
    // Only of a store that is well so far, so that nothing is made or changed here.
    if findings.iter().all(Result::is_ok) && !findings.iter().flatten().any(|found| found.starts_with(NOTHING_YET)) {
        findings.extend(administering::inspected(config));
    }
    for finding in &findings {
        match finding {
            Ok(good) => println!("ok       {good}"),
            Err((problem, hint)) => println!("problem  {problem}\n         {hint}"),
        }
    }
    for warning in advice::warnings(config) {
        println!("warning  {warning}");
    }
    let problems = findings.iter().filter(|finding| finding.is_err()).count();
    if problems == 0 {
        Ok(())
    } else {
        Err(Failure::new(format!("{problems} of {} things are wrong", findings.len()), "see above"))
    }
}

async fn serve_all(store: &CentralStore, port: &Port, config: &Config, path: &Path) -> Result<(), Failure> {
    let site = port.site.as_ref().map(tls_of_site).transpose()?;
    let seed_key = SeedKey::of(store);
    let keys = seed_key.read()?;
    let server = Arc::new(match &store.backing {
        Backing::Postgresql(connection) => Server::open(connection.parse()?, keys, config).await?,
        Backing::Files(folder) => Server::open_files(folder, keys, config)?,
    });
    let ends = |error: std::io::Error| Failure::new(error.to_string(), "is the machine out of memory?");
    let listed = ListedHosts::watched(path, config).map_err(ends)?;
    let (acceptor, admission) = match site {
        Some(acceptor) => (acceptor, Admission::Site(listed)),
        None => {
            let hosts = Arc::new(server.fleet_hosts().await?);
            (tls_of_fleet(&hosts, names(port))?, Admission::Fleet(hosts, listed))
        }
    };
    let mut serving = JoinSet::new();
    for address in &port.listen {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| {
            Failure::new(format!("cannot listen on {address}: {error}"), "see listen in [server] of twofactor.toml(5)")
        })?;
        serving.spawn(serve(listener, acceptor.clone(), Arc::clone(&server), admission.clone()));
    }
    let (mut terminated, mut interrupted) =
        (signal(SignalKind::terminate()).map_err(ends)?, signal(SignalKind::interrupt()).map_err(ends)?);
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
        _ = serving.join_next() => {}
        () = seed_key.watch(&server) => {}
        () = server.keep_house(store.audit_days) => {}
    }
    server.leave().await;
    // Questions that are being answered are asked again under their number, of another server.
    Ok(())
}
