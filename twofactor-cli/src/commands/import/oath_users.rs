//! `twofactor import oath-users FILE`: all users of a file of pam_oath.

use twofactor_admin::moving_in::oath_users::read;

use super::taking_over::{Candidate, take_over};
use crate::args::import::OathUsers;
use crate::commands::list_file;
use crate::error::{Failure, MovingInFailure};
use crate::host::Host;
use crate::output::Output;

pub(super) fn run(arguments: &OathUsers, host: &Host, output: &Output) -> Result<(), Failure> {
    let text = zeroize::Zeroizing::new(list_file::read(&arguments.file)?);
    let found = read(text.as_bytes(), host.now()?);
    let place = |line: usize| format!("{}:{line}", arguments.file.display());
    let mut candidates: Vec<(usize, Candidate)> = found
        .users
        .into_iter()
        .filter(|(user, _)| arguments.user.as_deref().is_none_or(|wanted| wanted == user.as_str()))
        .map(|(user, (line, arrival))| {
            (line, Candidate { name: user.to_string(), place: place(line), account: Ok(arrival) })
        })
        .collect();
    candidates.extend(found.rejected.into_iter().map(|(line, error)| {
        let failure = MovingInFailure::Line { path: arguments.file.clone(), line, error }.into();
        (line, Candidate { name: format!("line {line}"), place: place(line), account: Err(failure) })
    }));
    candidates.sort_unstable_by_key(|(line, _)| *line);
    let candidates = candidates.into_iter().map(|(_, candidate)| candidate).collect();
    take_over("oath-users", candidates, &arguments.taking, host, output)
}
