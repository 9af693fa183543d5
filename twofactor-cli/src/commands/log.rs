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
use twofactor_core::host::clock::{Clock as _, SystemClock, UnixTime};
use twofactor_core::host::user::{SystemUsers, UserDatabase as _, UserName};
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{AdministeredStore, HistoryPart};

use crate::args::Log;
use crate::commands::log::listing::Listing;
use crate::commands::log::problem::Problem;
use crate::commands::log::zone::HostZone;
use crate::error::Failure;
use crate::host::{Host, administers_central, configuration, open_store};
use crate::output::{Output, Reader, warning};

pub(super) fn run(arguments: &Log, config: Option<&Path>, output: &Output) -> Result<(), Failure> {
    let zone = HostZone::of_this_host();
    let (mut wanted, user) = wanted(arguments, &zone)?;
    let accounts = registry(config)?;
    if let Some(accounts) = accounts.as_ref().filter(|_| !wanted.user.is_empty()) {
        wanted.former = former_names(&wanted.user, accounts.as_ref());
    }
    let history = accounts.and_then(|accounts| history(accounts.as_ref(), &wanted, arguments.lines));
    let logs = match logs(&wanted, &zone) {
        // The audit of the central store is there all the same.
        Err(error) if administers_central() => {
            warning(&format!("left out: {error}"));
            Vec::new()
        }
        logs => logs?,
    };
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
    let service = arguments.service.clone();
    Ok((Wanted { user, former: Vec::new(), since, until, events, service }, known))
}

/// The names that a user had before, by the renames in the registry's history. That it cannot be read is said where it is shown.
fn former_names(user: &[String], accounts: &dyn AdministeredStore) -> Vec<(String, UnixTime)> {
    let renames = Wanted { events: vec![Event::AccountRenamed], ..Wanted::default() };
    let Ok(Some(history)) = accounts.history(&part_of(&renames, None)) else { return Vec::new() };
    let renames: Vec<Entry> = history::entries(history, &renames).collect();
    let mut former: Vec<(String, UnixTime)> = Vec::new();
    // From the last to the first: the name that a rename gave may be the former one of a later rename.
    for rename in renames.iter().rev() {
        let (Some(now), Some(before)) = (rename.message.value("user"), rename.message.value("user_before")) else {
            continue;
        };
        let is_theirs = |(name, until): &(String, UnixTime)| name == now && rename.at <= *until;
        if user.iter().any(|name| name == now) || former.iter().any(is_theirs) {
            former.push((before.to_owned(), rename.at));
        }
    }
    former
}

/// The store, for the registry's history. A configuration that a login would choke on must not hide the log that says so.
fn registry(config: Option<&Path>) -> Result<Option<Box<dyn AdministeredStore>>, Failure> {
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
    Ok(Some(open_store(&config)?))
}

/// The registry's history. Of the last `lines` of all entries, it has no more.
fn history<'s>(accounts: &dyn AdministeredStore, wanted: &'s Wanted, lines: Option<u32>) -> Option<Entries<'s>> {
    match accounts.history(&part_of(wanted, lines)) {
        Ok(history) => history.map(|history| -> Entries<'s> { Box::new(history::entries(history, wanted)) }),
        Err(error) => {
            warning(&format!("the registry's history is left out: {error}"));
            None
        }
    }
}

/// The part of a history that holds all that is wanted.
fn part_of(wanted: &Wanted, lines: Option<u32>) -> HistoryPart {
    let Wanted { user, former, since, until, events, service } = wanted;
    let users = user.iter().chain(former.iter().map(|(name, _)| name)).cloned().collect();
    // The last of them are known beforehand where nothing else is left out afterwards.
    let last = lines.filter(|_| former.is_empty() && service.is_none());
    HistoryPart { since: *since, until: *until, users, events: events.clone(), last }
}

/// Hands out the entries of the registry's history and of the logs that are asked for, by time. An error where no log can
/// be read; the history has been handed out then all the same.
pub(super) fn each_entry(host: &Host, wanted: &Wanted, take: &mut dyn FnMut(Entry)) -> Result<(), Failure> {
    let zone = HostZone::of_this_host();
    let history = history(&*host.accounts, wanted, None);
    let (logs, read) = match logs(wanted, &zone) {
        Ok(logs) => (logs, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    };
    Merge::new(history.into_iter().chain(logs).collect()).for_each(take);
    read
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
