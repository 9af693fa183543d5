//! Secrets shared by several users. Their holder can log in as each of them, and a code that opened a session of one
//! user is valid for the other.
//!
//! Only secrets from outside are looked up: those of `enroll --secret-file`, of vendors' files and of tokens that are
//! assigned. Ours are random. An unreadable account is skipped: `doctor` names it.

use crate::codes::otp::Algorithm;
use crate::codes::secret::Secret;
use crate::codes::token::Marks;
use crate::host::user::UserName;
use crate::store::administration::{Author, SecretSharing, Sharer};
use crate::store::error::StoreError;
use crate::store::files::identity::users_in;
use crate::store::files::locations::Files;
use crate::store::files::user_folder::Account;
use crate::store::inventory::AppSecrets;
use crate::store::registry::RegistryReader;

impl SecretSharing for Files {
    fn sharer(&self, user: &UserName, secret: &Secret, algorithm: Algorithm) -> Result<Option<Sharer>, StoreError> {
        let marks = Marks::of(secret, algorithm);
        let reader = self.state_folder()?.map(|state| RegistryReader::open(&state)).transpose()?.flatten();
        let twins = reader.map(|reader| reader.twins(marks)).transpose()?.unwrap_or_default();
        if let Some(sharer) = twins.into_iter().find_map(|twin| twin.as_sharer(user)) {
            return Ok(Some(sharer));
        }
        Ok(self.app_secrets()?.other_than(Some(user), marks).cloned().map(Sharer::App))
    }

    fn note_shared(&self, secret: &Secret, algorithm: Algorithm, by: Author<'_>) -> Result<(), StoreError> {
        let marks = Marks::of(secret, algorithm);
        let Some(state) = self.state_folder()? else { return Ok(()) };
        let reader = RegistryReader::open(&state)?;
        if reader.map(|reader| reader.twins(marks)).transpose()?.unwrap_or_default().is_empty() {
            return Ok(());
        }
        let Some(mut writer) = self.writer()? else { return Ok(()) };
        let edit = writer.edit(by)?;
        edit.note_shared(marks)?;
        Ok(edit.commit()?)
    }
}

impl Files {
    /// The secrets of all apps.
    pub(super) fn app_secrets(&self) -> Result<AppSecrets, StoreError> {
        let mut secrets = AppSecrets::default();
        let Some(users) = self.users_folder()? else { return Ok(secrets) };
        for user in users_in(&users)? {
            let Ok(Some(folder)) = users.folder(user.as_str()) else { continue };
            let Ok(Some(credentials)) = Account(folder).credentials() else { continue };
            secrets.add(&user, &credentials);
        }
        Ok(secrets)
    }
}
