//! Everything of this store handed out for a backup.
//!
//! Invariants: each account is read under its lock, so that its two files belong together. The registry is that of one
//! moment, at which no command was changing tokens: no token is half assigned.

use std::ops::ControlFlow;

use zeroize::Zeroizing;

use super::identity::users_in;
use super::locations::Files;
use super::slots::Slots;
use super::user_folder::{Account, LARGEST, LARGEST_SECRET, SECRET, STATE};
use crate::account::RecoveryCodes;
use crate::host::trusted::Folder;
use crate::host::user::UserName;
use crate::store::administration::{
    AccountRecord, BackupRecord, Destination, LastBackup, NextRecord, RestoreError, Restored, StateBackup,
};
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::registry::RegistryReader;

impl StateBackup for Files {
    fn back_up(
        &self,
        take: &mut dyn FnMut(BackupRecord) -> ControlFlow<()>,
    ) -> Result<(bool, Vec<StoreError>), StoreError> {
        let mut unreadable = Vec::new();
        // Held until the snapshot has begun. Without a registry there is nothing to hold.
        let writer = self.writer()?;
        if let Some(users) = self.users_folder()? {
            for user in users_in(&users)? {
                match self.record_of(&users, &user) {
                    Ok(Some(record)) => {
                        if take(BackupRecord::Account(record)).is_break() {
                            return Ok((false, unreadable));
                        }
                    }
                    Ok(None) => {}
                    Err(error) => unreadable.push(error),
                }
            }
        }
        let reader = self.state_folder()?.map(|state| RegistryReader::open(&state)).transpose()?.flatten();
        let Some(reader) = reader else { return Ok((true, unreadable)) };
        reader.begin_snapshot()?;
        drop(writer);
        Ok((reader.rows(&mut |row| take(BackupRecord::Row(row)))?, unreadable))
    }

    fn restore(
        &self,
        destination: Destination,
        next: &mut NextRecord<'_>,
        recovery: RecoveryCodes,
    ) -> Result<Restored, RestoreError> {
        match destination {
            Destination::Empty => self.restore_all(next, recovery),
            Destination::InUse => self.merge_all(next, recovery),
        }
    }

    fn remember_backup(&self, backup: &LastBackup) -> Result<(), StoreError> {
        self.remember(backup)
    }

    fn last_backup(&self) -> Result<Option<LastBackup>, StoreError> {
        self.remembered()
    }
}

impl Files {
    fn record_of(&self, users: &Folder, user: &UserName) -> Result<Option<AccountRecord>, StoreError> {
        let Some(folder) = users.folder(user.as_str())? else { return Ok(None) };
        let account = Account(folder.lock(self.patience())?);
        // What cannot be read here could not be restored.
        account.state()?;
        account.credentials()?;
        let folder = account.folder();
        let corrupt = |name: &str| FilesError::Corrupt { path: folder.path().join(name), place: (1, 1) };
        let text = |bytes: &[u8], name| match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Zeroizing::new(text.to_owned())),
            Err(_) => Err(corrupt(name)),
        };
        let credentials = folder.read(SECRET, LARGEST_SECRET)?;
        let credentials = credentials.map(|content| text(&content, SECRET)).transpose()?;
        let content = folder.read(STATE, LARGEST)?.ok_or_else(|| account.lost_state())?;
        let (_, state) = Slots::read(&content).map_err(|_| corrupt(STATE))?;
        Ok(Some(AccountRecord { user: user.clone(), credentials, state: Zeroizing::new(state.to_owned()) }))
    }
}
