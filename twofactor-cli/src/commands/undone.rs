//! Acts that a restore has undone, as far as this host still knows them by its log and its state. Each is looked up in the
//! restored store, and named only where it is undone.

use std::collections::HashSet;

use serde_json::{Value, json};
use twofactor_admin::backup::{EVENTS, LaterAct, LaterActs, Subject};
use twofactor_admin::logbook::Wanted;
use twofactor_core::account::EnrolledKey;
use twofactor_core::account::lifecycle::Stage;
use twofactor_core::codes::token::Serial;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::shell::quoted;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{AdministeredStore, Destination, Restored};
use twofactor_core::store::{Presence, StoreError};

use super::log;
use crate::host::Host;
use crate::output::values::counted;

/// The log of this host as a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Log {
    Read,
    Absent,
}

/// Everything undone that is known.
#[derive(Debug)]
pub(super) struct Undone {
    pub(super) acts: Vec<UndoneAct>,
    /// The number of acts in the log for which there was no room.
    pub(super) left_out: u64,
    pub(super) log: Log,
}

/// An act that a restore has undone.
#[derive(Debug)]
pub(super) struct UndoneAct {
    /// Its time, where the log says it.
    at: Option<UnixTime>,
    subject: Subject,
    event: Event,
    /// The act in words.
    pub(super) words: String,
    /// The command that does it again.
    pub(super) again: String,
}

/// Looks for acts since the backup of `at`.
pub(super) fn since(at: UnixTime, restored: &Restored, destination: Destination, host: &Host) -> Undone {
    let wanted = Wanted { since: Some(at), events: EVENTS.to_vec(), ..Wanted::default() };
    let mut later = LaterActs::default();
    let log = match log::each_entry(host, &wanted, &mut |entry| later.take(&entry)) {
        Ok(()) => Log::Read,
        Err(_) => Log::Absent,
    };
    let left_out = later.left_out;
    let accounts = &*host.accounts;
    let returned = Returned { accounts, users: restored.users.iter().map(UserName::as_str).collect(), destination };
    // What cannot be looked up may be undone.
    let mut acts: Vec<UndoneAct> =
        later.into_acts().filter(|act| returned.undoes(act).unwrap_or(true)).map(UndoneAct::of).collect();
    for user in &restored.reset_here {
        let subject = Subject::User(user.to_string());
        if !acts.iter().any(|act| act.subject == subject && act.event == Event::Reset) {
            acts.push(UndoneAct::of_a_reset_without_time(user));
        }
    }
    Undone { acts, left_out, log }
}

/// The restored store, to look acts up in.
struct Returned<'r> {
    accounts: &'r dyn AdministeredStore,
    /// The users whose accounts came back.
    users: HashSet<&'r str>,
    destination: Destination,
}

impl Returned<'_> {
    /// True when the store is as it was before the act.
    fn undoes(&self, act: &LaterAct) -> Result<bool, StoreError> {
        match &act.subject {
            Subject::User(name) => self.undoes_of_user(name, act.event),
            Subject::SshKey(name, key) => {
                let Some(user) = self.returned(name) else { return Ok(false) };
                let status = self.accounts.status(&user)?;
                let is_it = |enrolled: &EnrolledKey| enrolled.key.fingerprint().to_string() == *key;
                Ok(status.is_some_and(|status| status.ssh_keys.iter().any(is_it)))
            }
            Subject::Token(serial) => self.undoes_of_token(serial, act),
            Subject::Series(name) => Ok(self.accounts.series(name)?.is_some()),
        }
    }

    fn returned(&self, name: &str) -> Option<UserName> {
        self.users.contains(name).then(|| UserName::new(name).ok()).flatten()
    }

    fn undoes_of_user(&self, name: &str, event: Event) -> Result<bool, StoreError> {
        let Some(user) = self.returned(name) else { return Ok(false) };
        let has_recovery = || Ok(self.accounts.status(&user)?.is_some_and(|status| status.recovery_left > 0));
        match event {
            Event::Reset => Ok(matches!(self.accounts.presence(&user)?, Presence::Enrolled)),
            // A host in use still knows which of them were used.
            Event::Accepted => Ok(self.destination == Destination::Empty && has_recovery()?),
            Event::RecoveryReplaced => has_recovery(),
            Event::InvitationRevoked => Ok(self.accounts.newcomer(&user)?.is_some()),
            _ => Ok(false),
        }
    }

    fn undoes_of_token(&self, serial: &str, act: &LaterAct) -> Result<bool, StoreError> {
        let Some(serial) = Serial::new(serial) else { return Ok(false) };
        let Some(token) = self.accounts.token(&serial)? else { return Ok(false) };
        let owner = token.owner.as_ref().map(UserName::as_str);
        Ok(match act.event {
            Event::Disabled => !matches!(token.stage, Stage::Disabled | Stage::Lost | Stage::Revoked),
            Event::Lost => !matches!(token.stage, Stage::Lost | Stage::Revoked),
            Event::Revoked => token.stage != Stage::Revoked,
            Event::Deleted => true,
            Event::Unassigned => owner.is_some(),
            Event::Assigned => owner != act.owner.as_deref() && token.stage != Stage::Revoked,
            _ => false,
        })
    }
}

