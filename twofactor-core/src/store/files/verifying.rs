//! Answers put to the account of a user who is locked. A program that judges for others learns whether a guess was counted, without a
//! further look at the account: that would take time, and so tell who has one.

use std::sync::atomic::Ordering;

use super::locations::Files;
use super::user_folder::LockedAccount;
use crate::host::clock::UnixTime;
use crate::host::user::UserName;
use crate::store::error::StoreError;
use crate::store::verification::{self, Verification};

impl Files {
    /// Puts an answer to an account at `now`, a time that was read under the account's lock.
    pub(super) fn verify_at<V: Verification>(
        &self,
        account: &LockedAccount,
        now: UnixTime,
        verification: V,
    ) -> Result<V::Outcome, StoreError> {
        let mut file = account.state_file()?;
        let outcome = verification::verify(&mut file, now, verification);
        if file.has_counted_a_guess {
            self.guessed.store(true, Ordering::Relaxed);
        }
        outcome
    }

    /// True where something is kept of a user.
    pub fn knows(&self, user: &UserName) -> Result<bool, StoreError> {
        Ok(self.unlocked(user)?.is_some())
    }

    /// True when a wrong code of a user was looked at and counted since these files were opened. Of a user without an account none is.
    pub fn has_counted_a_guess(&self) -> bool {
        self.guessed.load(Ordering::Relaxed)
    }
}
