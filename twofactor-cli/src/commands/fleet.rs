//! `twofactor fleet`: this host as one of a fleet. The network is `twofactor-link`'s, which is run for it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use twofactor_admin::config_editing;
use twofactor_core::config::DEFAULT_PATH;
use twofactor_core::config::fleet::ServerAddress;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::log::record::{Event, Record};
use twofactor_core::text::pairs::{self, Pairs};
use twofactor_net::join_code::JoinCode;
use zeroize::Zeroizing;

use super::fleet_report::{FleetReport, Reached, Shown};
use super::service::Change;
use crate::args::fleet::{Fleet, JoinFleet};
use crate::central::beside_this_one;
use crate::error::{Failure, FleetFailure};
use crate::host;
use crate::journal;
use crate::output::{self, Output};
use crate::program::{self, Said};
use crate::sshd::SYSTEMD;
use crate::terminal;

/// The program with the network.
const LINK: &str = "twofactor-link";

/// The units of a host that has joined.
const UNITS: [&str; 2] = ["twofactor-link.socket", "twofactor-link-renew.timer"];

/// The unit of the link itself, which the socket starts.
const SERVICE: &str = "twofactor-link.service";

/// The number of times that a terminal is asked for a code.
const TRIES: usize = 3;

pub(crate) fn run(arguments: &Fleet, file: Option<&Path>, output: &Output) -> Result<(), Failure> {
    host::must_be_root()?;
    match arguments {
        Fleet::Join(arguments) => join(arguments, file.unwrap_or(Path::new(DEFAULT_PATH)), output),
        Fleet::Status(_) => status(file, output),
    }
}

fn join(arguments: &JoinFleet, config: &Path, output: &Output) -> Result<(), Failure> {
    host::protect_memory();
    let JoinFleet { servers, again } = arguments;
    let found = host::configuration(config.exists().then_some(config))?;
    if found.membership.is_some() && !again {
        return Err(FleetFailure::HasJoined(config.to_owned()).into());
    }
    let change = configured(config, servers);
    let code = ask_for_code()?;
    let mut command = Command::new(beside_this_one(LINK));
    command.arg("--config").arg(config).arg("join").args(again.then_some("--again"));
    command.args(servers.iter().map(ToString::to_string));
    let joined = answered(command, &code.shown())?;
    let value = |key: &str| joined.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value);
    let (name, until) = (value("name").to_owned(), value("until").parse().map(UnixTime::from_seconds));
    journal::write(Record::new(Event::FleetJoined).with("member", &name).with("certificate", value("serial")));
    let (is_configured, is_started) = (configure(config, servers, change), start());
    let until = until.map_or_else(|_| String::new(), |until| until.to_string());
    let said = || {
        let mut said = format!("This host is {name} in the fleet, with a certificate until {until}.\n");
        if is_configured && is_started {
            let _ = writeln!(said, "Users without an account of this host alone are asked for the codes of the fleet.");
        }
        said
    };
    let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
    Ok(output.done(said, || {
        json!({
            "host": name,
            "servers": servers,
            "certificate": { "serial": value("serial"), "until": until },
            "configured": is_configured,
            "started": is_started,
        })
    })?)
}

/// The code as it was typed. A terminal is asked again where it has a typing error.
fn ask_for_code() -> Result<JoinCode, Failure> {
    let mut turn = 1;
    loop {
        output::prompt("Join code: ");
        let typed = terminal::read_line()?;
        let read = JoinCode::read(&Zeroizing::new(String::from_utf8_lossy(&typed).into_owned()));
        match read {
            Ok(code) => return Ok(code),
            Err(error) if terminal::is_interactive() && turn < TRIES => output::warning(&error.to_string()),
            Err(error) => return Err(FleetFailure::Mistyped(error).into()),
        }
        turn += 1;
    }
}

/// The pairs that the link answers with, once it was told the code.
fn answered(mut command: Command, code: &str) -> Result<Pairs, FleetFailure> {
    let program = command.get_program().to_owned();
    let failed = |error| FleetFailure::NoLink((&program).into(), error);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // One that has ended already says why.
        let _ = input.write_all(code.as_bytes()).and_then(|()| input.write_all(b"\n"));
    }
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        return Err(FleetFailure::of_link(output.status.code(), &String::from_utf8_lossy(&output.stderr)));
    }
    Ok(pairs::read(String::from_utf8_lossy(&output.stdout).trim_end()).unwrap_or_default())
}

/// The configuration with `[fleet]`; an error where no place was found.
fn configured(config: &Path, servers: &[ServerAddress]) -> Result<Change, String> {
    let before = std::fs::read_to_string(config).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(String::new()),
        _ => Err(error.to_string()),
    })?;
    let after = config_editing::with_fleet(&before, servers, &files(config)).map_err(|error| error.to_string())?;
    let is_there = config.exists();
    let before = is_there.then(|| before.into_bytes());
    Ok(Change { file: config.to_owned(), before, after: Some(after.into_bytes()) })
}

