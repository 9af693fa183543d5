//! The store of this host: `users/NAME/` with `secret.toml` and `state`, whose folder is the lock. A login opens these two
//! files and nothing else. Beside them the registry, the inventory of physical tokens.
//!
//! Invariants: a login writes its charge before it looks at the code, and puts charge and outcome on disk before the
//! caller learns the outcome, all under the user's lock. So of any number of simultaneous logins with one code exactly
//! one wins, a process killed at any moment has been counted, and a power cut loses only outcomes that no caller has
//! seen. The cost of a login does not grow with the number of users.

#[cfg(feature = "registry")]
mod administration;
#[cfg(feature = "registry")]
mod backing_up;
mod decoy;
#[cfg(feature = "registry")]
mod differences;
mod enrollment;
mod error;
#[cfg(feature = "registry")]
mod exporting;
#[cfg(feature = "registry")]
mod helpdesk;
#[cfg(feature = "registry")]
mod holdings;
mod identity;
#[cfg(feature = "registry")]
mod inspection;
#[cfg(feature = "registry")]
mod last_backup;
mod locations;
#[cfg(feature = "registry")]
mod merging;
#[cfg(feature = "registry")]
mod migration;
mod ownership;
#[cfg(feature = "registry")]
mod registering;
#[cfg(feature = "registry")]
mod renaming;
#[cfg(feature = "registry")]
mod repair;
#[cfg(feature = "registry")]
mod restoring;
#[cfg(feature = "registry")]
mod self_service;
#[cfg(feature = "registry")]
mod sharing;
mod slots;
#[cfg(feature = "registry")]
mod ssh_keys;
#[cfg(test)]
mod tests;
#[cfg(feature = "registry")]
mod tokens;
mod user_folder;
mod verifying;

pub use error::FilesError;

use crate::account::factors::Factors;
use crate::account::notice::Notice;
use crate::account::remembered::Recall;
use crate::account::{State, Wallet};
use crate::codes::otp::Digits;
use crate::codes::ssh_key::SshKey;
use crate::host::user::{Person, UserName};
use crate::log::reason::Reason;
use crate::store::error::StoreError;
use crate::store::redemption::{
    Absent, Attempt, Presence, Recognized, Redemption, Remembered, Store, Stripping, TEMPORARY,
};
use crate::store::verification::{Presented, Redeeming, Stripped};
use locations::migrated;
pub use locations::{Files, PATIENCE};
use user_folder::Account;

impl Store for Files {
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError> {
        let Some(account) = self.unlocked(user)? else { return Ok(Presence::Absent(Absent(()))) };
        // The tokens of an owner whom `migrate` has not reached are still there.
        let is_enrolled = account.has_credentials()? || account.state()?.tokens_held > 0;
        Ok(if is_enrolled { Presence::Enrolled } else { Presence::Absent(Absent(())) })
    }

    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError> {
        let credentials = self.unlocked(user)?.map(|account| account.credentials()).transpose()?.flatten();
        let wallet = Wallet { credentials: credentials.as_ref(), factors: Factors::ALL };
        Ok(wallet.code_lengths())
    }

    fn recovery_left(&self, person: &Person) -> Result<Option<usize>, StoreError> {
        let Some(account) = self.unlocked(&person.name)? else { return Ok(None) };
        let Some(credentials) = account.credentials()?.filter(|credentials| !credentials.recovery.is_empty()) else {
            return Ok(None);
        };
        let state = account.state()?;
        Ok(state.may_be_of(person.uid).then(|| credentials.recovery_left(&state)))
    }

