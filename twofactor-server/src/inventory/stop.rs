//! The end of a change before it is written.

use std::collections::BTreeMap;

use twofactor_core::host::user::UserName;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::TokenError;

use crate::error::ServerError;

/// The versions of the states that were read; of users without one there is none.
pub(super) type Versions = BTreeMap<UserName, i64>;

/// The reason for which nothing was changed.
pub(super) enum Stop {
    /// Others have changed the same: it is tried again.
    Conflict,
    Error(TokenError),
}

impl From<ServerError> for Stop {
    fn from(error: ServerError) -> Self {
        if error.is_conflict() { Self::Conflict } else { Self::Error(StoreError::from(error).into()) }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Error(error.into())
    }
}

impl From<TokenError> for Stop {
    fn from(error: TokenError) -> Self {
        Self::Error(error)
    }
}
