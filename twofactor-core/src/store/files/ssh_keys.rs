//! The security keys of a user, as root or the user changes them. Logins find them by `Store::recognize`.

use super::locations::{Files, migrated};
use super::user_folder::SECRET;
use crate::account::{Credentials, EnrolledKey, MOST_SSH_KEYS, State};
use crate::codes::ssh_key::Fingerprint;
use crate::host::user::{Person, UserName};
use crate::store::administration::{LastCredential, Reset, SshKeyAdministration, SshKeyError, StateIdentity as _};

impl SshKeyAdministration for Files {
    fn add_ssh_key(&self, person: &Person, key: EnrolledKey) -> Result<(), SshKeyError> {
        self.claim()?;
        let account = self.locked_or_new(&person.name)?;
        let state = account.state()?;
        let credentials = account.credentials()?;
        Self::check_belongings(&account, &state, person)?;
        migrated(&person.name, &state)?;
        let mut credentials = credentials.map_or_else(Credentials::none, Ok)?;
        if credentials.ssh_keys.iter().any(|enrolled| enrolled.key == key.key) {
            return Err(SshKeyError::AlreadyEnrolled(person.name.clone(), key.key.fingerprint()));
        }
        if credentials.ssh_keys.len() >= MOST_SSH_KEYS {
            return Err(SshKeyError::TooMany(person.name.clone()));
        }
        credentials.ssh_keys.push(key);
        let has_credentials = state.has_credentials || account.has(SECRET)?;
        // A user who is enrolled sets up nothing with an invitation.
        let state = State { uid: Some(person.uid), invitation: None, has_credentials, ..state };
        Ok(account.write(&state, &credentials)?)
    }

    fn remove_ssh_key(&self, user: &UserName, name: &str, last: LastCredential) -> Result<EnrolledKey, SshKeyError> {
        self.claim_if_used()?;
        let no_key = || SshKeyError::NoKey(user.clone(), name.to_owned());
        let account = self.locked(user)?.ok_or_else(no_key)?;
        let mut credentials = account.credentials()?.ok_or_else(no_key)?;
        let state = account.state()?;
        let key = taken(&mut credentials, name).map_err(|several| match several {
            Some(keys) => SshKeyError::Ambiguous { user: user.clone(), label: name.to_owned(), keys },
            None => no_key(),
        })?;
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

/// Takes the key with this fingerprint or label out of the credentials. An error names the keys of that label, if there are
/// several.
fn taken(credentials: &mut Credentials, name: &str) -> Result<EnrolledKey, Option<Vec<Fingerprint>>> {
    let keys = &mut credentials.ssh_keys;
    let print = |one: &EnrolledKey| one.key.fingerprint();
    let found = match keys.iter().position(|one| print(one).as_str() == name) {
        Some(found) => found,
        None => {
            let called = || keys.iter().enumerate().filter(|(_, one)| one.label.as_str() == name);
            match (called().next(), called().count()) {
                (Some((only, _)), 1) => only,
                (Some(_), _) => return Err(Some(called().map(|(_, one)| print(one)).collect())),
                (None, _) => return Err(None),
            }
        }
    };
    Ok(keys.remove(found))
}
