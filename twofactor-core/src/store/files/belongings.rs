//! A user's credentials, from the account and the registry together.

use crate::account::factors::Factors;
use crate::account::{Credentials, Held, Wallet};
use crate::store::error::StoreError;

/// All that a user can answer with.
pub(super) struct Belongings {
    pub(super) credentials: Option<Credentials>,
    pub(super) held: Vec<Held>,
    /// The error that hides the physical tokens.
    pub(super) problem: Option<StoreError>,
}

impl Belongings {
    pub(super) fn is_nothing(&self) -> bool {
        self.credentials.is_none() && self.held.is_empty()
    }

    pub(super) fn wallet(&self, factors: Factors) -> Wallet<'_> {
        Wallet { credentials: self.credentials.as_ref(), held: &self.held, factors }
    }
}
