//! `doctor --fix`: what is mended before the host is looked at. What that is, and that it is safe, is the store's business.

use std::path::Path;

use twofactor_core::account::lifecycle::TokenStatus;
use twofactor_core::host::clock::{Clock as _, SystemClock};
use twofactor_core::log::record::{Event, Record};
use twofactor_core::store;
use twofactor_core::store::administration::Author;
use twofactor_core::store::administration::{Repair, StateRepair as _};

use super::configuration;
use crate::output::values::counted;
use crate::{journal, output};

/// Mends what can be mended, writes it to the log, and gives it in words.
pub(super) fn make(named: Option<&Path>) -> Vec<String> {
    let (_, source) = configuration::look(named);
    // Where the state is, a configuration that is wrong does not say.
    let Some(config) = &source.config else {
        output::warning("nothing was fixed: the configuration is wrong");
        return Vec::new();
    };
    let at = match SystemClock.now() {
        Ok(now) => now,
        Err(error) => {
            output::warning(&format!("nothing was fixed: {error}"));
            return Vec::new();
        }
    };
    let who = journal::actor_or_root();
    let accounts = store::open(config, SystemClock);
    let mut repairs = accounts.repair(Author { who: &who, at });
    if !config.helpdesks.is_empty() {
        match accounts.make_registry() {
            Ok(made) => repairs.done.extend(made),
            Err(error) => repairs.problems.push(error),
        }
    }
    for problem in &repairs.problems {
        output::warning(&format!("not everything could be fixed: {problem}"));
    }
    journal::write_all(repairs.done.iter().map(record));
    repairs.done.iter().map(in_words).collect()
}

fn record(repair: &Repair) -> Record {
    match repair {
        Repair::SetAside(path) => journal::about_set_aside(path),
        Repair::RegistryMade(path) => Record::new(Event::Repaired).with("registry_made", path.display()),
        Repair::Migrated { user, before, now } => {
            journal::about(Event::Repaired, user).with("tokens_before", before).with("tokens", now)
        }
        Repair::TokenGiven(user, serial) => journal::about_token(Event::Assigned, serial).with("user", user),
        Repair::TokenTaken(user, serial) => journal::about_token(Event::Unassigned, serial).with("user", user),
        Repair::TokenStatus(user, serial, status) => {
            let event = match status {
                TokenStatus::Good => Event::Enabled,
                TokenStatus::Disabled => Event::Disabled,
                TokenStatus::Lost => Event::Lost,
                TokenStatus::Revoked => Event::Revoked,
            };
            journal::about_token(event, serial).with("user", user)
        }
        Repair::TokenCodes(user, serial) => journal::about_token(Event::Repaired, serial).with("user", user),
    }
}

fn in_words(repair: &Repair) -> String {
    match repair {
        Repair::SetAside(path) => format!("set aside what could not be used beside the registry: {}", path.display()),
        Repair::RegistryMade(path) => format!("made {}, a registry without tokens", path.display()),
        Repair::Migrated { user, now, .. } => {
            format!("{} of {user} moved into the user's own file", counted(*now as u64, "physical token"))
        }
        Repair::TokenGiven(user, serial) => format!("token {serial} is assigned to {user}: that was interrupted"),
        Repair::TokenTaken(user, serial) => format!("token {serial} is not assigned to {user} any more"),
        Repair::TokenStatus(user, serial, status) => {
            format!("token {serial} of {user} is {} in the user's file and in the registry", status.word())
        }
        Repair::TokenCodes(user, serial) => format!("token {serial} of {user} has the parameters of the registry"),
    }
}
