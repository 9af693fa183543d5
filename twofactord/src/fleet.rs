//! Questions of programs without root on a host of a fleet: about users without an account in this host's files, the link is asked.
//!
//! Invariants: accounts of this host come first, and one that cannot be read is no reason to ask elsewhere. The fleet's users make no
//! account here: local accounts come first, so one would be judged here for good. Root's `enroll --local` makes them.

use std::path::Path;
use std::time::Duration;

use twofactor_core::config::Config;
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::UserName;
use twofactor_core::log::reason::Reason;
use twofactor_core::store::broker::{Broker, LINK};
use twofactor_core::store::wire::{About, Call};
use twofactor_core::store::{Presence, Store, StoreError};

use crate::caller::Refusal;

/// The longest wait for the link, which gives up before. The program that has asked waits a little longer.
const PATIENCE: Duration = Duration::from_secs(11);

/// The link, for a question of a program without root that the fleet's servers answer; `None` for one that this host answers.
pub(crate) fn link_for(call: &Call, config: &Config, store: &impl Store) -> Result<Option<Broker>, StoreError> {
    if config.membership.is_none() {
        return Ok(None);
    }
    let is_of_the_fleet = match call.about() {
        About::Name(user) => is_absent(user, store)?,
        About::Person(person) => is_absent(&person.name, store)?,
        // As for a user of the fleet, who are most.
        About::Nobody => matches!(call, Call::Pretend(_)),
    };
    Ok(is_of_the_fleet.then(|| Broker::link(Path::new(LINK), Owner::ROOT, PATIENCE).for_a_user()))
}

fn is_absent(user: &UserName, store: &impl Store) -> Result<bool, StoreError> {
    Ok(matches!(store.presence(user)?, Presence::Absent(_)))
}

/// The refusal of what would make or change an account of this machine where accounts are those of a fleet.
pub(crate) fn refusal<'c>(
    call: &'c Call,
    config: &Config,
    store: &impl Store,
) -> Option<(Option<&'c UserName>, Refusal)> {
    if config.membership.is_none() && config.central_store.is_none() {
        return None;
    }
    let refusal = |user, hint: &str| {
        let problem = "accounts are in the central store of a fleet".to_owned();
        Some((user, Refusal { reason: Reason::NotRoot, problem, hint: hint.to_owned(), is_logged: true }))
    };
    match call {
        Call::Help(_) => refusal(None, "as root, on the central machine: twofactor"),
        // The servers answer them.
        Call::OwnAccount(_) | Call::OwnSshKeys(_) | Call::ChangeOwn(..) if config.membership.is_some() => None,
        Call::OwnAccount(person)
        | Call::OwnSshKeys(person)
        | Call::ChangeOwn(person, _)
        | Call::StoreApp(person, _)
        | Call::Register(person, ..)
        | Call::CheckRegistration(person, _)
            if matches!(store.presence(&person.name), Ok(Presence::Absent(_))) =>
        {
            refusal(Some(&person.name), "twofactor, as root on the central machine")
        }
        _ => None,
    }
}
