//! The types of a rename: an account goes to another name of the same person.

use thiserror::Error;

use crate::codes::token::Serial;
use crate::host::user::UserName;
use crate::store::error::StoreError;

/// The outcome of a rename.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The number of the account's apps.
    pub apps: usize,
    /// The serials of its physical tokens.
    pub tokens: Vec<Serial>,
}

/// The reason for which an account kept its name. Nothing was changed.
#[derive(Debug, Error)]
pub enum RenameError {
    /// Nothing is kept under the old name.
    #[error("{0} has no account")]
    NoAccount(UserName),
    /// The new name has an account.
    #[error("{0} has an account already")]
    Occupied(UserName),
    /// One of the accounts changed since it was looked at.
    #[error("the account of {0} was changed meanwhile; nothing was renamed")]
    Overtaken(UserName),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
