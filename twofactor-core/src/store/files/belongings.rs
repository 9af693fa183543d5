//! What a user has, as account and registry know it together.

use crate::account::factors::Factors;
use crate::account::{Credentials, Held, Wallet};
use crate::store::error::StoreError;

/// What a user can prove himself with.
pub(super) struct Belongings {
    pub(super) credentials: Option<Credentials>,
    pub(super) held: Vec<Held>,
    /// Why physical tokens are not among it.
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