impl UndoneAct {
    fn of(act: LaterAct) -> Self {
        let LaterAct { at, subject, event, owner, count } = act;
        let owner = owner.unwrap_or_else(|| "its owner".to_owned());
        let (words, again) = match (&subject, event) {
            (Subject::User(user), Event::Accepted) => {
                let verb = if count == 1 { "was used" } else { "were used, the last one" };
                (format!("{} of {user} {verb}", counted(count, "recovery code")), format!("recovery {}", quoted(user)))
            }
            (Subject::User(user), Event::RecoveryReplaced) => {
                (format!("the recovery codes of {user} were replaced"), format!("recovery {}", quoted(user)))
            }
            (Subject::User(user), Event::InvitationRevoked) => {
                (format!("the invitation of {user} was taken back"), format!("invite --revoke {}", quoted(user)))
            }
            (Subject::User(user), _) => (format!("{user} was reset"), format!("reset {}", quoted(user))),
            (Subject::SshKey(user, key), _) => {
                (format!("the ssh key {key} of {user} was removed"), format!("ssh-key remove {} {key}", quoted(user)))
            }
            (Subject::Series(name), _) => {
                (format!("the series {name} was deleted"), format!("series delete {}", quoted(name)))
            }
            (Subject::Token(serial), event) => {
                let (done, verb) = match event {
                    Event::Disabled => ("was disabled".to_owned(), "disable"),
                    Event::Lost => ("was reported lost".to_owned(), "lost"),
                    Event::Revoked => ("was revoked".to_owned(), "revoke"),
                    Event::Unassigned => (format!("was taken from {owner}"), "unassign"),
                    Event::Assigned => (format!("was assigned to {owner}"), "show"),
                    _ => ("was deleted".to_owned(), "delete"),
                };
                (format!("token {serial} {done}"), format!("token {verb} {}", quoted(serial)))
            }
        };
        let words = format!("{} at {at}", words.escape_debug());
        Self { at: Some(at), subject, event, words, again: format!("twofactor {again}") }
    }

    fn of_a_reset_without_time(user: &UserName) -> Self {
        let words = format!("{user} had no second factor on this host any more, and its log does not say since when");
        let again = format!("twofactor reset {}", quoted(user.as_str()));
        Self { at: None, subject: Subject::User(user.to_string()), event: Event::Reset, words, again }
    }

    pub(super) fn as_json(&self) -> Value {
        let (mut user, mut key, mut serial, mut series) = (None, None, None, None);
        match &self.subject {
            Subject::User(name) => user = Some(name),
            Subject::SshKey(name, fingerprint) => (user, key) = (Some(name), Some(fingerprint)),
            Subject::Token(name) => serial = Some(name),
            Subject::Series(name) => series = Some(name),
        }
        json!({
            "at": self.at.map(|at| at.to_string()),
            "event": self.event.word(),
            "user": user,
            "key": key,
            "serial": serial,
            "series": series,
            "command": self.again,
        })
    }
}
