//! A store that is made of a backup, and put in the place of one without accounts.
//!
//! Invariants: everything is written beside the state, read and found valid to the last record before anything of the
//! host changes. Then one rename exchanges the folders: a process that is killed at any moment leaves the old state or
//! the new one. The marker beside the configuration names no other state meanwhile than the one that is there, or did not
//! name it before either.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::identity::{self, USERS_FILE, is_used};
use super::last_backup;
use super::locations::Files;
use super::user_folder::{SECRET, STATE, USERS};
use crate::account::{Credentials, RecoveryCodes, State};
use crate::host::clock::UnixTime;
use crate::host::trusted::{FileError, Flush, Folder, Protection, UNFINISHED};
use crate::store::administration::{
    AccountRecord, BackupRecord, Identity, Marking, NextRecord, RegistryRow, RestoreError, Restored, TABLES,
};
use crate::store::credentials_text::{self, END};
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::files::slots::Slots;
use crate::store::registry::{self, CHANGE_PATIENCE, RegistryError, RowError};
use crate::store::state_text;

/// The records of changed PAM services: they are this host's, and go along.
const SERVICES: &str = "services";

impl Files {
    pub(super) fn restore_all(
        &self,
        next: &mut NextRecord<'_>,
        recovery: RecoveryCodes,
    ) -> Result<Restored, RestoreError> {
        let now = self.clock.now().map_err(StoreError::from)?;
        let open = || Folder::open(&self.state, self.owner, Protection::FromReading);
        let state = match open()? {
            Some(state) => state,
            None => self.make_state_folder()?,
        };
        // Against another restore, and against changes of tokens.
        let lock = open()?.map(|folder| folder.lock(CHANGE_PATIENCE)).transpose()?;
        if is_used(&state)? {
            // Whether it is this host's is said first.
            self.state_folder()?;
            return Err(RestoreError::InUse);
        }
        is_in_one_piece(&self.state)?;
        let staging = Staging::begin(&state)?;
        let filled = staging.fill(next, Arrival::Revived(recovery, now))?;
        let marking = self.put(&state, &staging)?;
        drop(lock);
        Ok(Restored { marking: marking.0, left_over: marking.1, ..filled })
    }

    /// Exchanges the folders. Gives the folder that could not be removed, too.
    fn put(&self, state: &Folder, staging: &Staging) -> Result<(Marking, Option<PathBuf>), RestoreError> {
        let identity = Identity::generate()?;
        staging.name(&identity)?;
        copy_records(state.path(), staging.folder.path())?;
        last_backup::carry_over(state, &staging.folder)?;
        staging.folder.flush_file_system()?;
        let (parent, name) = self.parent()?;
        // Made inside the state, it has the labels of the state; exchanged it can be from outside only.
        let aside = format!(".{name}.restore");
        remove_all(&self.state.with_file_name(&aside));
        let inside = staging.folder.path().to_owned();
        if let Err(error) = state.move_to(Staging::NAME, &parent, &aside) {
            remove_all(&inside);
            return Err(if is_busy(&error) { RestoreError::Mounted(self.state.clone()) } else { error.into() });
        }
        let is_own = self.marker.is_some() && self.marker()?.is_some() && self.state_folder().is_ok();
        // Without a marker any state is used: the old one until the exchange, the new one from then on.
        let marker = self.marker.as_ref().filter(|_| is_own);
        let before = marker.map(|path| self.take_marker(path)).transpose()?.flatten();
        let exchanged = parent.exchange(&aside, &name).map_err(RestoreError::from);
        let exchanged = exchanged.and_then(|()| self.is_still_unused(&aside));
        if let Err(error) = exchanged {
            if let (Some(path), Some(identity)) = (&self.marker, before) {
                self.write_marker(path, &identity)?;
            }
            remove_all(&self.state.with_file_name(&aside));
            return Err(match error {
                RestoreError::Store(error) if is_busy_in(&error) => RestoreError::Mounted(self.state.clone()),
                other => other,
            });
        }
        let marking = match &self.marker {
            None => Marking::NothingToMark,
            Some(path) => self.write_marker(path, &identity).map_or_else(Marking::Unmarked, |()| Marking::Done),
        };
        let old = self.state.with_file_name(&aside);
        remove_all(&old);
        Ok((marking, old.exists().then_some(old)))
    }

