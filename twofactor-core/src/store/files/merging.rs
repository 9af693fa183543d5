//! A backup merged into a store that is in use: what is missing comes back, and what is there stays.
//!
//! Invariants: an account that has credentials keeps them. What this host knows to be used, lost or revoked stays so. All of
//! the backup is read and found valid first. Then each step is whole by itself and does nothing the second time: an
//! interrupted merge is completed by running it again. The registry comes first, as when a token is assigned, but for the
//! folders of owners who have none: an owner without a folder would have lost it.

use std::collections::BTreeSet;

use super::locations::Files;
use super::restoring::{Arrival, Staging};
use super::user_folder::Account;
use crate::account::{Credentials, RecoveryCodes, State};
use crate::host::clock::UnixTime;
use crate::host::user::UserName;
use crate::store::administration::{NextRecord, RestoreError, Restored};
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::registry::{self, CHANGE_PATIENCE, RegistryReader, Writer};

/// The rules of a merge, and its time.
struct Merge<'m> {
    staging: &'m Staging,
    /// The users without credentials of whom something was kept here.
    remains: BTreeSet<UserName>,
    reader: Option<RegistryReader>,
    recovery: RecoveryCodes,
    now: UnixTime,
}

impl Files {
    pub(super) fn merge_all(
        &self,
        next: &mut NextRecord<'_>,
        recovery: RecoveryCodes,
    ) -> Result<Restored, RestoreError> {
        let now = self.clock.now().map_err(StoreError::from)?;
        self.claim()?;
        let state = self.state_folder_or_new()?;
        self.users_folder_or_new()?;
        // Against another restore. The registry has the same lock.
        let lock = self.state_folder_or_new()?.lock(CHANGE_PATIENCE)?;
        let staging = Staging::begin(&state)?;
        let mut restored = staging.fill(next, Arrival::AsItIs)?;
        staging.folder.flush_file_system()?;
        let coming = self.coming(&restored.users)?;
        drop(lock);
        let mut remains = BTreeSet::new();
        for user in &coming {
            if self.unlocked(user)?.is_some() {
                remains.insert(user.clone());
            }
            drop(self.locked_or_new(user)?);
        }
        // Held until the accounts are there, too.
        let mut writer = None;
        restored.tokens = 0;
        if staging.folder.examine(registry::FILE)?.is_some() {
            let registry = self.state_folder_or_new()?;
            let mut opened = Writer::open_or_make(registry, CHANGE_PATIENCE).map_err(StoreError::from)?;
            let backup = staging.folder.path().join(registry::FILE);
            restored.tokens = opened.merge(&backup, &coming, now).map_err(StoreError::from)?;
            writer = Some(opened);
        }
        let reader = RegistryReader::open(&state).map_err(StoreError::from)?;
        let merge = Merge { staging: &staging, remains, reader, recovery, now };
        for user in std::mem::take(&mut restored.users) {
            let comes = coming.contains(&user);
            self.merge_account(&merge, user, comes, &mut restored)?;
        }
        drop(writer);
        Ok(restored)
    }

    /// The users whose credentials come from the backup: they have none here.
    fn coming(&self, users: &[UserName]) -> Result<BTreeSet<UserName>, StoreError> {
        let mut coming = BTreeSet::new();
        for user in users {
            let has_credentials = match self.unlocked(user)? {
                Some(account) => account.has_credentials()?,
                None => false,
            };
            if !has_credentials {
                coming.insert(user.clone());
            }
        }
        Ok(coming)
    }

    fn merge_account(
        &self,
        merge: &Merge<'_>,
        user: UserName,
        comes: bool,
        restored: &mut Restored,
    ) -> Result<(), RestoreError> {
        let missing = || StoreError::from(FilesError::NoFolder(merge.staging.users.path().join(user.as_str())));
        let staged = Account(merge.staging.users.folder(user.as_str())?.ok_or_else(missing)?);
        let (mut credentials, theirs) = (staged.credentials()?, staged.state()?);
        let here = if comes { Some(self.locked_or_new(&user)?) } else { self.locked(&user)? };
        let known = here.as_ref().map(Account::state).transpose()?.filter(|state| *state != State::default());
        let is_another = known.as_ref().is_some_and(|ours| theirs.uid.is_some_and(|uid| !ours.may_be_of(uid)));
        // Enrolled meanwhile, or another person.
        let stays = here.as_ref().map_or(Ok(false), Account::has_credentials)? || is_another;
        let mut state = known.clone().unwrap_or_else(|| theirs.clone());
        if !is_another {
            state.learn(&theirs);
        }
        if stays || !comes {
            if let (Some(here), true) = (&here, Some(&state) != known.as_ref()) {
                here.write_state(&state)?;
            }
            restored.kept.push(user);
            return Ok(());
        }
        // Remains know no uid, and without one the account would be that of any person who gets the name.
        state.uid = state.uid.or(theirs.uid);
        if let Some(credentials) = &mut credentials {
            merge.keep_registered(&user, credentials)?;
        }
        // The remains of an account, without an invitation: a reset leaves that.
        let is_invited = known.as_ref().is_some_and(|state| state.invitation.is_some());
        if credentials.is_some() && merge.remains.contains(&user) && !is_invited {
            restored.reset_here.push(user.clone());
        }
        let known = known.unwrap_or_default();
        let revival = state.revive(credentials.as_mut(), &known, merge.recovery, merge.now);
        restored.note(&user, revival);
        // Credentials that the state tells of must be there.
        state.has_credentials = false;
        match (here, credentials) {
            (Some(here), Some(credentials)) => here.write(&state, &credentials)?,
            (Some(here), None) => here.write_state(&state)?,
            (None, _) => return Err(missing().into()),
        }
        restored.users.push(user);
        Ok(())
    }
}

impl Merge<'_> {
    /// Drops the tokens that the registry does not assign to the user now.
    fn keep_registered(&self, user: &UserName, credentials: &mut Credentials) -> Result<(), StoreError> {
        let held = self.reader.as_ref().map(|reader| reader.held_by(user)).transpose()?.unwrap_or_default();
        credentials.held.retain(|ours| held.iter().any(|theirs| theirs.token.serial == ours.token.serial));
        for ours in &mut credentials.held {
            if let Some(theirs) = held.iter().find(|theirs| theirs.token.serial == ours.token.serial) {
                ours.status = theirs.status;
            }
        }
        Ok(())
    }
}
