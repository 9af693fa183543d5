//! The security keys of a user. No login asks this store about them: sshd has verified a key on another machine.

use super::account::{Kept, OneAccount};
use crate::account::{Credentials, EnrolledKey};
use crate::host::user::{Person, UserName};
use crate::store::administration::{
    AccountAdministration as _, AddedKey, LastCredential, Reset, SshKeyAdministration, SshKeyError,
};
use crate::store::changes::{self, Added, Removed};

impl SshKeyAdministration for OneAccount<'_> {
    fn add_ssh_key(&self, person: &Person, key: EnrolledKey) -> Result<AddedKey, SshKeyError> {
        let Kept { credentials, state } = self.kept(&person.name)?.cloned().unwrap_or_default();
        let credentials = credentials.map_or_else(Credentials::none, Ok)?;
        let owner = self.owner(&person.name)?;
        let Added { credentials, state: after, outcome } =
            changes::add_ssh_key(&owner, credentials, state.clone(), key, self.now)?;
        self.write(&after.unwrap_or(state), &credentials);
        Ok(outcome)
    }

    fn remove_ssh_key(&self, user: &UserName, name: &str, last: LastCredential) -> Result<EnrolledKey, SshKeyError> {
        let Some(Kept { credentials: Some(credentials), state }) = self.kept(user)? else {
            return Err(SshKeyError::NoKey(user.clone(), name.to_owned()));
        };
        let mut credentials = credentials.clone();
        let Removed { key, was_last } = changes::remove_ssh_key(user, &mut credentials, name)?;
        if !was_last {
            self.write(state, &credentials);
        } else if last == LastCredential::Keep {
            return Err(SshKeyError::LastCredential(user.clone()));
        } else {
            self.reset(user, Reset::Everything)?;
        }
        Ok(key)
    }
}
