//! `twofactor state`: which state belongs to this host, and its accounts to whom.

mod uids;

use std::fmt::Write as _;

use serde_json::{Value, json};
use twofactor_core::host::trusted::FileError;
use twofactor_core::log::record::{Event, Record};
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{Identity, Marking, Naming, Sighting};
use twofactor_core::store::files::FilesError;

use crate::args::state::{Adopt, State};
use crate::error::Failure;
use crate::host::{Host, administers_central};
use crate::journal;
use crate::output::{self, Output};
use crate::terminal::{self, Yes};

pub(crate) fn run(arguments: &State, host: &Host, output: &Output) -> Result<(), Failure> {
    if administers_central() {
        // The refusal of a store that is no host's.
        host.accounts.sighting()?;
    }
    match arguments {
        State::Adopt(arguments) => adopt(arguments, host, output),
        State::AdoptUids(arguments) => uids::run(arguments, host, output),
        State::Mark(_) => mark(host, output),
    }
}

fn adopt(arguments: &Adopt, host: &Host, output: &Output) -> Result<(), Failure> {
    if host.config.marker.is_none() {
        return mark(host, output);
    }
    let seen = host.accounts.sighting()?;
    if let (true, Ok(Some(identity))) = (seen.is_ours(), &seen.marker) {
        let text = || format!("{} is the state of this host already.\n", host.config.state.display());
        return Ok(output.done(text, || as_json(host, identity, &seen))?);
    }
    if !arguments.yes {
        ask(&seen, host)?;
    }
    let identity = host.accounts.adopt()?;
    journal::write(Record::new(Event::StateAdopted).with("state", host.config.state.display()).with("id", &identity));
    let text = || format!("{} is the state of this host.\n", host.config.state.display());
    Ok(output.done(text, || as_json(host, &identity, &seen))?)
}

fn mark(host: &Host, output: &Output) -> Result<(), Failure> {
    let marking = host.accounts.claim_if_used()?;
    let text = match (&host.config.marker, marking) {
        (None, _) => "Any state is used: the configuration is in no folder called twofactor.\n".to_owned(),
        (Some(marker), Marking::Done) => format!("{} names the state of this host.\n", marker.display()),
        (Some(_), Marking::NothingToMark) => "Nothing is kept yet.\n".to_owned(),
        (Some(marker), Marking::Unmarked(error)) => {
            output::warning(&error.to_string());
            format!("{} could not be written.\n", marker.display())
        }
    };
    Ok(output.done(|| text, || json!({ "state": host.config.state, "marker": host.config.marker }))?)
}

/// Says what is there, and asks.
fn ask(seen: &Sighting, host: &Host) -> Result<(), Failure> {
    if !terminal::is_interactive() {
        return Err(Failure::CannotAsk);
    }
    let mut text = String::new();
    if let Some(marker) = &host.config.marker {
        let _ = writeln!(text, "{}: {}", marker.display(), in_words(&seen.marker));
    }
    let state = host.config.state.display();
    let _ = writeln!(text, "{state}: {}", in_words(&seen.copy));
    match &seen.users {
        Ok(Some(Naming::Named)) => {}
        Ok(Some(Naming::Unnamed)) => drop(writeln!(text, "{state}/users: no identity yet")),
        Ok(None) => drop(writeln!(text, "{state}/users: not there")),
        Err(error) => drop(writeln!(text, "{state}/users: {error}")),
    }
    let _ = writeln!(
        text,
        "{}",
        match (seen.has_folder, seen.has_accounts) {
            (false, _) => "There is no such folder: is it not mounted? No user would count as enrolled.",
            (true, false) => "It holds no account: is it not mounted? No user would count as enrolled.",
            (true, true) => "It holds accounts. Their users log in with what stands there.",
        }
    );
    match terminal::ask_yes(&format!("{text}Make it the state of this host? [y/N] "))? {
        Yes::Yes => Ok(()),
        Yes::No => Err(Failure::Declined),
    }
}

fn in_words(identity: &Result<Option<Identity>, StoreError>) -> String {
    match identity {
        Ok(Some(identity)) => format!("identity {identity}"),
        Ok(None) => "no identity".to_owned(),
        Err(error) => match FilesError::of(error) {
            Some(FilesError::File(FileError::Unsafe { problem, .. })) => problem.clone(),
            _ => error.to_string(),
        },
    }
}

fn as_json(host: &Host, identity: &Identity, seen: &Sighting) -> Value {
    json!({
        "state": host.config.state,
        "marker": host.config.marker,
        "id": identity.to_string(),
        "has_accounts": seen.has_accounts,
    })
}
