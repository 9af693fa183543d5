//! The secrets of an account, for another system.
//!
//! Invariant: they are read under the lock, with what was used of them: a code that is accepted before is never handed on as
//! unused.

use super::locations::{Files, migrated};
use crate::codes::token::Label;
use crate::host::user::UserName;
use crate::log::record::Event;
use crate::store::administration::{AccountExport, ExportedAccount};
use crate::store::changes;
use crate::store::error::StoreError;

impl AccountExport for Files {
    fn export(&self, user: &UserName) -> Result<Option<ExportedAccount>, StoreError> {
        let Some(account) = self.locked(user)? else { return Ok(None) };
        let state = account.state()?;
        migrated(user, &state)?;
        let Some(credentials) = account.credentials()? else { return Ok(None) };
        Ok(Some(changes::exported(credentials, &state)))
    }

    /// Its line is in the log.
    fn note_showing(&self, _: &UserName, _: Event, _: &[&Label]) -> Result<(), StoreError> {
        Ok(())
    }
}
