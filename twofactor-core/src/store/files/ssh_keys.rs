//! The security keys of a user, as root changes them; the user does in `self_service`. Logins find them by `Store::recognize`.

use super::locations::{Files, migrated};
use super::user_folder::SECRET;
use crate::account::factors::Attestation;
use crate::account::{Credentials, EnrolledKey, MOST_SSH_KEYS, State};
use crate::host::user::{Person, UserName};
use crate::store::administration::{
    AddedKey, LastCredential, Reset, SshKeyAdministration, SshKeyError, SshKeyView, StateIdentity as _,
};
use crate::store::error::StoreError;

impl SshKeyAdministration for Files {
    fn add_ssh_key(&self, person: &Person, key: EnrolledKey) -> Result<AddedKey, SshKeyError> {
        self.claim()?;
        let account = self.locked_or_new(&person.name)?;
        let state = account.state()?;
        let credentials = account.credentials()?;
        Self::check_belongings(&account, &state, person)?;
        migrated(&person.name, &state)?;
        let mut credentials = credentials.map_or_else(Credentials::none, Ok)?;
        if let Some(enrolled) = credentials.ssh_keys.iter_mut().find(|enrolled| enrolled.key == key.key) {
            if (enrolled.attestation, key.attestation) != (Attestation::None, Attestation::Checked) {
                return Err(SshKeyError::AlreadyEnrolled(person.name.clone(), key.key.fingerprint()));
            }
            enrolled.attestation = key.attestation;
            let attested = AddedKey::Attested(enrolled.clone());
            account.write_credentials(&state, &credentials)?;
            return Ok(attested);
        }
        if credentials.ssh_keys.len() >= MOST_SSH_KEYS {
            return Err(SshKeyError::TooMany(person.name.clone()));
        }
        credentials.ssh_keys.push(key);
        let now = self.clock.now().map_err(StoreError::from)?;
        let voided = state.invitation.as_ref().and_then(|invitation| invitation.open_until(now));
        let has_credentials = state.has_credentials || account.has(SECRET)?;
        // A user who is enrolled sets up nothing with an invitation.
        let state = State { uid: Some(person.uid), invitation: None, has_credentials, ..state };
        account.write(&state, &credentials)?;
        Ok(AddedKey::New { voided })
    }

    fn remove_ssh_key(&self, user: &UserName, name: &str, last: LastCredential) -> Result<EnrolledKey, SshKeyError> {
        self.claim_if_used()?;
        let no_key = || SshKeyError::NoKey(user.clone(), name.to_owned());
        let account = self.locked(user)?.ok_or_else(no_key)?;
        let mut credentials = account.credentials()?.ok_or_else(no_key)?;
        let state = account.state()?;
        let views: Vec<SshKeyView> = credentials.ssh_keys.iter().map(SshKeyView::of).collect();
        let named = SshKeyView::named(name, user, &views)?;
        let place = views.iter().position(|view| view == named).ok_or_else(no_key)?;
        let key = credentials.ssh_keys.remove(place);
        if credentials.has_tokens_alone() && credentials.held.is_empty() {
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