    fn remembers(
        &self,
        person: &Person,
        like: &Recall<'_>,
        factors: Factors,
    ) -> Result<Option<Remembered>, StoreError> {
        let Some(account) = self.unlocked(&person.name)? else { return Ok(None) };
        let Some(credentials) = account.credentials()? else { return Ok(None) };
        let wallet = Wallet { credentials: Some(&credentials), factors };
        let state = account.state()?;
        if !state.may_be_of(person.uid) {
            return Ok(None);
        }
        // After the state was read: a process that is stopped between the two sees it end sooner, and not later.
        let now = self.clock.now()?;
        let covered = state.seen_at(now).memories.cover(like, now, |opener| wallet.still_opens(opener));
        Ok(covered.then_some(Remembered(())))
    }

    fn recognize(&self, person: &Person, keys: &[SshKey], factors: Factors) -> Result<Option<Recognized>, StoreError> {
        // Without the lock, because nothing is written: many sessions of one key begin at the same time.
        let Some(account) = self.unlocked(&person.name)? else { return Ok(None) };
        // Read in this order. An account goes to another person only after the credentials of the one before are removed
        // (`keep_tokens_alone`), so where the state names this person already, the keys that are read next are none of the
        // former owner's. Enrolling a key has recorded a uid.
        if account.state()?.uid != Some(person.uid) {
            return Ok(None);
        }
        let Some(credentials) = account.credentials()? else { return Ok(None) };
        Ok(credentials.enrolled_among(keys, factors).map(|key| Recognized(key.fingerprint())))
    }

    fn redeem(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Redemption, StoreError> {
        let user = &person.name;
        // Read after the lock was taken: a command that takes a token away waits for this login, or the login sees that.
        let account = self.locked(user)?;
        let credentials = account.as_ref().map(Account::credentials).transpose()?.flatten();
        let (Some(account), Some(credentials)) = (&account, &credentials) else {
            if let Some(account) = account {
                migrated(user, &account.state()?)?;
            }
            self.work_in_vain(attempt);
            return Ok(Redemption::refused(Reason::NotEnrolled));
        };
        let wallet = Wallet { credentials: Some(credentials), factors: attempt.factors };
        let now = self.clock.now()?;
        let presented = Presented { person, wallet: &wallet, attempt, rules: &self.rules, now };
        let complete = |state: &State| migrated(user, state);
        self.verify_at(account, now, Redeeming { presented, missing: None, complete })
    }

    fn take_notices(&self, person: &Person) -> Result<Vec<Notice>, StoreError> {
        let waiting = |state: &State| state.may_be_of(person.uid) && !state.notices.is_empty();
        // Without the lock first: there are none at nearly every login.
        match self.unlocked(&person.name)? {
            Some(account) if waiting(&account.state()?) => {}
            _ => return Ok(Vec::new()),
        }
        let Some(account) = self.locked(&person.name)? else { return Ok(Vec::new()) };
        let mut state = account.state()?;
        if !waiting(&state) {
            return Ok(Vec::new());
        }
        // The member of a helpdesk who has given a temporary code out could log in with it, and read what the user is to read.
        if state.last_accepted.as_ref().is_some_and(|last| last.factor == TEMPORARY) {
            return Ok(state.notices);
        }
        let notices = std::mem::take(&mut state.notices);
        account.overwrite_state(&state)?;
        Ok(notices)
    }

    fn pretend(&self, attempt: &Attempt<'_>) {
        self.work_for_nobody(attempt);
    }

    fn strip(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Stripping, StoreError> {
        let user = &person.name;
        let Some(account) = self.locked(user)? else { return Ok(Stripping::Nothing) };
        let Some(credentials) = account.credentials()? else { return Ok(Stripping::Nothing) };
        let wallet = Wallet { credentials: Some(&credentials), factors: attempt.factors };
        let now = self.clock.now()?;
        let stripped = Stripped(Presented { person, wallet: &wallet, attempt, rules: &self.rules, now });
        match self.verify_at(&account, now, stripped)? {
            burned @ Stripping::Burned { .. } => Ok(burned),
            // It may be a code of a token that is not in the file yet.
            other => migrated(user, &account.state()?).map(|()| other),
        }
    }
}