/// The keys for files that are not in the usual folder.
fn files(config: &Path) -> Vec<(&'static str, String)> {
    if config == Path::new(DEFAULT_PATH) {
        return Vec::new();
    }
    let folder = config.parent().unwrap_or(Path::new("/")).join("fleet");
    let names = [("ca", "ca.pem"), ("certificate", "host.pem"), ("key", "host.key")];
    names.map(|(key, name)| (key, folder.join(name).display().to_string())).to_vec()
}

/// Writes the configuration. Where it cannot be, what to write is said.
fn configure(config: &Path, servers: &[ServerAddress], change: Result<Change, String>) -> bool {
    let made = change.and_then(|change| change.make().map_err(|error| error.to_string()));
    match made {
        Ok(()) => true,
        Err(error) => {
            let lines = config_editing::fleet_section(servers, &files(config));
            output::warning(&format!("{} is not changed: {error}. Write there:\n{lines}", config.display()));
            false
        }
    }
}

/// Starts the units, where systemd runs.
fn start() -> bool {
    if !Path::new(SYSTEMD).exists() {
        output::warning(&format!(
            "systemd does not run here: start \"{LINK} --listen {}\" and, each day, \"{LINK} renew\"",
            twofactor_core::store::broker::LINK
        ));
        return false;
    }
    // A link that ran before has the certificate of then. Its socket holds what is asked meanwhile.
    let commands = [vec!["enable", "--now", UNITS[0], UNITS[1]], vec!["try-restart", SERVICE]];
    for words in commands {
        if let Said::Failed(why) | Said::NotRun(why) = program::ask("systemctl", &words) {
            output::warning(&format!("{why}; by hand: systemctl {}", words.join(" ")));
            return false;
        }
    }
    true
}

/// The link's report about this host and its servers.
pub(crate) fn report(config: Option<&Path>) -> Result<FleetReport, FleetFailure> {
    let program = beside_this_one(LINK);
    let mut command = Command::new(&program);
    command.arg("--config").arg(config.unwrap_or(Path::new(DEFAULT_PATH))).arg("status").stdin(Stdio::null());
    let said = program::output(&mut command).map_err(|error| FleetFailure::NoLink(program, error))?;
    let lines = String::from_utf8_lossy(&said.stdout);
    FleetReport::read(&lines)
        .ok_or_else(|| FleetFailure::of_link(said.status.code(), &String::from_utf8_lossy(&said.stderr)))
}

fn status(file: Option<&Path>, output: &Output) -> Result<(), Failure> {
    let config = host::configuration(file)?;
    if config.membership.is_none() {
        return Err(FleetFailure::NoMember.into());
    }
    let report = report(file)?;
    output.report(|| in_words(&report), || as_json(&report))?;
    if report.servers.iter().all(|server| server.ahead.is_err()) {
        return Err(FleetFailure::NoneAnswers.into());
    }
    Ok(())
}

fn in_words(report: &FleetReport) -> String {
    let mut text = String::new();
    let _ = match (&report.link, report.outdated()) {
        (Ok(_), None) => writeln!(text, "twofactor-link runs."),
        (Ok(_), Some(Shown { serial, until })) => writeln!(
            text,
            "twofactor-link runs with certificate {serial} until {until}, and not with that of this host: systemctl restart {SERVICE}"
        ),
        (Err(why), _) => writeln!(text, "twofactor-link does not answer: {why}"),
    };
    let _ = match &report.certificate {
        Ok(certificate) => writeln!(
            text,
            "This host is {}, with certificate {} until {}.",
            certificate.name.as_deref().unwrap_or("unknown"),
            certificate.serial,
            certificate.until
        ),
        Err(why) => writeln!(text, "This host has no certificate: {why}"),
    };
    for Reached { server, ahead, paused } in &report.servers {
        let _ = match ahead {
            Ok(0) => write!(text, "{server} answers"),
            Ok(seconds) => write!(text, "{server} answers; its clock is {seconds:+} seconds off this host's"),
            Err(why) => write!(text, "{server} does not answer: {why}"),
        };
        let _ = match paused {
            Some(why) => writeln!(text, "; the link waits before it asks again, after: {why}"),
            None => writeln!(text),
        };
    }
    text
}

fn as_json(report: &FleetReport) -> Value {
    let certificate = report.certificate.as_ref().ok().map(|certificate| {
        json!({
            "name": certificate.name,
            "serial": certificate.serial,
            "from": certificate.from.to_string(),
            "until": certificate.until.to_string(),
        })
    });
    let server = |Reached { server, ahead, paused }: &Reached| {
        json!({
            "server": server,
            "answers": ahead.is_ok(),
            "why": ahead.as_ref().err(),
            "clock_ahead_seconds": ahead.as_ref().ok(),
            "paused": paused,
        })
    };
    let shown = report.link.as_ref().ok().and_then(Option::as_ref);
    let shown = shown.map(|shown| json!({ "serial": shown.serial, "until": shown.until.to_string() }));
    json!({
        "link": report.link.is_ok(),
        "link_problem": report.link.as_ref().err(),
        "link_certificate": shown,
        "certificate": certificate,
        "certificate_problem": report.certificate.as_ref().err(),
        "servers": report.servers.iter().map(server).collect::<Vec<_>>(),
    })
}
