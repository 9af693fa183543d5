//! An account goes to another name of the same person: `usermod -l` has renamed the user.
//!
//! Invariants: the registry is locked first, then the account, then the folder of the new name, so two renames cannot wait for
//! each other. At every moment the account stands under one of the two names, as a whole: what was used, counted and
//! remembered goes along, because the folder itself gets the other name. The registry is written first, then the uid in the
//! state, then the folder is renamed: until then logins go by the old name, from then on by the new one, and no login reads
//! the registry. A process that is killed in between leaves the account under the old name; repeating the command completes it.
//!
//! The new name may have counts and used codes from before the rename, and no credential: the used codes are learned, the rest
//! is dropped. A login that waits for the lock of either folder looks under its name again once it has it ([`Files::locked`]).

use std::io::ErrorKind;

use super::locations::{Files, migrated};
use super::user_folder::LockedAccount;
use crate::account::State;
use crate::codes::token::Serial;
use crate::host::trusted::{FileError, Folder};
use crate::host::user::{Person, UserName};
use crate::log::record::{Event, Record};
use crate::store::administration::{AccountRenaming, Author, Belongs, RenameError, Renamed, StateRepair as _};
use crate::store::error::StoreError;
use crate::store::registry::{Edit, RegistryError, RenameLine, Writer};

/// A folder that appears under the new name again and again is not waited for.
const TRIES: usize = 8;

/// A rename that is begun, or one that is repeated after an interruption: its line stands in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    First,
    Repeated,
}

/// An account that gets another name.
struct Renaming<'r> {
    users: Folder,
    account: LockedAccount,
    /// The state that was found.
    state: State,
    from: &'r UserName,
    to: &'r Person,
}

impl AccountRenaming for Files {
    fn rename(&self, from: &UserName, to: &Person, seen: Belongs, by: Author<'_>) -> Result<Renamed, RenameError> {
        let missing = || RenameError::NoAccount(from.clone());
        if *from == to.name {
            return Err(RenameError::Occupied(from.clone()));
        }
        if self.state_folder()?.is_none() {
            return Err(missing());
        }
        // The history says under which names the events before the rename stand.
        self.make_registry()?;
        let mut writer = self.writer()?.ok_or_else(missing)?;
        let edit = writer.edit(by)?;
        let run = if edit.is_last_rename(from, &to.name)? { Run::Repeated } else { Run::First };
        let Some(account) = self.locked(from)? else {
            return self.completed(edit, from, to, run);
        };
        let state = account.state()?;
        migrated(from, &state)?;
        let renamed = renamed(&account)?;
        if Self::belongs_as_in(&account, &state)? != seen {
            return Err(RenameError::Overtaken(from.clone()));
        }
        let users = self.users_folder()?.ok_or_else(missing)?;
        if run == Run::Repeated && self.is_left_over(&account, &state, &to.name)? {
            // Killed before the counts of the new name were dropped.
            users.discard(from.as_str());
            return self.completed(edit, from, to, run);
        }
        if run == Run::First && edit.held(&to.name)? > 0 {
            return Err(RenameError::Occupied(to.name.clone()));
        }
        drop(self.traces_of(&to.name)?);
        let renaming = Renaming { users, account, state, from, to };
        let line = renaming.register(edit, seen, run)?;
        if let Err(error) = self.carry_out(&renaming) {
            // A folder that got the new name and could not be flushed has it all the same.
            if !renaming.is_done() {
                renaming.take_back(&mut writer, by, line);
            }
            return Err(error);
        }
        Ok(renamed)
    }
}

