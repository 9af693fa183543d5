//! Opening the registry: to look, and to change.

use super::beside;
use super::error::RegistryError;
use super::failure::failure;
use super::file_names::FILE;
use super::file_names::{SHARED_MEMORY, WRITE_AHEAD_LOG};
use super::schema;
use crate::host::trusted::{FileError, Folder, Locked};
use rusqlite::{Connection, OpenFlags};
use std::borrow::Borrow;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The time that a command waits for a process that repairs the registry after a crash.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The time that a written change waits for readers, to tidy up behind itself.
pub(super) const READERS_PATIENCE: Duration = Duration::from_millis(200);

/// The time that a change waits for another one: an import of a million tokens takes seconds.
pub(crate) const CHANGE_PATIENCE: Duration = Duration::from_mins(5);

/// True when there is no registry.
pub(crate) fn is_missing(state: &Folder) -> Result<bool, RegistryError> {
    Ok(matches!(looked_at(state)?, Presence::Absent))
}

/// True when a file obstructs the registry, which the next change sets aside or rolls back.
pub(crate) fn is_obstructed(state: &Folder) -> bool {
    matches!(open(state, OpenFlags::SQLITE_OPEN_READ_ONLY, PATIENCE), Err(RegistryError::Beside { .. }))
}

/// Opens the registry in the folder `state`, waiting at most `patience` for SQLite's locks; `None` when there is none.
pub(super) fn open(state: &Folder, flags: OpenFlags, patience: Duration) -> Result<Option<Connection>, RegistryError> {
    let path = state.path().join(FILE);
    match looked_at(state)? {
        Presence::Whole => match connect(&path, flags, patience) {
            // SQLite only says that it cannot make its shared memory.
            Err(RegistryError::Unavailable { .. }) if is_read_only(state) => Err(RegistryError::ReadOnly(path)),
            connection => connection.map(Some),
        },
        Presence::Absent => Ok(None),
    }
}

/// True when the file system is mounted read-only.
fn is_read_only(state: &Folder) -> bool {
    matches!(state.make_if_absent(SHARED_MEMORY), Err(FileError::Io { source, .. })
        if source.kind() == ErrorKind::ReadOnlyFilesystem)
}

/// The presence of a registry.
enum Presence {
    /// It is there, with nothing beside it that SQLite cannot use.
    Whole,
    /// There is none.
    Absent,
}

/// Looks at the registry's files before anything else opens them.
fn looked_at(state: &Folder) -> Result<Presence, RegistryError> {
    if state.examine(FILE)?.is_some() {
        return beside::check(state).map(|()| Presence::Whole);
    }
    match state.examine(WRITE_AHEAD_LOG)? {
        Some(_) => Err(RegistryError::Lost(state.path().join(FILE))),
        None => Ok(Presence::Absent),
    }
}

fn connect(path: &Path, flags: OpenFlags, patience: Duration) -> Result<Connection, RegistryError> {
    let in_words = |error| failure(path, &error);
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(in_words)?;
    connection.busy_timeout(patience).map_err(in_words)?;
    schema::check(&connection, path)?;
    Ok(connection)
}

/// The registry while no other process may change it.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// The files that obstructed the registry, under their new names.
    set_aside: Vec<PathBuf>,
    /// The lock on the state folder.
    _state: Locked,
}

impl Writer {
    /// Opens the registry to change it, waiting at most `patience` for another change; `None` when there is none.
    pub(crate) fn open(state: Folder, patience: Duration) -> Result<Option<Self>, RegistryError> {
        Ok(Self::open_locked(state.lock(patience)?, PATIENCE.min(patience))?.ok())
    }

    /// Opens the registry to change it; makes one without tokens where there is none.
    pub(crate) fn open_or_make(state: Folder, patience: Duration) -> Result<Self, RegistryError> {
        let patient = PATIENCE.min(patience);
        match Self::open_locked(state.lock(patience)?, patient)? {
            Ok(writer) => Ok(writer),
            Err(state) => {
                schema::make_empty(state.borrow())?;
                let lost = |state: Locked| RegistryError::Lost(Borrow::<Folder>::borrow(&state).path().join(FILE));
                Self::open_locked(state, patient)?.map_err(lost)
            }
        }
    }

    /// Makes a registry without tokens where there is none; true when it was made.
    pub(crate) fn make_if_absent(state: Folder, patience: Duration) -> Result<bool, RegistryError> {
        match Self::open_locked(state.lock(patience)?, PATIENCE.min(patience))? {
            Ok(_) => Ok(false),
            Err(state) => schema::make_empty(state.borrow()).map(|()| true),
        }
    }

    /// The files that obstructed the registry, under their new names.
    pub(crate) fn set_aside(&self) -> &[PathBuf] {
        &self.set_aside
    }

    /// The path of the registry.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The first thing that SQLite finds wrong when it looks at every page.
    pub(crate) fn damage(&self) -> Result<Option<String>, RegistryError> {
        let found = self.connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
        let found = found.map_err(|error| failure(&self.path, &error))?;
        Ok(Some(found).filter(|found| found != "ok"))
    }

    /// Opens the registry in a folder that is locked, waiting at most `patience` for SQLite's locks; gives the lock back when
    /// there is none.
    pub(super) fn open_locked(state: Locked, patience: Duration) -> Result<Result<Self, Locked>, RegistryError> {
        let folder: &Folder = state.borrow();
        let path = folder.path().join(FILE);
        let is_there = folder.examine(FILE)?.is_some();
        let set_aside = if is_there { beside::set_aside_what_is_unusable(folder)? } else { Vec::new() };
        let connection = open(folder, OpenFlags::SQLITE_OPEN_READ_WRITE, patience)?;
        let Some(mut connection) = connection else { return Ok(Err(state)) };
        schema::prepare_to_change(&mut connection).map_err(|error| failure(&path, &error))?;
        Ok(Ok(Self { connection, path, set_aside, _state: state }))
    }
}

impl Drop for Writer {
    /// Moves what was written from the log into the database, so that the log stays small. Should readers keep it from doing
    /// so, the next change does.
    fn drop(&mut self) {
        let _ = self.connection.busy_timeout(READERS_PATIENCE);
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}
