//! The errors of an account in memory.

use crate::codes::token::Serial;
use crate::host::shell;
use crate::host::user::UserName;
use crate::log::reason::Reason;
use crate::store::error::{Loss, StoreError, Unusable};
use thiserror::Error;

/// The account does not answer.
#[derive(Debug, Error)]
pub enum AccountError {
    /// A record is not what this version writes.
    #[error("{part} of {user} cannot be read, line {line}, column {column}")]
    Corrupt {
        /// The user.
        user: UserName,
        /// The record.
        part: Part,
        /// The line of the record, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// One of the two records of an account is there, and the other is not.
    #[error("{part} of {user} is missing")]
    Lost {
        /// The user.
        user: UserName,
        /// The record that is missing.
        part: Part,
    },
    /// A question about another user.
    #[error("the account of {read} was read, and not that of {asked}")]
    AnotherUser {
        /// The user whose account was read.
        read: UserName,
        /// The user of the question.
        asked: UserName,
    },
    /// More tokens stand in the inventory as the user's than an account holds.
    #[error("{user} owns more tokens than an account holds")]
    TooManyTokens {
        /// The user.
        user: UserName,
    },
    /// The owner of a token is no user name.
    #[error("the owner of token {0} is no user name")]
    DamagedOwner(Serial),
    /// A question about a physical token by its serial.
    #[error("this store registers no physical tokens at login")]
    RegistersNoTokens,
    /// A question for a secret that waits for its confirmation.
    #[error("a secret that was kept is not shown to a host")]
    ShowsNoSecret,
}

/// A record of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Apps, recovery codes and tokens.
    Credentials,
    /// Their use.
    State,
}

impl std::fmt::Display for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Credentials => "the credentials",
            Self::State => "the state",
        })
    }
}

impl Unusable for AccountError {
    fn reason(&self) -> Reason {
        match self {
            Self::Corrupt { .. } | Self::Lost { .. } | Self::TooManyTokens { .. } | Self::DamagedOwner(_) => {
                Reason::StoreCorrupt
            }
            Self::AnotherUser { .. } | Self::RegistersNoTokens | Self::ShowsNoSecret => Reason::StoreUnavailable,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Corrupt { user, .. } | Self::Lost { user, .. } => {
                format!("restore the database, or: twofactor reset {}", shell::quoted(user.as_str()))
            }
            Self::TooManyTokens { user } => {
                format!("twofactor token list --user {}", shell::quoted(user.as_str()))
            }
            Self::DamagedOwner(_) => "look at who may write to the database; restore the row from a backup".to_owned(),
            Self::AnotherUser { .. } => "this is a fault of the program; please report it".to_owned(),
            Self::RegistersNoTokens => "assign the token: twofactor token assign".to_owned(),
            Self::ShowsNoSecret => "twofactor reset".to_owned(),
        }
    }

    fn loss(&self) -> Option<Loss> {
        match self {
            Self::Lost { part: Part::State, .. } => Some(Loss::State),
            Self::Lost { part: Part::Credentials, .. } | Self::Corrupt { part: Part::Credentials, .. } => {
                Some(Loss::Credentials)
            }
            Self::Corrupt { part: Part::State, .. }
            | Self::TooManyTokens { .. }
            | Self::DamagedOwner(_)
            | Self::AnotherUser { .. }
            | Self::RegistersNoTokens
            | Self::ShowsNoSecret => None,
        }
    }
}

impl From<AccountError> for StoreError {
    fn from(error: AccountError) -> Self {
        Self::Unusable(Box::new(error))
    }
}
