//! The journal, through `journalctl`, which knows its format and who may read it.
//!
//! Invariants: the kernel told the journal whose process wrote a line, and only what root's did is proven. A program
//! that runs with root's rights for the user who starts it, as su does, may write as that user. Which program a process ran the
//! journal looks up later, when the writer may have become another one: such a line of the module is told as unproven.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use twofactor_admin::logbook::{Entry, Message, Source, Wanted, Writer};
use twofactor_core::host::clock::UnixTime;

use crate::commands::log::problem::Problem;
use crate::output::warning;

/// The folders of journals.
const FOLDERS: [&str; 2] = ["/run/log/journal", "/var/log/journal"];

/// The facility authpriv, to which everything of ours goes.
const AUTHPRIV: &str = "SYSLOG_FACILITY=10";

const FIELDS: &str = "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_UID,_EXE,_HOSTNAME,\
                      _SOURCE_REALTIME_TIMESTAMP";

/// The journal's entries, on their way.
#[derive(Debug)]
pub(super) struct Journal<'w> {
    process: Child,
    lines: BufReader<ChildStdout>,
    line: Vec<u8>,
    wanted: &'w Wanted,
    disbelieved: Disbelieved,
}

/// Lines that look like ours, and that neither root nor, as it seems, a program with root's rights wrote.
#[derive(Debug, Default)]
struct Disbelieved {
    count: u64,
    /// The uid that wrote one of them.
    uid: Option<String>,
}

/// Begins to read the journal.
pub(super) fn open(wanted: &Wanted) -> Result<Journal<'_>, Problem> {
    is_there()?;
    let mut journalctl = Command::new("journalctl");
    journalctl.args(["--quiet", "--no-pager", "--output=json", "--all", FIELDS, AUTHPRIV]);
    for (option, moment) in [("--since", wanted.since), ("--until", wanted.until)] {
        if let Some(moment) = moment {
            journalctl.arg(format!("{option}=@{}", moment.seconds()));
        }
    }
    // Root's mistakes with a pager or a colour are none of ours.
    journalctl.env_remove("SYSTEMD_LESS").env("SYSTEMD_COLORS", "0").env("LC_ALL", "C.UTF-8");
    let started = journalctl.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let unreadable = |error| Problem::Unreadable { what: "journalctl".to_owned(), error };
    let mut process = started.map_err(unreadable)?;
    let Some(stdout) = process.stdout.take() else {
        return Err(unreadable(io::ErrorKind::BrokenPipe.into()));
    };
    Ok(Journal {
        process,
        lines: BufReader::new(stdout),
        line: Vec::new(),
        wanted,
        disbelieved: Disbelieved::default(),
    })
}

/// Makes sure that there is a journal of the system that may be read.
fn is_there() -> Result<(), Problem> {
    let mut found = Err(Problem::NotThere(format!("journal in {}", FOLDERS.join(" or "))));
    for folder in FOLDERS.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
        let journals = match fs::read_dir(folder.path()) {
            Ok(journals) => journals,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                found = Err(Problem::Unreadable { what: folder.path().display().to_string(), error });
                continue;
            }
            Err(_) => continue,
        };
        for journal in journals.flatten() {
            // A user who may not read the journal of the system still has one of his own.
            if !journal.file_name().as_encoded_bytes().starts_with(b"system") {
                continue;
            }
            match File::open(journal.path()) {
                Ok(_) => return Ok(()),
                Err(error) => {
                    found = Err(Problem::Unreadable { what: journal.path().display().to_string(), error });
                }
            }
        }
    }
    found
}

impl Iterator for Journal<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            self.line.clear();
            match self.lines.read_until(b'\n', &mut self.line) {
                Ok(0) => return self.end(),
                Ok(_) => {}
                Err(error) => {
                    warning(&format!("the journal ends early: {error}"));
                    return None;
                }
            }
            if !self.line.windows(NAME.len()).any(|part| part == NAME) {
                continue;
            }
            match entry(&self.line) {
                Some((entry, _)) if !self.wanted.includes(&entry) => {}
                Some((entry, Writ::OfRoot | Writ::Seemingly)) => return Some(entry),
                Some((_, Writ::Of(uid))) => {
                    self.disbelieved.count += 1;
                    self.disbelieved.uid = uid;
                }
                None => {}
            }
        }
    }
}

const NAME: &[u8] = b"twofactor";

