//! The secrets of an account, for another system.
//!
//! Invariant: they are read under the lock, with what was used of them: a code that is accepted before is never handed on as
//! unused.

use super::locations::{Files, migrated};
use crate::account::Held;
use crate::host::user::UserName;
use crate::store::administration::{AccountExport, ExportedAccount, ExportedSecret, SecretStanding};
use crate::store::error::StoreError;

impl AccountExport for Files {
    fn export(&self, user: &UserName) -> Result<Option<ExportedAccount>, StoreError> {
        let Some(account) = self.locked(user)? else { return Ok(None) };
        let state = account.state()?;
        migrated(user, &state)?;
        let Some(credentials) = account.credentials()? else { return Ok(None) };
        let (recovery_left, ssh_keys) = (credentials.recovery_left(&state), credentials.ssh_keys.len());
        let apps = credentials.apps.into_iter().map(|app| {
            let standing = SecretStanding::App(app.confirmation());
            ExportedSecret { token: app.offered_again(&state), standing }
        });
        let held = credentials.held.into_iter().map(|Held { mut token, status, .. }| {
            token.start = state.progress_of(&token);
            ExportedSecret { token, standing: SecretStanding::Token(status) }
        });
        Ok(Some(ExportedAccount { secrets: apps.chain(held).collect(), recovery_left, ssh_keys }))
    }
}
