//! The files of a syslog daemon, with those that were rotated away, from the oldest line to the newest.
//!
//! Invariants: one line is in memory at a time, and a longer one than any daemon writes is passed over. A file that
//! cannot be read to its end ends there, and that is said. Who wrote a line, a file does not tell.

mod rotated;

use std::io;
use std::path::PathBuf;

use twofactor_admin::logbook::syslog_line::SyslogLine;
use twofactor_admin::logbook::timestamp::{Stamp, Turns, Yearless, Years, month};
use twofactor_admin::logbook::{Entry, Message, Source, Wanted};
use twofactor_core::host::trusted::describe;

use crate::commands::log::files::rotated::{Lines, LogFile};
use crate::commands::log::problem::Problem;
use crate::commands::log::zone::HostZone;
use crate::output::warning;

/// The files to which syslog daemons write authpriv: Debian, Fedora and others, all other systems.
const FILES: [&str; 3] = ["/var/log/auth.log", "/var/log/secure", "/var/log/messages"];

/// A file and what was rotated away from it, the oldest first.
#[derive(Debug)]
pub(super) struct Family(Vec<LogFile>);

/// All that are there and can be read.
pub(super) fn families(problems: &mut Vec<Problem>) -> Vec<Family> {
    let mut families = Vec::new();
    for file in FILES.map(PathBuf::from) {
        let mut readable = Vec::new();
        for (path, found) in rotated::family(&file) {
            match found {
                Ok(file) => readable.push(file),
                Err(error) => problems.push(Problem::Unreadable { what: path.display().to_string(), error }),
            }
        }
        if !readable.is_empty() {
            readable.sort_by_key(LogFile::age);
            families.push(Family(readable));
        }
    }
    if families.is_empty() && problems.iter().all(|problem| matches!(problem, Problem::NotThere(_))) {
        let [auth, secure, messages] = FILES;
        problems.push(Problem::NotThere(format!("{auth}, {secure} or {messages}")));
    }
    families
}

impl Family {
    /// The entries of its lines that are asked for.
    pub(super) fn entries<'s>(self, wanted: &'s Wanted, zone: &'s HostZone) -> impl Iterator<Item = Entry> + use<'s> {
        // What was written last before the time that is wanted holds nothing of it. A clock may have been set back.
        let day = std::time::Duration::from_hours(24);
        let is_young = move |file: &LogFile| wanted.since.is_none_or(|since| file.written().after(day) >= since);
        let files = self.0.into_iter().filter(is_young);
        files.flat_map(move |file| FileEntries::new(&file, wanted, zone))
    }
}

/// The entries of one file.
struct FileEntries<'s> {
    path: PathBuf,
    /// None when it could not be opened again.
    lines: Option<Lines>,
    years: Years<'s>,
    wanted: &'s Wanted,
}

impl<'s> FileEntries<'s> {
    fn new(file: &LogFile, wanted: &'s Wanted, zone: &'s HostZone) -> Self {
        let path = file.path().to_owned();
        let opened = survey(file).and_then(|seen| Ok((seen, file.lines()?)));
        let (seen, lines) = match opened {
            Ok((seen, lines)) => (seen, Some(lines)),
            Err(error) => {
                warning(&format!("left out: {}: {}", path.display(), describe(&error)));
                (None, None)
            }
        };
        Self { path, lines, years: Years::new(zone, file.written(), seen), wanted }
    }

    fn entry(&mut self, line: &str) -> Option<Entry> {
        if !line.contains("twofactor") {
            if let Some(month) = month(line) {
                self.years.pass(month);
            }
            return None;
        }
        let SyslogLine { stamp, host, identifier, pid, message } = SyslogLine::read(line)?;
        let at = self.years.moment(stamp)?;
        let message = Message::read(identifier, message)?;
        Some(Entry { at, source: Source::File, host: Some(host.to_owned()), pid, message })
    }
}

/// The months that a file passes through, when its lines do not say the year.
fn survey(file: &LogFile) -> io::Result<Option<(Turns, Yearless)>> {
    let mut lines = file.lines()?;
    let (mut turns, mut last) = (Turns::default(), None);
    loop {
        match lines.next_line() {
            Ok(Some(line)) => {
                if let Some(month) = month(line) {
                    turns.see(month);
                    if let Some((Stamp::Yearless(yearless), _)) = Stamp::read(line) {
                        last = Some(yearless);
                    }
                } else if last.is_none() && line.starts_with(|first: char| first.is_ascii_digit()) {
                    // Its lines say when they were written.
                    return Ok(None);
                }
            }
            Ok(None) => return Ok(last.map(|last| (turns, last))),
            // The second time it is told.
            Err(_) => return Ok(last.map(|last| (turns, last))),
        }
    }
}

impl Iterator for FileEntries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let mut lines = self.lines.take()?;
        loop {
            match lines.next_line() {
                Ok(Some(line)) => {
                    if let Some(entry) = self.entry(line).filter(|entry| self.wanted.includes(entry)) {
                        self.lines = Some(lines);
                        return Some(entry);
                    }
                }
                Ok(None) => return None,
                Err(error) => {
                    warning(&format!("{} ends early: {}", self.path.display(), describe(&error)));
                    return None;
                }
            }
        }
    }
}
