//! The store of this host: `users/NAME/` with `secret.toml` and `state`, whose folder is the lock, and the registry of
//! physical tokens, from which a login reads the user's.
//!
//! Invariants: a login writes its charge before it looks at the code, and puts charge and outcome on disk before the
//! caller learns the outcome, all under the user's lock. So of any number of simultaneous logins with one code exactly
//! one wins, a process killed at any moment has been counted, and a power cut loses only outcomes that no caller has
//! seen. The cost of a login does not grow with the number of users.

mod administration;
mod belongings;
mod decoy;
mod enrollment;
mod error;
mod identity;
mod inspection;
mod locations;
mod ownership;
mod repair;
mod secret_file;
mod self_service;
mod sharing;
mod slots;
mod state_file;
#[cfg(test)]
mod tests;
mod tokens;
mod user_folder;

pub use error::FilesError;

use crate::account::factors::Factors;
use crate::account::notice::Notice;
use crate::account::remembered::Recall;
use crate::account::{App, State, Wallet};
use crate::codes::otp::Digits;
use crate::host::user::{Person, UserName};
use crate::log::reason::Reason;
use crate::store::error::StoreError;
use crate::store::redemption::{Absent, Attempt, Presence, Redemption, Remembered, Store, Stripping};
use crate::store::verification::{Presented, Redeeming, Stripped, verify};
use belongings::Belongings;
pub use locations::{Files, PATIENCE};
use user_folder::Account;

impl Store for Files {
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError> {
        match self.unlocked(user)? {
            Some(account) if account.has_credentials()? => Ok(Presence::Enrolled),
            account => {
                let held = self.held_by(user)?;
                let state = account.map(|account| account.state()).transpose()?;
                self.check_held(user, &state.unwrap_or_default(), &held)?;
                Ok(if held.is_empty() { Presence::Absent(Absent(())) } else { Presence::Enrolled })
            }
        }
    }

    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError> {
        let credentials = self.unlocked(user)?.map(|account| account.credentials()).transpose()?.flatten();
        let held = self.held_by(user);
        let apps = credentials.iter().flat_map(|credentials| &credentials.apps).map(App::token);
        let tokens = apps.chain(held.iter().flatten().map(|held| &held.token));
        let mut lengths: Vec<Digits> = tokens.map(|token| token.parameters.digits).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Ok(lengths)
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
        let belongings = self.belongings(&person.name, Some(&account))?;
        if belongings.is_nothing() {
            return Ok(None);
        }
        let wallet = belongings.wallet(factors);
        let state = account.state()?;
        if !state.may_be_of(person.uid) {
            return Ok(None);
        }
        // After the state was read: a process that is stopped between the two sees it end sooner, and not later.
        let now = self.clock.now()?;
        let covered = state.seen_at(now).memories.cover(like, now, |opener| wallet.still_opens(opener));
        Ok(covered.then_some(Remembered(())))
    }

    fn redeem(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Redemption, StoreError> {
        let user = &person.name;
        let account = self.locked(user)?;
        // After the lock was taken: whoever takes a token away waits for this login, or it sees that.
        let belongings = self.belongings(user, account.as_ref())?;
        if belongings.is_nothing() {
            let state = account.as_ref().map(Account::state).transpose()?;
            self.check_held(user, &state.unwrap_or_default(), &belongings.held)?;
            self.work_in_vain(attempt);
            return Ok(Redemption::refused(Reason::NotEnrolled));
        }
        let account = account.ok_or_else(|| FilesError::LostState(self.path_of_state(user)))?;
        let Belongings { credentials, held, problem: missing } = belongings;
        let wallet = Wallet { credentials: credentials.as_ref(), held: &held, factors: attempt.factors };
        let now = self.clock.now()?;
        let presented = Presented { person, wallet: &wallet, attempt, rules: &self.rules, now };
        let complete = |state: &State| self.check_held(user, state, &held);
        verify(&mut account.state_file()?, now, Redeeming { presented, missing, complete })
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
        let Belongings { credentials, held, problem } = self.belongings(user, Some(&account))?;
        let wallet = Wallet { credentials: credentials.as_ref(), held: &held, factors: attempt.factors };
        if credentials.is_none() && held.is_empty() {
            return Ok(Stripping::Nothing);
        }
        let now = self.clock.now()?;
        let stripped = Stripped(Presented { person, wallet: &wallet, attempt, rules: &self.rules, now });
        match (verify(&mut account.state_file()?, now, stripped)?, problem) {
            (burned @ Stripping::Burned { .. }, _) => Ok(burned),
            (other, None) => Ok(other),
            // It may be a code of what could not be read.
            (_, Some(problem)) => Err(problem),
        }
    }
}
