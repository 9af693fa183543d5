//! Changes of physical tokens and series, and secrets that several users or tokens have. None yet.

use std::sync::Arc;

use twofactor_core::account::Held;
use twofactor_core::account::lifecycle::Change;
use twofactor_core::codes::otp::{Algorithm, Code, Progress};
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::token::Serial;
use twofactor_core::host::user::{Person, UserName};
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{
    Author, Fit, LastCredential, SecretSharing, Sharer, Sharing, TokenAdministration, TokenError, TokenImport,
};

use super::error::CentralError;
use super::store::Central;
use crate::inventory::Import;

fn no_tokens() -> StoreError {
    CentralError::refused("keep physical tokens", "assign them on a host with accounts of its own")
}

impl Central {
    /// The physical tokens of a user as the inventory has them. The reset of an account that cannot be read takes them from there.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "there is no inventory yet")]
    pub(super) fn registered(&self, _: &UserName) -> Result<Vec<Held>, StoreError> {
        Ok(Vec::new())
    }
}

impl SecretSharing for Central {
    fn sharer(&self, _: &UserName, _: &Secret, _: Algorithm) -> Result<Option<Sharer>, StoreError> {
        Ok(None)
    }

    fn note_shared(&self, _: &Secret, _: Algorithm, _: Author<'_>) -> Result<(), StoreError> {
        Ok(())
    }
}

impl TokenAdministration for Central {
    fn import(&self) -> Result<Box<dyn TokenImport>, StoreError> {
        Ok(Box::new(Import::begin(Arc::clone(&self.runtime), Arc::clone(&self.database))?))
    }

    fn import_rehearsal(&self) -> Result<Box<dyn TokenImport>, StoreError> {
        Ok(Box::new(Import::rehearse(Arc::clone(&self.runtime), Arc::clone(&self.database))?))
    }

    fn assign(&self, _: &[(Serial, Person)], _: Sharing, _: Author<'_>) -> Result<(), TokenError> {
        Err(no_tokens().into())
    }

    fn unassign(&self, _: &Serial, _: LastCredential, _: Author<'_>) -> Result<UserName, TokenError> {
        Err(no_tokens().into())
    }

    fn change(&self, _: &[Serial], _: Change, _: LastCredential, _: Author<'_>) -> Result<(), TokenError> {
        Err(no_tokens().into())
    }

    fn delete_tokens(&self, _: &[Serial], _: LastCredential, _: Author<'_>) -> Result<(), TokenError> {
        Err(no_tokens().into())
    }

    fn resynchronize(&self, _: &Serial, _: [&Code; 2], _: Author<'_>) -> Result<Progress, TokenError> {
        Err(no_tokens().into())
    }

    fn probe(&self, _: &Serial, _: [&Code; 2]) -> Result<Vec<Fit>, TokenError> {
        Err(no_tokens().into())
    }

    fn delete_series(&self, _: &str, _: LastCredential, _: Author<'_>) -> Result<usize, TokenError> {
        Err(no_tokens().into())
    }

    fn mend_series(&self, _: &str, _: &Serial, _: &Fit, _: Author<'_>) -> Result<usize, TokenError> {
        Err(no_tokens().into())
    }
}
