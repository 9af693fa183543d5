//! An account that cannot be read: its reset, and an enrollment that replaces credentials.

use twofactor_core::host::user::UserName;
use twofactor_core::log::reason::Reason;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::Existing;
use twofactor_core::store::one_account::{Change, Damaged, OneAccount};
use twofactor_core::store::{Loss, StoreError};

use super::store::Central;
use crate::answers::in_database::ROUNDS;
use crate::clocks::agreed;
use crate::database::tables::Written;
use crate::error::ServerError;

impl Central {
    /// True for an error of one account's records, and not of the database or the keys.
    pub(super) fn is_damage(error: &StoreError) -> bool {
        error.reason() == Reason::StoreCorrupt
    }

    pub(super) fn reset_damaged(&self, user: &UserName) -> Result<bool, StoreError> {
        self.change_damaged(user, Event::Reset, |damaged| Ok((true, damaged.reset(self.now()?)?)))
    }

    /// Enrolls something in the account of `user`. One that replaces gets out of lost credentials, as a reset does.
    pub(super) fn enroll_in<T, E: From<StoreError>>(
        &self,
        user: &UserName,
        existing: Existing,
        mut enroll: impl FnMut(&OneAccount<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        if existing == Existing::Replace
            && let Err(error) = self.look(user, |_| Ok(()))
            && error.loss() == Some(Loss::Credentials)
        {
            return self.change_damaged(user, Event::Enrolled, |damaged| {
                let one = damaged.without_lost_credentials(self.rules, &self.decoy, self.now()?)?;
                Ok((enroll(&one)?, one.into_change()))
            });
        }
        self.judge(user, Event::Enrolled.word(), enroll)
    }

    /// Reads an account that may be damaged, and writes the change that `change` makes of it. After a conflict both are done again.
    fn change_damaged<T, E: From<StoreError>>(
        &self,
        user: &UserName,
        event: Event,
        mut change: impl FnMut(Damaged) -> Result<(T, Change), E>,
    ) -> Result<T, E> {
        let question = self.question()?;
        for _ in 0..ROUNDS {
            let mut account = self.wait(self.database.read_damaged(user))?;
            agreed(account.now).map_err(StoreError::from)?;
            let read = std::mem::take(&mut account.read);
            let (answer, change) = change(Damaged { user: user.clone(), read, registered: self.registered(user)? })?;
            let note = self.note(user, event.word(), "damaged", &question);
            if self.wait(self.database.write(&account, &change, &note))? == Written::Done {
                return Ok(answer);
            }
        }
        Err(StoreError::from(ServerError::Contended(ROUNDS)).into())
    }
}
