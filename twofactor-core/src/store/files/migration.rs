//! The move of physical tokens from the registry of an older version into their owners' own files.
//!
//! Invariants: it may be repeated, and interrupted at any moment. A user's tokens are in the file before the state stops
//! naming them as missing there. A registry that has fewer tokens than the state names is no reason to forget them.

use super::holdings::{Holding, carry_out};
use super::identity::users_in;
use super::locations::Files;
use super::user_folder::{Account, LockedAccount};
use crate::host::user::UserName;
use crate::store::administration::{Author, Migration, StateIdentity as _};
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::inventory::{Direction, Gift};
use crate::store::registry::{self, Edit};

/// So many users are locked at a time, and their files flushed together.
const PORTION: usize = 256;

impl Files {
    /// Moves the tokens of all users, and goes on where one of them cannot be moved.
    pub(super) fn migrate_all(&self, by: Author<'_>) -> Result<Migration, StoreError> {
        let mut migration = Migration::default();
        self.claim_if_used()?;
        let mut left = self.unmigrated(&mut migration)?;
        if left.is_empty() {
            return Ok(migration);
        }
        let mut writer = self.writer()?;
        // It changes nothing. It keeps other processes from changing the registry meanwhile.
        let edit = writer.as_mut().map(|writer| writer.edit(by)).transpose()?;
        while !left.is_empty() {
            let mut moved = Vec::new();
            for user in left.drain(..left.len().min(PORTION)) {
                match self.moving(&user, edit.as_ref()) {
                    Ok(Some((holding, tokens))) => moved.push((holding, user, tokens)),
                    // Another process was quicker.
                    Ok(None) => {}
                    Err(error) => migration.problems.push(error),
                }
            }
            let (holdings, users): (Vec<Holding>, Vec<_>) =
                moved.into_iter().map(|(holding, user, tokens)| (holding, (user, tokens))).unzip();
            carry_out(&holdings, Direction::Gives, || Ok(()))?;
            migration.moved.extend(users);
        }
        Ok(migration)
    }

    /// The users whose states name tokens that are in the registry alone.
    fn unmigrated(&self, migration: &mut Migration) -> Result<Vec<UserName>, StoreError> {
        let mut found = Vec::new();
        let Some(users) = self.users_folder()? else { return Ok(found) };
        for user in users_in(&users)? {
            let state = users.folder(user.as_str()).map_err(StoreError::from);
            match state.and_then(|folder| folder.map(|folder| Account(folder).state()).transpose()) {
                Ok(Some(state)) if state.tokens_held > 0 => found.push(user),
                Ok(_) => {}
                // What is lost or damaged is said by `doctor`, and opens nothing.
                Err(error) if FilesError::is_of_the_state(&error) => {}
                Err(error) => migration.problems.push(error),
            }
        }
        Ok(found)
    }

    fn moving(&self, user: &UserName, edit: Option<&Edit<'_>>) -> Result<Option<(Holding, usize)>, StoreError> {
        let Some(account) = self.locked(user)? else { return Ok(None) };
        self.moving_of(account, user, edit)
    }

    /// The files of a user who is locked, with the tokens that the registry has; `None` where nothing is to be moved.
    pub(super) fn moving_of(
        &self,
        account: LockedAccount,
        user: &UserName,
        edit: Option<&Edit<'_>>,
    ) -> Result<Option<(Holding, usize)>, StoreError> {
        let state = account.state()?;
        if state.tokens_held == 0 {
            return Ok(None);
        }
        let registered = edit.map(|edit| edit.held_by(user)).transpose()?.unwrap_or_default();
        let (held, known) = (state.tokens_held, registered.len());
        let is_unfinished_gift = state.tokens_before_gift.is_some_and(|before| known >= before);
        let taken = edit.map(|edit| edit.taken_from(user)).transpose()?.unwrap_or_default();
        if known < held && !is_unfinished_gift && taken < held - known {
            let path = self.state.join(registry::FILE);
            return Err(FilesError::LostTokens { path, user: user.clone(), held, known }.into());
        }
        let is_unknown = |serial: &_| Ok(edit.map(|edit| edit.token(serial)).transpose()?.flatten().is_none());
        let now = self.clock.now()?;
        let holding = Holding::of(account, registered, Direction::Gives, Gift::default(), is_unknown, now)?;
        Ok(Some((holding, known)))
    }
}
