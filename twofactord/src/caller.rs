//! The process at the other end of a connection, as the kernel names it. Nothing of this comes from a message.

use std::io;
use std::os::unix::net::UnixStream;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::{Uid, User};
use twofactor_core::host::user::{SystemUsers, UserDatabase as _};
use twofactor_core::log::reason::Reason;
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

    /// Refuses a question that this process may not ask: a user asks about himself, and as himself.
    pub(crate) fn may_ask(self, call: &Call) -> Result<(), Message> {
        let (user, claimed) = match call.about() {
            _ if self.is_root() => return Ok(()),
            About::Nobody => return Ok(()),
            About::Name(user) => (user, self.uid),
            // The state records the owner's uid: a false one would open, or spoil, the account of another person.
            About::Person(person) => (&person.name, person.uid.0),
        };
        match SystemUsers.person(user.as_str()) {
            Ok(Some(person)) if person.uid.0 == self.uid && person.name == *user && claimed == self.uid => Ok(()),
            // Both in the same words: nothing is told about other users.
            Ok(_) => Err(Message::refusing(
                Reason::NotRoot,
                "this program does not run as root and asks about another user",
                "programs without root can ask about the user they run as",
            )),
            Err(error) => {
                let problem = format!("the user cannot be looked up: {error}");
                Err(Message::refusing(Reason::StoreUnavailable, &problem, "try: id USER"))
            }
        }
    }
}
