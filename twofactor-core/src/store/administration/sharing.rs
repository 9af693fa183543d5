//! A secret that another user or token has already.

use std::fmt;

use crate::codes::token::Serial;
use crate::host::user::UserName;

/// Where a secret is already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sharer {
    /// In an app of this user.
    App(UserName),
    /// In a physical token.
    Token {
        /// Which.
        serial: Serial,
        /// Whose.
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