impl Journal<'_> {
    fn end(&mut self) -> Option<Entry> {
        match self.process.wait() {
            Ok(status) if status.success() => {}
            Ok(status) => warning(&format!("the journal may be incomplete: journalctl ended with {status}")),
            Err(error) => warning(&format!("the journal may be incomplete: {error}")),
        }
        let Disbelieved { count, uid } = &self.disbelieved;
        if *count > 0 {
            let uid = uid.as_deref().map(|uid| format!(" _UID={uid}")).unwrap_or_default();
            warning(&format!(
                "left out, as root did not write it: {count} in the journal; look at it: journalctl {AUTHPRIV}{uid}"
            ));
        }
        None
    }
}

impl Drop for Journal<'_> {
    fn drop(&mut self) {
        // It may still be writing when the reader has seen enough.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The writer of a line, as far as the journal knows.
#[derive(Debug, PartialEq, Eq)]
enum Writ {
    /// Root.
    OfRoot,
    /// Another user's process, which was a program with root's rights when the journal looked at it.
    Seemingly,
    /// Another user, or a program that was gone before the journal could look at it.
    Of(Option<String>),
}

fn entry(line: &[u8]) -> Option<(Entry, Writ)> {
    let record: Value = serde_json::from_slice(line).ok()?;
    let field = |name: &str| record.get(name).and_then(Value::as_str);
    let message = Message::read(field("SYSLOG_IDENTIFIER")?, field("MESSAGE")?)?;
    let writ = match (field("_UID"), &message.writer) {
        (Some("0"), _) => Writ::OfRoot,
        (_, Writer::Module { .. }) if field("_EXE").is_some_and(runs_as_root) => Writ::Seemingly,
        (uid, _) => Writ::Of(uid.map(str::to_owned)),
    };
    let source = if writ == Writ::OfRoot { Source::Journal } else { Source::Unproven };
    let time = field("_SOURCE_REALTIME_TIMESTAMP").or_else(|| field("__REALTIME_TIMESTAMP"))?;
    let at = UnixTime::from_seconds(time.parse::<u64>().ok()? / 1_000_000);
    let pid = field("SYSLOG_PID").or_else(|| field("_PID")).and_then(|pid| pid.parse().ok());
    let host = field("_HOSTNAME").map(str::to_owned);
    Some((Entry { at, source, host, pid, message }, writ))
}

/// True when a program has root's rights for every user who starts it.
fn runs_as_root(program: &str) -> bool {
    let set_user_id = 0o4000;
    fs::symlink_metadata(program)
        .is_ok_and(|found| found.is_file() && found.uid() == 0 && found.permissions().mode() & set_user_id != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(uid: &str, exe: &str, identifier: &str, message: &str) -> (Entry, Writ) {
        let record = serde_json::json!({
            "_UID": uid, "_EXE": exe, "SYSLOG_IDENTIFIER": identifier, "MESSAGE": message,
            "__REALTIME_TIMESTAMP": "1795300074123456", "_PID": "7", "_HOSTNAME": "testhost",
        });
        entry(record.to_string().as_bytes()).unwrap()
    }

    const ACCEPTED: &str = "pam_twofactor(su:auth): accepted user=alice service=su token=app drift=0";
    const SET_USER_ID: &str = "/usr/bin/su";
    const UNLOCKED: &str = "unlocked user=alice by=root";

    #[test]
    fn a_line_is_believed_by_who_wrote_it() {
        let (entry, writ) = record("0", "/usr/sbin/sshd", "sshd", ACCEPTED);
        assert_eq!((entry.at.to_string().as_str(), entry.pid), ("2026-11-21T22:27:54Z", Some(7)));
        assert_eq!((writ, entry.source), (Writ::OfRoot, Source::Journal));
        let (entry, writ) = record("1000", SET_USER_ID, "su", ACCEPTED);
        assert_eq!((writ, entry.source), (Writ::Seemingly, Source::Unproven));
        let alice = || Writ::Of(Some("1000".to_owned()));
        assert_eq!(record("1000", "/usr/bin/logger", "su", ACCEPTED).1, alice());
        assert_eq!(record("1000", "/no/such/program", "su", ACCEPTED).1, alice());
        assert_eq!(record("0", "/usr/sbin/twofactor", "twofactor", UNLOCKED).1, Writ::OfRoot);
        assert_eq!(record("1000", SET_USER_ID, "twofactor", UNLOCKED).1, alice());
    }

    #[test]
    fn what_is_no_text_or_no_record_is_passed_over() {
        assert!(entry(b"{\"MESSAGE\":[112,97,109],\"SYSLOG_IDENTIFIER\":\"sshd\",\"_UID\":\"0\"}").is_none());
        assert!(entry(b"not json").is_none());
    }
}
