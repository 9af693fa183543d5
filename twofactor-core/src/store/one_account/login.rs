//! The verbs of a login.

use super::account::{Kept, OneAccount};
use crate::account::Wallet;
use crate::account::factors::Factors;
use crate::account::notice::Notice;
use crate::account::remembered::Recall;
use crate::codes::otp::Digits;
use crate::codes::ssh_key::SshKey;
use crate::host::user::{Person, UserName};
use crate::log::reason::Reason;
use crate::store::error::StoreError;
use crate::store::redemption::{Absent, Attempt, Presence, Recognized, Redemption, Remembered, Store, Stripping};
use crate::store::verification::{Presented, Redeeming, Stripped, verify};

impl Store for OneAccount<'_> {
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError> {
        let is_enrolled = self.kept(user)?.is_some_and(|kept| kept.credentials.is_some());
        Ok(if is_enrolled { Presence::Enrolled } else { Presence::Absent(Absent(())) })
    }

    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError> {
        let credentials = self.kept(user)?.and_then(|kept| kept.credentials.as_ref());
        Ok(Wallet { credentials, factors: Factors::ALL }.code_lengths())
    }

    fn remembers(
        &self,
        person: &Person,
        like: &Recall<'_>,
        factors: Factors,
    ) -> Result<Option<Remembered>, StoreError> {
        let Some(Kept { credentials: Some(credentials), state }) = self.kept(&person.name)? else { return Ok(None) };
        let wallet = Wallet { credentials: Some(credentials), factors };
        let seen = state.clone().seen_at(self.now);
        let covered = seen.memories.cover(like, self.now, |opener| wallet.still_opens(opener));
        Ok(covered.then_some(Remembered(())))
    }

    /// None: sshd has verified a key on another machine, whose word for it is none here.
    fn recognize(&self, _: &Person, _: &[SshKey], _: Factors) -> Result<Option<Recognized>, StoreError> {
        Ok(None)
    }

    fn recovery_left(&self, person: &Person) -> Result<Option<usize>, StoreError> {
        let Some(Kept { credentials: Some(credentials), state }) = self.kept(&person.name)? else { return Ok(None) };
        Ok((!credentials.recovery.is_empty()).then(|| credentials.recovery_left(state)))
    }

    fn redeem(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Redemption, StoreError> {
        let Some(kept @ Kept { credentials: Some(credentials), state }) = self.kept(&person.name)? else {
            self.work_in_vain(attempt);
            return Ok(Redemption::refused(Reason::NotEnrolled));
        };
        let wallet = Wallet { credentials: Some(credentials), factors: attempt.factors };
        let owner = kept.owner(&person.name);
        let presented = Presented { person: &owner, wallet: &wallet, attempt, rules: &self.rules, now: self.now };
        let redeeming = Redeeming { presented, missing: None, complete: |_: &_| Ok(()) };
        verify(&mut self.ledger(state.clone()), self.now, redeeming)
    }

    fn strip(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Stripping, StoreError> {
        let Some(kept @ Kept { credentials: Some(credentials), state }) = self.kept(&person.name)? else {
            return Ok(Stripping::Nothing);
        };
        let wallet = Wallet { credentials: Some(credentials), factors: attempt.factors };
        let owner = kept.owner(&person.name);
        let presented = Presented { person: &owner, wallet: &wallet, attempt, rules: &self.rules, now: self.now };
        verify(&mut self.ledger(state.clone()), self.now, Stripped(presented))
    }

    /// None: a host that asks for them need not show them.
    fn take_notices(&self, _: &Person) -> Result<Vec<Notice>, StoreError> {
        Ok(Vec::new())
    }

    fn pretend(&self, attempt: &Attempt<'_>) {
        self.work_in_vain(attempt);
    }
}
