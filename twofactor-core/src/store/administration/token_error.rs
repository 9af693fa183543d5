//! The reasons for which a token is not changed.

use super::sharing::Sharer;
use crate::account::MOST_HELD;
use crate::account::lifecycle::Stage;
use crate::codes::token::Serial;
use crate::host::trusted::FileError;
use crate::host::user::UserName;
use crate::store::error::StoreError;
use std::fmt::Write as _;
use thiserror::Error;

/// Treatment of a change that takes the last credential of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastCredential {
    /// The change is refused: without a credential the user cannot log in.
    Keep,
    /// The change is made.
    Take,
}

/// The reason for which a change was refused. Nothing was changed.
#[derive(Debug, Error)]
pub enum TokenError {
    /// No such token.
    #[error("there is no token {0}")]
    NoToken(Serial),
    /// No such series.
    #[error("there is no series {0}")]
    NoSeries(String),
    /// It has an owner.
    #[error("token {0} is assigned to {1}")]
    Owned(Serial, UserName),
    /// It has none.
    #[error("token {0} is not assigned to a user")]
    NotOwned(Serial),
    /// Revoked is final.
    #[error("token {0} is revoked")]
    Revoked(Serial),
    /// It must be enabled before it is assigned.
    #[error("token {0} is {1}")]
    Unusable(Serial, Stage),
    /// It stands twice in a list.
    #[error("token {0} stands twice in the list")]
    Twice(Serial),
    /// They are the last credentials of their owners.
    #[error("{}", last_in_words(.0))]
    LastCredential(Vec<(Serial, UserName)>),
    /// The user has [`MOST_HELD`] tokens.
    #[error("{0} has {MOST_HELD} tokens already")]
    TooMany(UserName),
    /// Another user has its secret.
    #[error("token {0} has the same secret as {1}: who has the one can log in as both users")]
    Shared(Serial, Sharer),
    /// Two codes that are not consecutive codes of the token, or were used.
    #[error("these are not two consecutive new codes of token {0}")]
    WrongCodes(Serial),
    /// A secret of the series cannot be read that way.
    #[error("the secret of token {0} cannot be read that way")]
    Unreadable(Serial),
    /// Read that way, a secret of the series is that of another token.
    #[error("read that way, token {0} has the secret of token {1}")]
    Twins(Serial, Serial),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FileError> for TokenError {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

/// Names the owners whose last credentials these are: `token 123 is the last credential of alice`, and the number of
/// others.
fn last_in_words(lasts: &[(Serial, UserName)]) -> String {
    let mut text = String::new();
    for (position, (serial, owner)) in lasts.iter().take(MOST_NAMED).enumerate() {
        let separator = if position == 0 { "" } else { ", " };
        let _ = write!(text, "{separator}token {serial} is the last credential of {owner}");
    }
    match lasts.len().checked_sub(MOST_NAMED) {
        None | Some(0) => text,
        Some(more) => format!("{text}, and {more} more"),
    }
}

/// The number of owners named.
const MOST_NAMED: usize = 5;
