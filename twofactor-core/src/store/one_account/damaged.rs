//! An account that cannot be read as a whole, and the two ways out of it: a reset, which forgets what is damaged, and an enrollment
//! that replaces credentials.

use super::account::{Change, Decoy, Kept, OneAccount, Read, credentials_of, of_remains, state_in};
use super::error::{AccountError, Part};
use crate::account::{Credentials, Held};
use crate::host::clock::UnixTime;
use crate::host::user::UserName;
use crate::store::changes::Remains;
use crate::store::error::StoreError;
use crate::store::rules::VerificationRules;

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

    /// The account with its state, and with its physical tokens in the place of credentials that are lost. An account that has lost its
    /// state is an error: a new one would make used codes good again.
    pub fn without_lost_credentials(
        self,
        rules: VerificationRules,
        decoy: &Decoy,
        now: UnixTime,
    ) -> Result<OneAccount<'_>, StoreError> {
        let Self { user, read, registered } = self;
        let lost = || AccountError::Lost { user: user.clone(), part: Part::State };
        let state = state_in(&user, &read.state.ok_or_else(lost)?)?;
        let credentials = read.credentials.and_then(|text| credentials_of(&user, &text).ok());
        let credentials = match credentials {
            // Another command has enrolled the user meanwhile.
            Some(credentials) => credentials,
            None => Credentials { held: registered, ..Credentials::none()? },
        };
        Ok(OneAccount::with(user, Some(Kept { credentials: Some(credentials), state }), rules, decoy, now))
    }
}
