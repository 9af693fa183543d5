//! The reset of an account that cannot be read.

use twofactor_core::host::user::UserName;
use twofactor_core::log::reason::Reason;
use twofactor_core::log::record::Event;
use twofactor_core::store::StoreError;
use twofactor_core::store::one_account::Damaged;

use super::store::Central;
use crate::answers::in_database::{ROUNDS, present};
use crate::database::tables::Written;
use crate::error::ServerError;

impl Central {
    /// True for an error of one account's records, and not of the database or the keys.
    pub(super) fn is_damage(error: &StoreError) -> bool {
        error.reason() == Reason::StoreCorrupt
    }

    pub(super) fn reset_damaged(&self, user: &UserName) -> Result<bool, StoreError> {
        let question = self.question()?;
        for _ in 0..ROUNDS {
            let mut account = self.wait(self.database.read_damaged(user))?;
            present(&account).map_err(StoreError::from)?;
            let read = std::mem::take(&mut account.read);
            let damaged = Damaged { user: user.clone(), read, registered: self.registered(user)? };
            let change = damaged.reset(self.now()?)?;
            let note = self.note(user, Event::Reset.word(), "damaged", &question);
            if self.wait(self.database.write(&account, &change, &note))? == Written::Done {
                return Ok(true);
            }
        }
        Err(ServerError::Contended(ROUNDS).into())
    }
}
