//! An account that cannot be read as a whole, and the way out of it: a reset, which forgets what is damaged.

use super::account::{Change, Read, credentials_of, of_remains, state_in};
use crate::account::Held;
use crate::host::clock::UnixTime;
use crate::host::user::UserName;
use crate::store::changes::Remains;
use crate::store::error::StoreError;

/// The records of an account. Those that are missing, damaged or not sealed with a key of the store are `None`.
pub struct Damaged {
    /// The user.
    pub user: UserName,
    /// The records that could be opened.
    pub read: Read,
    /// The user's physical tokens by the inventory. What the credentials say of them may be old: one that was revoked meanwhile stands in
    /// credentials that could not be written.
    pub registered: Vec<Held>,
}

impl Damaged {
    /// The change that leaves what can be trusted: physical tokens, and what was used of them. Where the state is lost, all codes
    /// of these until now are burned.
    pub fn reset(self, now: UnixTime) -> Result<Change, StoreError> {
        let Self { user, read, registered } = self;
        let state = read.state.and_then(|text| state_in(&user, &text).ok());
        let credentials = read.credentials.and_then(|text| credentials_of(&user, &text).ok());
        Ok(of_remains(&Remains::of(state, credentials.as_ref(), registered, now)?))
    }
}
