//! The lines of `twofactor-link status`, read back.

use twofactor_core::host::clock::UnixTime;
use twofactor_core::text::pairs::{self, Pairs};

/// The state of this host in its fleet. An error is a sentence.
#[derive(Debug)]
pub(crate) struct FleetReport {
    /// The link answers, and shows servers this certificate; `None` where it does not say which.
    pub(crate) link: Result<Option<Shown>, String>,
    /// The certificate of this host.
    pub(crate) certificate: Result<Certificate, String>,
    /// The servers, in the order in which they are asked.
    pub(crate) servers: Vec<Reached>,
}

/// The certificate of this host.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) name: Option<String>,
    pub(crate) serial: String,
    pub(crate) from: UnixTime,
    pub(crate) until: UnixTime,
}

/// The certificate that the link shows to servers.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) serial: String,
    pub(crate) until: UnixTime,
}

/// A server that was asked.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) server: String,
    /// The seconds by which its clock is ahead of this host's.
    pub(crate) ahead: Result<i64, String>,
    /// The reason for which the link does not ask it at the moment.
    pub(crate) paused: Option<String>,
}

impl FleetReport {
    /// Reads the lines; `None` where they are others.
    pub(crate) fn read(lines: &str) -> Option<Self> {
        let lines: Vec<Pairs> = lines.lines().map(pairs::read_whole).collect::<Option<_>>()?;
        let find = |key: &str| lines.iter().find(|line| get(line, key).is_some());
        let link = find("link")?;
        let link = if get(link, "link") == Some("answers") { Ok(shown(link)) } else { Err(why(link)) };
        let paused = |server: &str| lines.iter().find(|line| get(line, "paused") == Some(server)).map(why);
        let servers = lines.iter().filter_map(|line| {
            let server = get(line, "server")?.to_owned();
            let ahead = get(line, "ahead").and_then(|ahead| ahead.parse().ok()).ok_or_else(|| why(line));
            Some(Reached { paused: paused(&server), server, ahead })
        });
        let certificate = certificate(find("certificate")?);
        Some(Self { link, certificate, servers: servers.collect() })
    }

    /// The certificate that the link shows, where it is another than this host has by now.
    pub(crate) fn outdated(&self) -> Option<&Shown> {
        let (shown, certificate) = (self.link.as_ref().ok()?.as_ref()?, self.certificate.as_ref().ok()?);
        (shown.serial != certificate.serial).then_some(shown)
    }
}

fn shown(line: &Pairs) -> Option<Shown> {
    Some(Shown { serial: get(line, "serial")?.to_owned(), until: time(line, "until")? })
}

fn time(line: &Pairs, key: &str) -> Option<UnixTime> {
    get(line, key).and_then(|text| text.parse().ok()).map(UnixTime::from_seconds)
}

fn certificate(line: &Pairs) -> Result<Certificate, String> {
    let serial = get(line, "certificate").filter(|serial| !serial.is_empty());
    let read = serial.zip(time(line, "from")).zip(time(line, "until")).map(|((serial, from), until)| {
        let name = get(line, "name").map(str::to_owned);
        Certificate { name, serial: serial.to_owned(), from, until }
    });
    read.ok_or_else(|| why(line))
}

fn why(line: &Pairs) -> String {
    get(line, "why").unwrap_or("it is not known why").to_owned()
}

fn get<'l>(line: &'l Pairs, key: &str) -> Option<&'l str> {
    line.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}
