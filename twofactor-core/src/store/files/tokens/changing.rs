//! A change of the registry with the files of the owners, as the rules of every store want it.

use crate::account::lifecycle::TokenStatus;
use crate::account::notice::Notice;
use crate::account::{Confirmation, State};
use crate::codes::otp::Progress;
use crate::codes::token::Serial;
use crate::host::clock::UnixTime;
use crate::host::user::{Person, UserName};
use crate::log::record::Event;
use crate::store::administration::Sharer;
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::files::holdings::{Locks, readable};
use crate::store::files::locations::Files;
use crate::store::files::user_folder::LockedAccount;
use crate::store::inventory::{AppSecrets, Direction, Stored, TokenChange};
use crate::store::registry::{Edit, RegistryError};

/// A change in the making. The registry is locked, and each owner from the moment at which a token of theirs is changed.
pub(super) struct Changing<'f, 'w> {
    files: &'f Files,
    pub(super) edit: Edit<'w>,
    locks: Locks,
    /// The secrets of all apps, once they are needed.
    apps: Option<AppSecrets>,
    /// The notice to users who are given a token.
    pub(super) notice: Option<&'f Notice>,
}

impl<'f, 'w> Changing<'f, 'w> {
    pub(super) fn new(files: &'f Files, edit: Edit<'w>) -> Self {
        Self { files, edit, locks: Locks::new(), apps: None, notice: None }
    }

    /// Makes it happen.
    pub(super) fn carry_out(self, direction: Direction) -> Result<(), StoreError> {
        let now = self.files.clock.now()?;
        match direction {
            Direction::Gives => self.locks.commit_gift(self.edit, now),
            Direction::Takes => self.locks.commit(self.edit, now),
        }
    }

    /// Locks a user who is going to own a token, and makes sure that there is a state that can keep how far he takes it. One
    /// that was lost is not made anew: which codes were used would not be known. Refuses where another person has something under that name.
    fn new_owner(&self, person: &Person) -> Result<LockedAccount, StoreError> {
        let account = match self.files.locked(&person.name)? {
            Some(account) => account,
            None if self.edit.held(&person.name)? > 0 => {
                return Err(FilesError::LostState(self.files.path_of_state(&person.name)).into());
            }
            None => self.files.locked_or_new(&person.name)?,
        };
        Files::check_belongings(&account, &account.state()?, person)?;
        Ok(account)
    }
}

impl TokenChange for Changing<'_, '_> {
    fn now(&self) -> Result<UnixTime, StoreError> {
        Ok(self.files.clock.now()?)
    }

    fn token(&self, serial: &Serial) -> Result<Option<Stored>, StoreError> {
        Ok(self.edit.token(serial)?)
    }

    fn owner_of(&self, token: &Stored) -> Result<Option<UserName>, StoreError> {
        let owner = token.owner.as_deref().map(UserName::new).transpose();
        owner.map_err(|_| RegistryError::damaged_owner(&token.serial).into())
    }

    /// All accounts are read only when an app is known to have one of the secrets, and once for all tokens.
    fn sharer(&mut self, token: &Stored, user: &UserName) -> Result<Option<Sharer>, StoreError> {
        let Some(marks) = token.marks() else { return Ok(None) };
        if self.apps.is_none() && self.edit.was_shared(token)? {
            self.apps = Some(self.files.app_secrets()?);
        }
        let app = self.apps.as_ref().and_then(|apps| apps.other_than(Some(user), marks).cloned().map(Sharer::App));
        // One in the inventory is refused when it is given away itself.
        let mut twins = self.edit.twins(token)?.into_iter().filter(|twin| twin.owner.is_some());
        Ok(app.or_else(|| twins.find_map(|twin| twin.as_sharer(user))))
    }

    fn held(&self, user: &UserName) -> Result<usize, StoreError> {
        Ok(self.edit.held(user)?)
    }

    fn usable(&self, user: &UserName) -> Result<usize, StoreError> {
        Ok(self.edit.usable(user)?)
    }

    fn has_app(&self, user: &UserName) -> bool {
        let account = self.files.unlocked(user).ok().flatten();
        let credentials = account.and_then(|account| account.credentials().ok()).flatten();
        credentials
            .is_some_and(|credentials| credentials.apps.iter().any(|app| app.confirmation() == Confirmation::Confirmed))
    }

    fn receive(&mut self, person: &Person) -> Result<(), StoreError> {
        if !self.locks.has(&person.name) {
            self.locks.add_receiver(person, self.new_owner(person)?, self.notice);
        }
        Ok(())
    }

    fn is_given(&self, user: &UserName, serial: &Serial) -> bool {
        self.locks.is_given(user, serial)
    }

    fn stands_in_account(&self, user: &UserName, serial: &Serial) -> Result<bool, StoreError> {
        let credentials = self.locks.of(user).map(LockedAccount::credentials).transpose()?.flatten();
        Ok(credentials.is_some_and(|credentials| credentials.held(serial).is_some()))
    }

    fn lock_owner(&mut self, token: &Stored) -> Result<Option<UserName>, StoreError> {
        let Some(owner) = self.owner_of(token)? else { return Ok(None) };
        if !self.locks.has(&owner)
            && let Some(lock) = self.files.locked(&owner)?
        {
            self.locks.add(&owner, lock);
        }
        self.locks.gives(&owner, &token.serial);
        Ok(Some(owner))
    }

    fn state(&self, owner: &UserName) -> Result<Option<State>, StoreError> {
        Ok(self.locks.of(owner).map(|lock| readable(lock.state())).transpose()?.flatten())
    }

    fn assign(&mut self, token: &Stored, user: &UserName) -> Result<(), StoreError> {
        self.locks.receives(user, &token.serial);
        Ok(self.edit.assign(token, user)?)
    }

    fn unassign(&mut self, token: &Stored, used: Progress) -> Result<(), StoreError> {
        Ok(self.edit.unassign(token, used)?)
    }

    fn set_status(&mut self, token: &Stored, status: TokenStatus, event: Event) -> Result<(), StoreError> {
        Ok(self.edit.set_status(token, status, event)?)
    }

    fn revoke(&mut self, token: &Stored, used: Progress) -> Result<(), StoreError> {
        Ok(self.edit.revoke(token, used)?)
    }

    fn delete(&mut self, token: &Stored, used: Progress) -> Result<(), StoreError> {
        Ok(self.edit.delete(token, used)?)
    }

    fn resynchronize(&mut self, token: &Stored, progress: Progress) -> Result<(), StoreError> {
        self.edit.resynchronize(token, progress)?;
        self.locks.record_progress(token, progress)
    }
}
