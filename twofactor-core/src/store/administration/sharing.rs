//! A secret that another user or token has already.

use std::fmt;

use crate::codes::token::Serial;
use crate::host::user::UserName;

/// The present holder of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sharer {
    /// An app of this user.
    App(UserName),
    /// A physical token.
    Token {
        /// The token's serial.
        serial: Serial,
        /// The token's owner; `None` in inventory.
        owner: Option<UserName>,
    },
}

impl fmt::Display for Sharer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(user) => write!(formatter, "an app of {user}"),
            Self::Token { serial, owner: Some(owner) } => write!(formatter, "token {serial} of {owner}"),
            Self::Token { serial, owner: None } => write!(formatter, "token {serial}"),
        }
    }
}

/// The treatment of a secret that another user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// No.
    Refuse,
    /// Yes: the sysadmin has said so.
    Allow,
}