    /// Puts the old state back when a user has enrolled in it meanwhile.
    fn is_still_unused(&self, aside: &str) -> Result<(), RestoreError> {
        let (parent, name) = self.parent()?;
        match parent.folder(aside)? {
            Some(old) if is_used(&old)? => {
                parent.exchange(aside, &name)?;
                Err(RestoreError::InUse)
            }
            _ => Ok(()),
        }
    }

    fn parent(&self) -> Result<(Folder, String), RestoreError> {
        let missing = || StoreError::from(FilesError::NoFolder(self.state.clone()));
        let name = self.state.file_name().and_then(|name| name.to_str()).ok_or_else(missing)?;
        let parent = self.state.parent().ok_or_else(missing)?;
        let parent = Folder::open(parent, self.owner, Protection::FromWriting)?.ok_or_else(missing)?;
        Ok((parent, name.to_owned()))
    }
}

/// The form in which accounts are written down.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arrival {
    /// As the backup has them.
    AsItIs,
    /// With all burned that may have been used since.
    Revived(RecoveryCodes, UnixTime),
}

impl Arrival {
    /// The time of the restore, where tokens are not left as they were.
    fn time(self) -> Option<UnixTime> {
        match self {
            Self::AsItIs => None,
            Self::Revived(_, now) => Some(now),
        }
    }
}

/// A state in the making, in a folder inside the old one. Dropped, it is gone.
pub(super) struct Staging {
    pub(super) folder: Folder,
    pub(super) users: Folder,
}

impl Drop for Staging {
    fn drop(&mut self) {
        remove_all(self.folder.path());
    }
}

/// The errors between a record and the registry.
enum Filling {
    Restore(RestoreError),
    Row(&'static str),
}

impl From<RowError> for Filling {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Bad(word) => Self::Row(word),
            RowError::Registry(error) => error.into(),
        }
    }
}

impl From<RegistryError> for Filling {
    fn from(error: RegistryError) -> Self {
        Self::Restore(RestoreError::Store(error.into()))
    }
}

impl Staging {
    /// The name of the folder. `doctor` knows it for a left-over.
    const NAME: &str = "-new-restore";

    pub(super) fn begin(state: &Folder) -> Result<Self, RestoreError> {
        debug_assert!(Self::NAME.starts_with(UNFINISHED), "no user is called that");
        remove_all(&state.path().join(Self::NAME));
        let folder = state.make_folder(Self::NAME)?;
        let users = folder.make_folder(USERS)?;
        Ok(Self { folder, users })
    }

    /// Writes all records. Succeeds only when the backup is whole.
    pub(super) fn fill(&self, next: &mut NextRecord<'_>, arrival: Arrival) -> Result<Restored, RestoreError> {
        let mut restored = Restored {
            users: Vec::new(),
            kept: Vec::new(),
            tokens: 0,
            voided: Vec::new(),
            in_doubt: Vec::new(),
            reset_here: Vec::new(),
            marking: Marking::NothingToMark,
            left_over: None,
        };
        let mut number = 0;
        let mut first_row = None;
        while let Some(record) = next()? {
            number += 1;
            match record {
                BackupRecord::Account(account) => self.take(&account, arrival, number, &mut restored)?,
                BackupRecord::Row(row) => {
                    first_row = Some(row);
                    break;
                }
            }
        }
        let Some(first_row) = first_row else { return Ok(restored) };
        let mut order = 0;
        let mut waiting = Some(first_row);
        let rows = || -> Result<Option<RegistryRow>, Filling> {
            let row = match waiting.take() {
                Some(row) => row,
                None => match next().map_err(|broken| Filling::Restore(broken.into()))? {
                    None => return Ok(None),
                    Some(BackupRecord::Row(row)) => {
                        number += 1;
                        row
                    }
                    Some(BackupRecord::Account(_)) => return Err(Filling::Row("an account behind the registry")),
                },
            };
            let place = TABLES.iter().position(|table| table == row.table).unwrap_or_default();
            if place < order {
                return Err(Filling::Row(row.table.word));
            }
            order = place;
            Ok(Some(row))
        };
        let made = registry::make_of_rows(&self.folder, arrival.time(), rows);
        restored.tokens = made.map_err(|failed| match failed {
            Filling::Restore(error) => error,
            Filling::Row(word) => RestoreError::BadRecord { number, word },
        })?;
        Ok(restored)
    }

