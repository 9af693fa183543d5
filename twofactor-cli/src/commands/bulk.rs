//! `twofactor enroll --from FILE --qr-dir FOLDER`: many users at once, each with a file for the QR code and one for the recovery
//! codes.
//!
//! Invariants: a user's files are on disk before the account is changed, and go away again when it was not. No secret is
//! printed. A user who is enrolled is left as is, so the command can be repeated after a failure. A user who cannot be
//! enrolled does not keep the others from it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use twofactor_core::codes::token::Serial;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{EnrollError, Existing};

use crate::args::Enroll;
use crate::commands::enroll::{new_recovery_codes, propose, refuse_conflicts};
use crate::commands::list_file;
use crate::error::Failure;
use crate::host::{self, Host};
use crate::journal;
use crate::output::values::{counted, listed};
use crate::output::{self, Format, Output};
use crate::qr::{self, ImageFormat, QrFile};

pub(crate) fn run(arguments: &Enroll, host: &Host, output: &Output) -> Result<(), Failure> {
    let (Some(path), Some(folder)) = (&arguments.from, &arguments.qr_dir) else { return Ok(()) };
    let text = list_file::read(path)?;
    let users = users(&text);
    if users.is_empty() {
        return Err(Failure::NoUsers(path.clone()));
    }
    prepare(folder)?;
    let mut results = Vec::with_capacity(users.len());
    for typed in users {
        let outcome = enroll(typed, arguments, folder, host, output);
        let result = UserResult { typed, outcome };
        if output.format() == Format::Text {
            output.report_lines(|| result.line(), || Value::Null)?;
        }
        results.push(result);
    }
    output.report_json(|| results.iter().map(|result| result.as_json(arguments)).collect())?;
    let count =
        |is: fn(&Outcome) -> bool| results.iter().filter(|result| result.outcome.as_ref().is_ok_and(is)).count();
    let enrolled = count(|outcome| matches!(outcome, Outcome::Enrolled { .. }));
    let already = count(|outcome| matches!(outcome, Outcome::Already));
    let failed = results.len() - enrolled - already;
    output.explain(&format!(
        "{}: {enrolled} enrolled, {already} enrolled before, {failed} failed",
        counted(results.len() as u64, "user")
    ));
    if enrolled > 0 {
        output.explain(&format!("{} holds secrets: remove the files when the users have them", folder.display()));
    }
    if failed == 0 { Ok(()) } else { Err(Failure::SomeNotEnrolled { failed, all: results.len() }) }
}

/// The result for one user.
struct UserResult<'t> {
    typed: &'t str,
    outcome: Result<Outcome, Failure>,
}

enum Outcome {
    Enrolled {
        serial: Serial,
        qr_file: PathBuf,
        recovery_file: Option<PathBuf>,
    },
    /// The user has a confirmed app of that label.
    Already,
}

impl UserResult<'_> {
    fn line(&self) -> String {
        match &self.outcome {
            Ok(Outcome::Enrolled { qr_file, .. }) => format!("{}: enrolled, {}\n", self.typed, qr_file.display()),
            Ok(Outcome::Already) => format!("{}: enrolled before, left as it is\n", self.typed),
            Err(failure) => {
                // What was typed may hold anything.
                format!(
                    "{}: not enrolled: {}\n",
                    output::printable(self.typed, LONGEST_NAME),
                    output::printable(&failure.lines().join("; "), usize::MAX)
                )
            }
        }
    }

    fn as_json(&self, arguments: &Enroll) -> Value {
        let (outcome, problem) = match &self.outcome {
            Ok(Outcome::Enrolled { .. }) => ("enrolled", None),
            Ok(Outcome::Already) => ("enrolled-before", None),
            Err(failure) => ("failed", Some(failure.lines().join("; "))),
        };
        let (serial, qr_file, recovery_file) = match &self.outcome {
            Ok(Outcome::Enrolled { serial, qr_file, recovery_file }) => {
                (Some(serial.as_str()), Some(qr_file), recovery_file.as_ref())
            }
            _ => (None, None, None),
        };
        let name = |path: &PathBuf| path.display().to_string();
        json!({
            "user": self.typed,
            "outcome": outcome,
            "label": arguments.label.as_str(),
            "serial": serial,
            "qr_file": qr_file.map(name),
            "recovery_file": recovery_file.map(name),
            "problem": problem,
        })
    }
}

fn enroll(typed: &str, arguments: &Enroll, folder: &Path, host: &Host, output: &Output) -> Result<Outcome, Failure> {
    let person = if arguments.is_local() { host::known_person(typed)? } else { host.person_to_equip(typed)? };
    let user = &person.name;
    host.accounts.check_owner(&person)?;
    let status = host.accounts.status(user)?;
    match refuse_conflicts(user, status.as_ref(), arguments) {
        Err(Failure::Enroll(EnrollError::AlreadyEnrolled(..))) => return Ok(Outcome::Already),
        other => other?,
    }
    let proposal = propose(user, arguments, host, output)?;
    let codes = new_recovery_codes(status.as_ref(), arguments, host)?;
    let format = arguments.qr_format.unwrap_or(ImageFormat::Png);
    let qr_file = folder.join(format!("{user}.{}", format.extension()));
    let qr = QrFile::of(qr_file.clone(), format).write(&proposal.uri())?;
    let mut recovery = None;
    if let Some(codes) = codes.as_deref().filter(|codes| !codes.is_empty()) {
        let path = folder.join(format!("{user}.recovery.txt"));
        recovery = Some((qr::create(path.clone(), listed(codes).as_bytes())?, path));
    }
    let app = proposal.vouch();
    let (label, serial) = (app.token().label.clone(), app.token().serial.clone());
    host.accounts.enroll(&person, app, codes.as_deref(), Existing::Keep)?;
    qr.keep();
    let recovery_file = recovery.map(|(file, path)| {
        file.keep();
        path
    });
    journal::write(journal::about(Event::Enrolled, user).with("token", &label));
    Ok(Outcome::Enrolled { serial, qr_file, recovery_file })
}

/// Makes the folder for root alone, or makes sure that it is.
fn prepare(folder: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::OutputFile { path: folder.to_owned(), error };
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => return other.map_err(failed),
    }
    let metadata = fs::metadata(folder).map_err(failed)?;
    if !metadata.is_dir() {
        return Err(failed(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    if metadata.uid() != 0 || metadata.mode() & 0o077 != 0 {
        return Err(Failure::FolderOfOthers(folder.to_owned()));
    }
    Ok(())
}

/// The longest text that is shown of a line that is no user's name.
const LONGEST_NAME: usize = 64;

/// One user a line; blank lines and `#` comments are allowed.
fn users(text: &str) -> Vec<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines()
        .map(|line| line.split(" #").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_comments_blank_lines_and_line_ends_of_any_kind() {
        let text = "\u{feff}# new in May\r\nalice\r\n\n  bob   # on leave\n#carol\nda#vid";
        assert_eq!(users(text), ["alice", "bob", "da#vid"]);
        assert!(users("# only\n").is_empty());
    }
}
