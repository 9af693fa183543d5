//! `twofactor log`: who logged in, who was refused and what sysadmins did, from wherever it was written down.
//!
//! What may be read is decided by the files: root sees everything, a member of the group `adm` what the syslog daemon lets it
//! see. Whatever is left out is said.

mod files;
mod history;
mod journal;
mod listing;
mod problem;
mod zone;

use std::collections::VecDeque;
use std::path::Path;

use nix::unistd::geteuid;
use twofactor_admin::logbook::merge::Merge;
use twofactor_admin::logbook::{Entry, Wanted};
use twofactor_core::host::clock::{Clock as _, SystemClock};
use twofactor_core::host::user::{SystemUsers, UserDatabase as _, UserName};
use twofactor_core::log::record::Event;
use twofactor_core::store;
use twofactor_core::store::administration::TokenViews as _;

use crate::args::Log;
use crate::commands::log::listing::Listing;
use crate::commands::log::problem::Problem;
use crate::commands::log::zone::HostZone;
use crate::error::Failure;
use crate::host::configuration;
use crate::output::{Output, Reader, warning};

pub(super) fn run(arguments: &Log, config: Option<&Path>, output: &Output) -> Result<(), Failure> {
    let zone = HostZone::of_this_host();
    let (wanted, user) = wanted(arguments, &zone)?;
    let history = history(config, &wanted)?;
    let logs = logs(&wanted, &zone)?;
    let mut listing = Listing::new(arguments.json_lines, output);
    let entries = Merge::new(history.into_iter().chain(logs).collect());
    let shown = match arguments.lines {
        None => listing.add_all(entries)?,
        Some(count) => listing.add_all(last(entries, usize::try_from(count).unwrap_or(usize::MAX)))?,
    };
    if shown == Reader::Gone {
        return Ok(());
    }
    if listing.is_empty()
        && let (User::Stranger, Some(typed)) = (user, &arguments.user)
    {
        return Err(Failure::UnknownUser(typed.clone()));
    }
    listing.finish(output)
}

/// Entries on their way.
type Entries<'s> = Box<dyn Iterator<Item = Entry> + 's>;

/// The host's knowledge of the user. A stranger may have tried to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum User {
    Known,
    Stranger,
}

fn wanted(arguments: &Log, zone: &HostZone) -> Result<(Wanted, User), Failure> {
    let now = SystemClock.now()?;
    let moment = |when| zone.moment_of(when, now);
    let mut events = arguments.event.clone();
    if arguments.denied {
        events.push(Event::Denied);
    }
    let canonical = arguments.user.as_deref().map(|typed| SystemUsers.canonical(typed)).transpose()?.flatten();
    let known = if arguments.user.is_some() && canonical.is_none() { User::Stranger } else { User::Known };
    let user = arguments.user.iter().cloned().chain(canonical.as_ref().map(UserName::to_string)).collect();
    let (since, until) = (arguments.since.map(moment), arguments.until.map(moment));
    Ok((Wanted { user, since, until, events, service: arguments.service.clone() }, known))
}

/// The registry's history. A configuration that a login would choke on must not hide the log that says so.
fn history<'s>(config: Option<&Path>, wanted: &'s Wanted) -> Result<Option<Entries<'s>>, Failure> {
    if !geteuid().is_root() {
        warning("the registry's history is left out: only root can read it");
        return Ok(None);
    }
    let config = match (configuration(config), config) {
        (Ok(config), _) => config,
        (Err(error), Some(_)) => return Err(error.into()),
        (Err(error), None) => {
            warning(&format!("the registry's history is left out: {}", error.lines().join("; ")));
            return Ok(None);
        }
    };
    let accounts = store::open(&config, SystemClock);
    match accounts.history() {
        Ok(history) => Ok(history.map(|history| -> Entries<'s> { Box::new(history::entries(history, wanted)) })),
        Err(error) => {
            warning(&format!("the registry's history is left out: {error}"));
            Ok(None)
        }
    }
}

/// The entries of the journal and of the files of a syslog daemon. Some of it must be readable.
fn logs<'s>(wanted: &'s Wanted, zone: &'s HostZone) -> Result<Vec<Entries<'s>>, Failure> {
    let mut logs: Vec<Entries<'s>> = Vec::new();
    let mut problems = Vec::new();
    match journal::open(wanted) {
        Ok(journal) => logs.push(Box::new(journal)),
        Err(problem) => problems.push(problem),
    }
    for family in files::families(&mut problems) {
        logs.push(Box::new(family.entries(wanted, zone)));
    }
    if logs.is_empty() {
        let denied = problems.iter().any(Problem::is_denied);
        return Err(Failure::NoLog { looked: problems.iter().map(ToString::to_string).collect(), denied });
    }
    for problem in problems.iter().filter(|problem| !matches!(problem, Problem::NotThere(_))) {
        warning(&format!("left out: {problem}"));
    }
    Ok(logs)
}

/// The last entries, which are known at the end only.
fn last(entries: impl Iterator<Item = Entry>, count: usize) -> VecDeque<Entry> {
    let mut last = VecDeque::new();
    for entry in entries {
        if last.len() == count {
            last.pop_front();
        }
        last.push_back(entry);
    }
    last
}