    /// Writes an account.
    fn take(
        &self,
        record: &AccountRecord,
        arrival: Arrival,
        number: u64,
        restored: &mut Restored,
    ) -> Result<(), RestoreError> {
        let bad = || RestoreError::BadRecord { number, word: "account" };
        // The folder would hold both.
        if self.users.folder(record.user.as_str())?.is_some() {
            return Err(bad());
        }
        let (mut credentials, mut state) = parsed(record).ok_or_else(bad)?;
        if let Arrival::Revived(recovery, now) = arrival {
            let revival = state.revive(credentials.as_mut(), &State::default(), recovery, now);
            restored.note(&record.user, revival);
        }
        let folder = self.users.make_folder_flushed(record.user.as_str(), Flush::Together)?;
        let write = |name: &str, content: &[u8]| folder.prepare(name, content, Flush::Together)?.put(Flush::Together);
        write(STATE, &Slots::file(&state_text::write(&state)).ok_or_else(bad)?)?;
        if let Some(credentials) = &credentials {
            write(SECRET, credentials_text::write(credentials).as_bytes())?;
        }
        restored.users.push(record.user.clone());
        Ok(())
    }

    /// Gives the new state its identity.
    fn name(&self, identity: &Identity) -> Result<(), RestoreError> {
        let line = identity.line();
        self.users.replace(USERS_FILE, line.as_bytes())?;
        Ok(self.folder.replace(identity::FILE, line.as_bytes())?)
    }
}

/// The account as the rest of the program reads it; `None` when it is not valid.
fn parsed(record: &AccountRecord) -> Option<(Option<Credentials>, State)> {
    if identity::is_ours(record.user.as_str()) {
        return None;
    }
    let credentials = match &record.credentials {
        Some(text) if text.ends_with(END) => Some(credentials_text::read(text).ok()?),
        Some(_) => return None,
        None => None,
    };
    let state = state_text::read(&record.state).ok()?;
    (credentials.is_some() || !state.has_credentials).then_some((credentials, state))
}

/// Copies the records of changed PAM services into the new state.
fn copy_records(from: &Path, to: &Path) -> Result<(), FileError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| FileError::Io { path, doing: "copy", source }
    };
    let records = from.join(SERVICES);
    if !records.is_dir() {
        return Ok(());
    }
    let mut waiting = vec![(records, to.join(SERVICES))];
    while let Some((from, to)) = waiting.pop() {
        let mode = fs::symlink_metadata(&from).map_err(failed(&from))?;
        if mode.is_dir() {
            fs::create_dir(&to).map_err(failed(&to))?;
            fs::set_permissions(&to, mode.permissions()).map_err(failed(&to))?;
            for entry in fs::read_dir(&from).map_err(failed(&from))? {
                let name = entry.map_err(failed(&from))?.file_name();
                waiting.push((from.join(&name), to.join(&name)));
            }
        } else if mode.is_file() {
            fs::copy(&from, &to).map_err(failed(&from))?;
        }
    }
    Ok(())
}

/// Refuses where the users folder is a file system of its own.
fn is_in_one_piece(state: &Path) -> Result<(), RestoreError> {
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    let users = state.join(USERS);
    match (device(state), device(&users)) {
        (Some(one), Some(other)) if one != other => Err(RestoreError::Mounted(users)),
        _ => Ok(()),
    }
}

fn is_busy(error: &FileError) -> bool {
    let errno = |number| [nix::libc::EBUSY, nix::libc::EXDEV].contains(&number);
    matches!(error, FileError::Io { source, .. } if source.raw_os_error().is_some_and(errno))
}

