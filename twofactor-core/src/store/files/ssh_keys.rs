//! The security keys of a user, as root changes them; the user does in `self_service`. Logins find them by `Store::recognize`.

use super::locations::{Files, migrated};
use super::user_folder::SECRET;
use crate::account::{Credentials, EnrolledKey, State};
use crate::host::user::{Person, UserName};
use crate::store::administration::{
    AddedKey, LastCredential, Reset, SshKeyAdministration, SshKeyError, StateIdentity as _,
};
use crate::store::changes::{self, Added, Removed};
use crate::store::error::StoreError;

impl SshKeyAdministration for Files {
    fn add_ssh_key(&self, person: &Person, key: EnrolledKey) -> Result<AddedKey, SshKeyError> {
        self.claim()?;
        let account = self.locked_or_new(&person.name)?;
        let state = account.state()?;
        let credentials = account.credentials()?;
        Self::check_belongings(&account, &state, person)?;
        migrated(&person.name, &state)?;
        let credentials = credentials.map_or_else(Credentials::none, Ok)?;
        let now = self.clock.now().map_err(StoreError::from)?;
        let has_credentials = state.has_credentials || account.has(SECRET)?;
        let before = State { has_credentials, ..state.clone() };
        let Added { credentials, state: after, outcome } = changes::add_ssh_key(person, credentials, before, key, now)?;
        match after {
            Some(after) => account.write(&after, &credentials)?,
            None => account.write_credentials(&state, &credentials)?,
        }
        Ok(outcome)
    }

    fn remove_ssh_key(&self, user: &UserName, name: &str, last: LastCredential) -> Result<EnrolledKey, SshKeyError> {
        self.claim_if_used()?;
        let no_key = || SshKeyError::NoKey(user.clone(), name.to_owned());
        let account = self.locked(user)?.ok_or_else(no_key)?;
        let mut credentials = account.credentials()?.ok_or_else(no_key)?;
        let state = account.state()?;
        let Removed { key, was_last } = changes::remove_ssh_key(user, &mut credentials, name)?;
        if was_last {
            migrated(user, &state)?;
            if last == LastCredential::Keep {
                return Err(SshKeyError::LastCredential(user.clone()));
            }
            self.reset_account(&account, user, Reset::Everything)?;
        } else {
            account.write_credentials(&state, &credentials)?;
        }
        Ok(key)
    }
}
