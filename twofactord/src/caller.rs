//! The process at the other end of a connection, as the kernel names it. Nothing of this comes from a message.

use std::io;
use std::os::unix::net::UnixStream;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::{Uid, User};
use twofactor_core::config::Config;
use twofactor_core::config::caller::Caller as CallerRule;
use twofactor_core::host::user::{Doubt, LookupError, SystemUsers, UserDatabase as _};
use twofactor_core::log::reason::Reason;
use twofactor_core::policy;
use twofactor_core::store::wire::{About, Call, Message};

use crate::places::Guest;

/// A process that asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    /// The user it runs as. Root of another user namespace is not root here.
    pub(crate) uid: u32,
    /// Its number, for the log alone.
    pub(crate) pid: i32,
}

impl Caller {
    /// The process at the other end.
    pub(crate) fn of(stream: &UnixStream) -> io::Result<Self> {
        let credentials = getsockopt(stream, PeerCredentials)?;
        Ok(Self { uid: credentials.uid(), pid: credentials.pid() })
    }

    /// True for a program that may ask about each user.
    pub(crate) fn is_root(self) -> bool {
        self.uid == 0
    }

    /// The guest whose place the connection takes, without a look-up.
    pub(crate) fn guest(self) -> Guest {
        if self.is_root() { Guest::Root } else { Guest::Uid(self.uid) }
    }

    /// True when the uid belongs to no user, as far as can be found out.
    pub(crate) fn is_stranger(self) -> bool {
        !self.is_root() && !matches!(User::from_uid(Uid::from_raw(self.uid)), Ok(Some(_)))
    }

    /// The leave by which this process asks a question: root's, a user's about the own account, or that of a service account
    /// by a rule of the configuration.
    pub(crate) fn leave<'c>(self, call: &Call, config: &'c Config) -> Result<Leave<'c>, Refusal> {
        let (user, claimed) = match call.about() {
            _ if self.is_root() => return Ok(Leave::Root),
            About::Nobody => {
                return Ok(self.rules(config).next().map_or(Leave::Own, Leave::Service));
            }
            About::Name(user) => (user, None),
            // The state records the owner's uid: a false one would open, or spoil, the account of another person.
            About::Person(person) => (&person.name, Some(person.uid)),
        };
        let found = SystemUsers.person(user.as_str()).map_err(|error| Refusal::of_look_up(&error))?;
        let found = found.filter(|person| person.name == *user && claimed.is_none_or(|uid| uid == person.uid));
        if found.as_ref().is_some_and(|person| person.uid.0 == self.uid) {
            return Ok(Leave::Own);
        }
        let mut is_service = false;
        for rule in self.rules(config) {
            is_service = true;
            // As much is looked up about a user who does not exist.
            let member = policy::is_member(user, &rule.groups, &SystemUsers);
            if member.map_err(|doubt| Refusal::of_membership(&doubt, rule))? && found.is_some() {
                return Ok(Leave::Service(rule));
            }
        }
        // In the same words whoever that is: nothing is told about other users.
        Err(if is_service { Refusal::of_other_user() } else { Refusal::of_stranger() })
    }

    /// The rules about the account that this process runs as.
    fn rules(self, config: &Config) -> impl Iterator<Item = &CallerRule> {
        let is_it = move |rule: &&CallerRule| matches!(SystemUsers.person(&rule.user), Ok(Some(person)) if person.uid.0 == self.uid);
        config.callers.iter().filter(is_it)
    }
}

/// A leave to ask.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Leave<'c> {
    /// Of root, about each user.
    Root,
    /// Of a user, about the own account.
    Own,
    /// Of a service account, about the members of groups.
    Service(&'c CallerRule),
}

/// The reason for which a question is not answered.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) problem: String,
    pub(crate) hint: String,
    /// True where root should read of it: the rule of a service account is narrower than its use.
    pub(crate) is_logged: bool,
}

impl Refusal {
    fn of_stranger() -> Self {
        Self {
            reason: Reason::NotRoot,
            problem: "this program does not run as root and asks about another user".to_owned(),
            hint: "programs without root can ask about the user they run as; a service account: see [[caller]]"
                .to_owned(),
            is_logged: false,
        }
    }

    fn of_other_user() -> Self {
        Self {
            reason: Reason::NotRoot,
            problem: "no [[caller]] of this account is about the user".to_owned(),
            hint: "see [[caller]] in twofactor.toml(5)".to_owned(),
            is_logged: true,
        }
    }

    fn of_membership(doubt: &Doubt, rule: &CallerRule) -> Self {
        Self {
            reason: Reason::StoreUnavailable,
            problem: format!(
                "it is not certain whether the user is in a group of [[caller]] (line {}): {doubt}",
                rule.line
            ),
            hint: "try: id USER".to_owned(),
            is_logged: true,
        }
    }

    pub(crate) fn of_look_up(error: &LookupError) -> Self {
        Self {
            reason: Reason::StoreUnavailable,
            problem: format!("the user cannot be looked up: {error}"),
            hint: "try: id USER".to_owned(),
            is_logged: false,
        }
    }

    /// The answer that refuses.
    pub(crate) fn answer(&self) -> Message {
        Message::refusing(self.reason, &self.problem, &self.hint)
    }
}
