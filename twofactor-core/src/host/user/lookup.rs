//! Users as the host knows them, and look-ups that fail.

use super::name::UserName;
use std::fmt;
use thiserror::Error;

/// The user database could not answer. This is never "no such user".
#[derive(Debug, Clone, Error)]
#[error("the user database failed: {0}")]
pub struct LookupError(pub String);

/// A user id. A name can be given to another person; that person then has another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uid(pub u32);

impl Uid {
    /// The uid that no user has: of a user of a fleet whom this machine does not know.
    pub const NONE: Self = Self(u32::MAX);

    /// Its number; `None` for that of no user.
    pub fn known(self) -> Option<u32> {
        (self != Self::NONE).then_some(self.0)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A user who exists: the canonical name, and the user id that it stands for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// As the user database spells it.
    pub name: UserName,
    /// Several names may share one id (root and toor).
    pub uid: Uid,
}

impl fmt::Display for Person {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(formatter)
    }
}

/// A user for the stories of all modules.
#[cfg(test)]
pub(crate) fn person(name: &str, uid: u32) -> Person {
    Person { name: UserName(name.to_owned()), uid: Uid(uid) }
}
