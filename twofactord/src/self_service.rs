//! Users about themselves: the store that has the account, the change, and its line in the log.
//!
//! Invariants: the files of this host are asked on the terms of its configuration. The servers of a fleet judge by theirs, and are asked
//! about users without an account here alone.

use twofactor_core::account::throttle::Source;
use twofactor_core::config::Config;
use twofactor_core::host::clock::{Clock as _, SystemClock, UnixTime};
use twofactor_core::host::user::expiry::{File, KnownExpiry, Shadow};
use twofactor_core::host::user::{Person, SystemUsers, UserName};
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::SshKeyView;
use twofactor_core::store::broker::Broker;
use twofactor_core::store::files::Files;
use twofactor_core::store::self_service::{
    Change, ChangeOutcome, NotChanged, Offer, OwnAccount, Request, SelfService as _,
};
use twofactor_core::store::wire::Message;
use twofactor_core::terms::OwnChanges;

use crate::caller::Caller;
use crate::journal::{self, Asker};

/// A store that users ask about themselves.
pub(crate) trait OwnAccounts {
    /// The account of a user, and what the user may do about it.
    fn own(&self, person: &Person, config: &Config) -> Result<(OwnAccount, Offer), StoreError>;

    /// The ssh keys of a user.
    fn keys(&self, person: &Person) -> Result<Vec<SshKeyView>, StoreError>;

    /// Makes a change.
    fn change(&self, person: &Person, request: Request, config: &Config, now: UnixTime) -> ChangeOutcome;
}

impl OwnAccounts for Files {
    fn own(&self, person: &Person, config: &Config) -> Result<(OwnAccount, Offer), StoreError> {
        let account = self.own_account(person)?;
        let offer = OwnChanges::of(config, &person.name, &SystemUsers, SystemClock.now()?).offer(&account);
        Ok((account, offer))
    }

    fn keys(&self, person: &Person) -> Result<Vec<SshKeyView>, StoreError> {
        self.own_ssh_keys(person)
    }

    fn change(&self, person: &Person, request: Request, config: &Config, now: UnixTime) -> ChangeOutcome {
        let may = OwnChanges::of(config, &person.name, &SystemUsers, now);
        if let Some(not_changed) = may.refusal(&request.change) {
            return not_changed.into();
        }
        if is_closed_to(&request.change, &person.name, now) {
            return NotChanged::Closed.into();
        }
        self.change_own(person, request, &may.terms(Source::claimed()))
    }
}

/// The servers of the fleet, behind the link.
impl OwnAccounts for Broker {
    fn own(&self, person: &Person, _: &Config) -> Result<(OwnAccount, Offer), StoreError> {
        self.own_account(person)
    }

    fn keys(&self, person: &Person) -> Result<Vec<SshKeyView>, StoreError> {
        self.own_ssh_keys(person)
    }

    /// Whether the account of this host is closed is this host's matter.
    fn change(&self, person: &Person, request: Request, _: &Config, now: UnixTime) -> ChangeOutcome {
        if is_closed_to(&request.change, &person.name, now) {
            return NotChanged::Closed.into();
        }
        self.change_for(person, &request)
    }
}

/// The account of a user, and what the user may do about it.
pub(crate) fn own_account(person: &Person, asker: Asker<'_>, config: &Config, store: &impl OwnAccounts) -> Message {
    let answered = store.own(person, config);
    answered.map_or_else(
        |error| failing(person, asker, &error),
        |(account, offer)| Message::answering_own_account(&account, &offer),
    )
}

/// The ssh keys of a user.
pub(crate) fn own_ssh_keys(person: &Person, asker: Asker<'_>, store: &impl OwnAccounts) -> Message {
    let keys = store.keys(person);
    keys.map_or_else(|error| failing(person, asker, &error), |keys| Message::answering_own_ssh_keys(&keys))
}

/// The answer where the store could not be asked. The user learns no more than that; the log says why.
fn failing(person: &Person, asker: Asker<'_>, error: &StoreError) -> Message {
    journal::write_failure(person, asker, error);
    Message::failing(error)
}

/// Makes a change, and writes it down. The answer is an error where nothing was changed.
pub(crate) fn change(
    person: &Person,
    request: Request,
    caller: Caller,
    config: &Config,
    store: &impl OwnAccounts,
) -> Result<Message, Message> {
    let asker = Asker { caller, service: None };
    let line = journal::about_change(person, asker, &request.change);
    let outcome = SystemClock
        .now()
        .map_or_else(|error| StoreError::from(error).into(), |now| store.change(person, request, config, now));
    journal::write_change(person, asker, line, &outcome);
    match outcome.made {
        Ok(Ok(changed)) => Ok(Message::answering_change(&Ok(changed))),
        Ok(Err(not_changed)) => Err(Message::answering_change(&Err(not_changed))),
        Err(error) => Err(Message::failing(&error)),
    }
}

/// True for a change that gives something new, where the account of the host is not known to be open: a process may outlive the day on
/// which it was.
fn is_closed_to(change: &Change, user: &UserName, now: UnixTime) -> bool {
    let gives = matches!(change, Change::Enroll(_) | Change::Token(_) | Change::AddSshKey { .. });
    gives && !is_open(user, now)
}

fn is_open(user: &UserName, now: UnixTime) -> bool {
    match Shadow::of_host().known(user, now) {
        Ok(KnownExpiry::All(closed)) => closed.is_none(),
        // Users of a directory have none.
        Ok(KnownExpiry::AskHelper(File::HasNoEntry)) => true,
        Ok(KnownExpiry::AskHelper(File::Unread)) | Err(_) => false,
    }
}