impl Renaming<'_> {
    /// Makes the registry say the new name.
    fn register(&self, edit: Edit<'_>, seen: Belongs, run: Run) -> Result<Option<RenameLine>, RegistryError> {
        let Self { from, to, .. } = self;
        edit.rename_owner(from, &to.name)?;
        let line = if run == Run::Repeated {
            None
        } else {
            let uids = Record::new(Event::AccountRenamed).with_some("uid_before", seen.uid());
            let uids = uids.with_some("uid", to.uid.known());
            Some(edit.record_rename(from, &to.name, uids.pairs())?)
        };
        edit.commit()?;
        Ok(line)
    }

    /// True when the folder has the new name.
    fn is_done(&self) -> bool {
        self.users.is_named(self.to.name.as_str(), self.account.folder()).unwrap_or(false)
    }

    /// Takes back what was written before the folder could not be renamed. Should that fail, the registry differs from the
    /// files, by which logins go; repeating the command completes it.
    fn take_back(&self, writer: &mut Writer, by: Author<'_>, line: Option<RenameLine>) {
        let _ = self.account.overwrite_state(&self.state);
        let _ = self.unregister(writer, by, line);
    }

    fn unregister(&self, writer: &mut Writer, by: Author<'_>, line: Option<RenameLine>) -> Result<(), RegistryError> {
        let edit = writer.edit(by)?;
        edit.rename_owner(&self.to.name, self.from)?;
        line.map_or(Ok(()), |line| edit.forget_rename(line))?;
        edit.commit()
    }
}

impl Files {
    /// The outcome where the old name has no account: that of a rename which was killed when it was done, or of one which was
    /// killed before the folder was renamed and is taken back.
    fn completed(&self, edit: Edit<'_>, from: &UserName, to: &Person, run: Run) -> Result<Renamed, RenameError> {
        let there = self.locked(&to.name)?.ok_or_else(|| RenameError::NoAccount(from.clone()))?;
        if run == Run::First {
            if !edit.is_last_rename(&to.name, from)? {
                return Err(RenameError::NoAccount(from.clone()));
            }
            edit.rename_owner(from, &to.name)?;
            let _ = edit.record_rename(from, &to.name, "")?;
            edit.commit()?;
        }
        Ok(renamed(&there)?)
    }

    fn carry_out(&self, renaming: &Renaming<'_>) -> Result<(), RenameError> {
        let Renaming { users, account, state, from, to } = renaming;
        let (from, name) = (from.as_str(), to.name.as_str());
        for _ in 0..TRIES {
            let traces = self.traces_of(&to.name)?;
            let mut next = State { uid: Some(to.uid), ..state.clone() };
            if let Some((_, known)) = &traces {
                next.learn(known);
            }
            if next != *state {
                account.overwrite_state(&next)?;
            }
            if traces.is_some() {
                users.exchange(from, name).map_err(StoreError::from)?;
                // These are the counts of the new name, which nothing needs any more.
                users.discard(from);
                return Ok(());
            }
            match users.rename(from, name) {
                // A login or a command has begun to keep something under the new name.
                Err(error) if is_occupied(&error) => {}
                renamed => return Ok(renamed.map_err(StoreError::from)?),
            }
        }
        Err(RenameError::Overtaken(to.name.clone()))
    }

    /// True when what stands under the old name is no account, and the account under the new one knows all that it has used.
    fn is_left_over(&self, account: &LockedAccount, state: &State, new: &UserName) -> Result<bool, StoreError> {
        if account.has_credentials()? || state.tokens_held > 0 {
            return Ok(false);
        }
        let Some(there) = self.locked(new)? else { return Ok(false) };
        let known = there.state()?;
        let mut learned = known.clone();
        learned.learn(state);
        Ok(there.has_credentials()? && learned == known)
    }

    /// Counts and used codes under the new name, locked. Refuses where there are credentials.
    fn traces_of(&self, user: &UserName) -> Result<Option<(LockedAccount, State)>, RenameError> {
        let Some(account) = self.locked(user)? else { return Ok(None) };
        let state = account.state()?;
        if account.has_credentials()? || state.tokens_held > 0 {
            return Err(RenameError::Occupied(user.clone()));
        }
        Ok(Some((account, state)))
    }
}

fn renamed(account: &LockedAccount) -> Result<Renamed, StoreError> {
    let Some(credentials) = account.credentials()? else { return Ok(Renamed { apps: 0, tokens: Vec::new() }) };
    let tokens: Vec<Serial> = credentials.held.into_iter().map(|held| held.token.serial).collect();
    Ok(Renamed { apps: credentials.apps.len(), tokens })
}

/// True when a folder of that name is there. Ours are never empty, so none is replaced.
fn is_occupied(error: &FileError) -> bool {
    matches!(error, FileError::Io { source, .. }
        if [ErrorKind::AlreadyExists, ErrorKind::DirectoryNotEmpty].contains(&source.kind()))
}

impl From<RegistryError> for RenameError {
    fn from(error: RegistryError) -> Self {
        Self::Store(error.into())
    }
}