fn is_busy_in(error: &StoreError) -> bool {
    matches!(FilesError::of(error), Some(FilesError::File(error)) if is_busy(error))
}

/// Removes a folder with everything in it. Best effort: what stays there, `doctor` names and the next restore removes.
fn remove_all(path: &Path) {
    let _ = fs::remove_dir_all(path);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::clock::SystemClock;
    use crate::host::trusted::{Owner, private_directory};
    use crate::host::user::UserName;
    use crate::store::administration::{BrokenOff, Destination, LastBackup, StateBackup as _, Value};
    use crate::store::files::PATIENCE;
    use std::ops::ControlFlow;

    fn files(place: &Path, name: &str) -> Files {
        let owner = Owner(nix::unistd::geteuid().as_raw());
        Files::new(&place.join(name), owner, PATIENCE, SystemClock).marked_by(Some(&place.join("etc/state.id")))
    }

    fn account(name: &str) -> BackupRecord {
        BackupRecord::Account(AccountRecord {
            user: UserName::new(name).unwrap(),
            credentials: None,
            state: state_text::write(&State::default()).into(),
        })
    }

    fn series(name: &str) -> BackupRecord {
        BackupRecord::Row(RegistryRow { table: &TABLES[0], values: vec![Value::Text(name.to_owned())] })
    }

    fn restore(files: &Files, records: Vec<Result<BackupRecord, BrokenOff>>) -> Result<Restored, RestoreError> {
        let mut records = records.into_iter();
        files.restore(Destination::Empty, &mut || records.next().transpose(), RecoveryCodes::Void)
    }

    fn back_up(files: &Files) -> Vec<String> {
        let mut records = Vec::new();
        let (whole, unreadable) = files
            .back_up(&mut |record| {
                records.push(format!("{record:?}"));
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(whole && unreadable.is_empty());
        records
    }

    #[test]
    fn what_is_restored_is_backed_up_again_and_has_an_identity_of_its_own() {
        let place = private_directory();
        let files = files(place.path(), "state");
        let restored = restore(&files, vec![Ok(account("alice")), Ok(account("bob")), Ok(series("one"))]).unwrap();
        assert!(restored.users.len() == 2 && matches!(restored.marking, Marking::Done) && restored.left_over.is_none());
        assert_eq!(back_up(&files).len(), 3);
        let names = fs::read_dir(place.path()).unwrap().count();
        assert_eq!(names, 2, "the state and the folder of its marker");
        assert!(matches!(restore(&files, vec![Ok(account("carol"))]), Err(RestoreError::InUse)));
    }

    #[test]
    fn a_host_that_is_restored_still_knows_its_last_backup() {
        let place = private_directory();
        let files = files(place.path(), "state");
        restore(&files, Vec::new()).unwrap();
        let backup = LastBackup {
            at: UnixTime::from_seconds(1_800_000_000),
            file: "/srv/codes.age".to_owned(),
            size: 1,
            sha256: String::new(),
            recipients: Vec::new(),
            accounts: 0,
            tokens: 0,
        };
        files.remember_backup(&backup).unwrap();
        restore(&files, vec![Ok(account("alice"))]).unwrap();
        assert_eq!(files.last_backup().unwrap(), Some(backup));
    }

    #[test]
    fn a_backup_that_ends_early_or_holds_nonsense_changes_nothing() {
        let place = private_directory();
        let files = files(place.path(), "state");
        let twice = || vec![Ok(account("alice")), Ok(account("alice"))];
        let behind = || vec![Ok(series("one")), Ok(account("alice"))];
        let again = || vec![Ok(series("one")), Ok(series("one"))];
        let broken = || vec![Ok(account("alice")), Err(BrokenOff)];
        for records in [twice(), behind(), again(), broken()] {
            restore(&files, records).unwrap_err();
            assert!(back_up(&files).is_empty());
            assert_eq!(fs::read_dir(place.path().join("state")).unwrap().count(), 0);
        }
    }
}
