//! The registry of this host as the registrar of tokens at login: for the broker, which a login asks.

use super::holdings::Locks;
use super::locations::{Files, Registrar};
use crate::account::invitation::Invitation;
use crate::codes::token::Serial;
use crate::host::user::Person;
use crate::store::administration::Author;
use crate::store::enrollment::{Listing, Registration, RegistrationProof, Superseded};
use crate::store::error::StoreError;
use crate::store::inventory::{Listed, Stored};
use crate::store::newcomer::spend;
use crate::store::registry::{Edit, RegistryError, Writer};
use crate::store::verification::must_be_of;

impl Files {
    /// The same store, which registers tokens at login by the registry.
    #[must_use]
    pub fn with_registry(self) -> Self {
        Self { registrar: Some(&OfThisHost), ..self }
    }
}

/// The registry of this host.
#[derive(Debug)]
struct OfThisHost;

impl Registrar for OfThisHost {
    fn listing(&self, files: &Files, serial: &Serial) -> Result<Listing, StoreError> {
        Ok(files.listed(serial)?.map_or(Listing::Unknown, Listed::into_listing))
    }

    fn register(
        &self,
        files: &Files,
        person: &Person,
        registration: &Registration,
        invitation: Option<Invitation>,
    ) -> Result<(), Superseded> {
        let (user, serial) = (&person.name, &registration.serial);
        let RegistrationProof::Progress(progress) = registration.proof else { return Err(Superseded::TokenTaken) };
        let state = files.state_folder()?.ok_or(Superseded::TokenTaken)?;
        let mut writer = Writer::open(state, files.patience())?.ok_or(Superseded::TokenTaken)?;
        let by = Author { who: user.as_str(), at: files.clock.now()? };
        let edit: Edit<'_> = writer.edit(by)?;
        let token: Stored = edit.token(serial)?.ok_or(Superseded::TokenTaken)?;
        if !token.is_free() {
            return Err(Superseded::TokenTaken);
        }
        // Another login may have used these two codes meanwhile.
        if token.progress.watermark >= progress.watermark {
            return Err(Superseded::TokenTaken);
        }
        let account = files.locked_or_new(user)?;
        let now = files.clock.now()?;
        let before = account.state()?.seen_at(now);
        if account.has_credentials()? || before.tokens_held > 0 || edit.held(user)? > 0 {
            return Err(Superseded::Enrolled);
        }
        if invitation.is_some() {
            must_be_of(&before, person)?;
        }
        // It admits no further enrollment once the token is the user's. Until then the assignment may be taken back.
        spend(&mut before.clone(), invitation, now)?;
        edit.assign(&token, user)?;
        edit.resynchronize(&token, progress)?;
        let mut locks = Locks::new();
        locks.add_receiver(person, account, None);
        locks.receives(user, serial);
        Ok(locks.commit_gift(edit, now)?)
    }
}

impl From<RegistryError> for Superseded {
    fn from(error: RegistryError) -> Self {
        Self::Store(error.into())
    }
}
