//! `twofactor-link status`: whether the link runs, which certificate this host has, and which servers answer.
//!
//! It prints lines of pairs, which `twofactor fleet status` and `twofactor doctor` read.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use twofactor_core::config::fleet::{Membership, ServerAddress};
use twofactor_core::store::broker::LINK;
use twofactor_core::store::wire::{Channel, HostCall, LinkState, Message, ShownCertificate, read_clock, read_link};
use twofactor_core::text::pairs;

use crate::addresses::Addresses;
use crate::connection::{Connection, in_words};
use crate::renewing::unix_time;
use crate::tls::{Files, Tls};

/// The longest that a server may take, and the link.
const PATIENCE: Duration = Duration::from_secs(5);

/// The lines, and true where a server answers.
pub(crate) fn run(membership: &Membership) -> (Vec<String>, bool) {
    let files = Files::of(membership);
    let (first, paused) = link();
    let mut lines = [vec![first, certificate(&files)], paused].concat();
    let asked: Vec<Result<i64, String>> = match Tls::new(files) {
        Err(error) => membership.servers.iter().map(|_| Err(error.to_string())).collect(),
        Ok(tls) => thread::scope(|scope| {
            let tls = &tls;
            let asking: Vec<_> =
                membership.servers.iter().map(|server| scope.spawn(move || ask(server, tls))).collect();
            asking
                .into_iter()
                .map(|asked| asked.join().unwrap_or_else(|_| Err("it was not asked".to_owned())))
                .collect()
        }),
    };
    for (server, found) in membership.servers.iter().zip(&asked) {
        let mut line = String::new();
        pairs::write(&mut line, "server", server);
        match found {
            Ok(ahead) => pairs::write(&mut line, "ahead", ahead),
            Err(why) => pairs::write_whole(&mut line, "why", why),
        }
        lines.push(line);
    }
    (lines, asked.iter().any(Result::is_ok))
}

/// The link, and the servers that it does not ask at the moment.
fn link() -> (String, Vec<String>) {
    let mut line = String::new();
    match state() {
        Ok(LinkState { certificate, paused }) => {
            pairs::write(&mut line, "link", "answers");
            if let Some(ShownCertificate { serial, until }) = certificate {
                pairs::write(&mut line, "serial", serial);
                pairs::write(&mut line, "until", until);
            }
            let line_of = |(server, why): (String, String)| {
                let mut line = String::new();
                pairs::write(&mut line, "paused", server);
                pairs::write_whole(&mut line, "why", &why);
                line
            };
            (line, paused.into_iter().map(line_of).collect())
        }
        Err(why) => {
            pairs::write(&mut line, "link", "absent");
            pairs::write_whole(&mut line, "why", &why);
            (line, Vec::new())
        }
    }
}

/// The certificate that the link shows to servers, where it runs and says so.
pub(crate) fn shown() -> Option<ShownCertificate> {
    state().ok()?.certificate
}

fn state() -> Result<LinkState, String> {
    let stream = UnixStream::connect(Path::new(LINK)).map_err(|error| format!("{LINK}: {error}"))?;
    let channel = Channel::asking(stream, Instant::now() + PATIENCE);
    let asked = channel.send(&HostCall::Link.message()).and_then(|()| channel.receive());
    let answer = asked.map_err(|error| error.to_string())?.ok_or("the link has closed the connection")?;
    read_link(answer).map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

fn certificate(files: &Files) -> String {
    let mut line = String::new();
    match files.facts() {
        Ok(facts) => {
            pairs::write(&mut line, "certificate", &facts.serial);
            if let Some(name) = files.name() {
                pairs::write(&mut line, "name", name);
            }
            pairs::write(&mut line, "from", facts.from);
            pairs::write(&mut line, "until", facts.until);
        }
        Err(error) => {
            pairs::write(&mut line, "certificate", "");
            pairs::write_whole(&mut line, "why", &error.to_string());
        }
    }
    line
}

/// The seconds by which a server's clock is ahead of ours.
fn ask(server: &ServerAddress, tls: &Tls) -> Result<i64, String> {
    let deadline = Instant::now() + PATIENCE;
    let question = HostCall::Clock.message().line().map_err(|error| error.to_string())?;
    let answer = Connection::open(&Addresses::new(server.clone()), &tls.config(), deadline)
        .and_then(|mut connection| connection.exchange(&question, deadline))
        .map_err(|error| in_words(&error))?;
    let clock = Message::read(&answer).and_then(read_clock).map_err(|error| error.to_string())?;
    let theirs = clock.map_err(|error| error.to_string())?;
    Ok(i64::try_from(theirs).unwrap_or(i64::MAX).saturating_sub_unsigned(unix_time()))
}
