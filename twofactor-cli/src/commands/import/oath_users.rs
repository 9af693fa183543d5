//! `twofactor import oath-users FILE`: all users of a file of pam_oath.

use std::path::Path;

use twofactor_admin::moving_in::oath_users::read;
use twofactor_core::host::clock::UnixTime;

use super::taking_over::{Candidate, take_over};
use crate::args::import::OathUsers;
use crate::commands::list_file;
use crate::error::{Failure, MovingInFailure};
use crate::host::Host;
use crate::output::Output;

/// Its name in the log.
pub(super) const SYSTEM: &str = "oath-users";

pub(super) fn run(arguments: &OathUsers, host: &Host, output: &Output) -> Result<(), Failure> {
    let candidates = candidates(&arguments.file, arguments.user.as_deref(), host.now()?)?;
    if let (Some(user), true) = (&arguments.user, candidates.is_empty()) {
        return Err(MovingInFailure::NotInFile { path: arguments.file.clone(), user: user.clone() }.into());
    }
    take_over(SYSTEM, candidates, &arguments.taking, host, output)
}

/// The users of a file, or the one who is wanted, and its lines that name none.
pub(super) fn candidates(file: &Path, wanted: Option<&str>, now: UnixTime) -> Result<Vec<Candidate>, Failure> {
    let text = zeroize::Zeroizing::new(list_file::read(file)?);
    let found = read(text.as_bytes(), now);
    let place = |line: usize| format!("{}:{line}", file.display());
    let mut candidates: Vec<(usize, Candidate)> = found
        .users
        .into_iter()
        .filter(|(user, _)| wanted.is_none_or(|wanted| wanted == user.as_str()))
        .map(|(user, (line, arrival))| {
            (line, Candidate { name: user.to_string(), place: place(line), account: Ok(arrival) })
        })
        .collect();
    candidates.extend(found.rejected.into_iter().map(|(line, error)| {
        let failure = MovingInFailure::Line { path: file.to_owned(), line, error }.into();
        (line, Candidate { name: format!("line {line}"), place: place(line), account: Err(failure) })
    }));
    candidates.sort_unstable_by_key(|(line, _)| *line);
    Ok(candidates.into_iter().map(|(_, candidate)| candidate).collect())
}
