//! One account at a time: read, judge in memory, write.

use twofactor_core::host::user::UserName;
use twofactor_core::store::StoreError;
use twofactor_core::store::one_account::{Change, OneAccount};

use super::store::Central;
use crate::answers::in_database::ROUNDS;
use crate::database::tables::{Note, Written};
use crate::error::ServerError;

/// The audit's word for a change of the command: no question of a host has a name like it.
pub(super) const NO_HOST: &str = "";

impl Central {
    /// Judges the account of `user`, and writes what `judge` has changed under the word `event` of the audit. After a conflict both
    /// are done again, so `judge` may be called several times.
    pub(crate) fn judge<T, E: From<StoreError>>(
        &self,
        user: &UserName,
        event: &str,
        mut judge: impl FnMut(&OneAccount<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // No question is asked twice here: each has a number of its own.
        let question = self.question()?;
        for _ in 0..ROUNDS {
            let account = self.account(user, &question)?;
            let one = OneAccount::of(user.clone(), &account.read, self.rules, &self.decoy, self.now()?)?;
            let answer = judge(&one)?;
            let change = one.into_change();
            if matches!(change, Change::Nothing) {
                return Ok(answer);
            }
            let note = self.note(user, event, "", &question);
            if self.wait(self.database.write(&account, &change, &note))? == Written::Done {
                return Ok(answer);
            }
        }
        Err(StoreError::from(ServerError::Contended(ROUNDS)).into())
    }

    /// The same of a verb that changes nothing.
    pub(crate) fn look<T>(
        &self,
        user: &UserName,
        look: impl FnMut(&OneAccount<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.judge(user, "", look)
    }

    /// The row of the audit for a change of the sysadmin's.
    pub(super) fn note<'n>(
        &'n self,
        user: &'n UserName,
        event: &'n str,
        detail: &'n str,
        question: &'n [u8],
    ) -> Note<'n> {
        let (host, who) = (NO_HOST, Some(self.who.as_str()));
        Note { host, who, user, event, detail, question, answer: &[], counted: None, is_kept: true, quota: None }
    }

    /// The digest of a question that is like no other.
    pub(crate) fn question(&self) -> Result<Vec<u8>, StoreError> {
        let mut number = [0; 16];
        getrandom::fill(&mut number).map_err(|_| ServerError::NoRandomness)?;
        Ok(self.database.digest_of(NO_HOST, &number)?)
    }
}
