//! Opening the registry: to look, to change, for a login.

use super::beside;
use super::beside::Log;
use super::error::RegistryError;
use super::error::failure;
use super::file_names::FILE;
use super::file_names::{SHARED_MEMORY, WRITE_AHEAD_LOG};
use super::schema;
use crate::host::trusted::{Folder, Locked};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::borrow::Borrow as _;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time that a command waits for a process that repairs the registry after a crash.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The same for a login, all of whose waits are less than a second together.
pub(super) const LOGIN_PATIENCE: Duration = Duration::from_millis(800);

/// The time that a written change waits for reading logins, to tidy up behind itself.
pub(super) const READERS_PATIENCE: Duration = Duration::from_millis(200);

/// The time that a change waits for another one: an import of a million tokens takes seconds.
pub(crate) const CHANGE_PATIENCE: Duration = Duration::from_mins(5);

/// The number of attempts of a login to open a registry whose files come and go.
pub(super) const TRIES: u32 = 5;

/// The time that a login still waits for a registry that does not answer: all its questions together.
#[derive(Debug)]
pub(crate) struct Patience(Mutex<Duration>);

impl Patience {
    pub(crate) fn of_a_login() -> Self {
        Self(Mutex::new(LOGIN_PATIENCE))
    }

    /// Asks with the patience that is left. An answer uses up none of it, a failure the time it took.
    pub(crate) fn asking<T>(&self, ask: impl FnOnce(Duration) -> Result<T, RegistryError>) -> Result<T, RegistryError> {
        let left = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let started = Instant::now();
        let answer = ask(left);
        if answer.is_err() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = left.saturating_sub(started.elapsed());
        }
        answer
    }
}

/// Whether a file obstructs the registry, which the next change sets aside or rolls back.
pub(crate) fn is_obstructed(state: &Folder) -> bool {
    matches!(open(state, OpenFlags::SQLITE_OPEN_READ_ONLY), Err(RegistryError::Beside { .. }))
}

/// Opens the registry in the folder `state`; `None` when there is none.
pub(super) fn open(state: &Folder, flags: OpenFlags) -> Result<Option<Connection>, RegistryError> {
    let path = state.path().join(FILE);
    match looked_at(state)? {
        Some(_) => connect(&path, &path, flags, PATIENCE).map(Some),
        None => Ok(None),
    }
}

/// Looks at the registry's files before anything else opens them; `None` when there is no registry.
pub(super) fn looked_at(state: &Folder) -> Result<Option<Log>, RegistryError> {
    if state.examine(FILE)?.is_some() {
        return beside::check(state).map(Some);
    }
    match state.examine(WRITE_AHEAD_LOG)? {
        Some(_) => Err(RegistryError::Lost(state.path().join(FILE))),
        None => Ok(None),
    }
}

/// Opens the registry at `path`, which SQLite is told as `name`.
pub(super) fn connect(
    path: &Path,
    name: &Path,
    flags: OpenFlags,
    patience: Duration,
) -> Result<Connection, RegistryError> {
    let in_words = |error| failure(path, &error);
    let connection = Connection::open_with_flags(name, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(in_words)?;
    connection.busy_timeout(patience).map_err(in_words)?;
    schema::check(&connection, path)?;
    Ok(connection)
}

/// Opens the registry for a login, with locks that all processes can hold at the same time.
///
/// The first process that opens an SQLite database prepares its shared memory, and keeps all others out meanwhile; the
/// last one that closes it cleans up. The user who started a setuid program can stop it in the midst of either. So a
/// login does neither: it only reads the shared memory, and where no writer has prepared any it keeps an index of its
/// own. That takes no space on the disk either. It waits no longer than `patience`.
pub(super) fn open_for_login(state: &Folder, patience: Duration) -> Result<Option<Connection>, RegistryError> {
    let Some(log) = looked_at(state)? else { return Ok(None) };
    let started = Instant::now();
    let path = state.path().join(FILE);
    let (name, flags) = (read_only_shared_memory(&path), OpenFlags::SQLITE_OPEN_READ_ONLY);
    let mut tries = 1..TRIES;
    let connection = loop {
        let left = patience.saturating_sub(started.elapsed());
        if log == Log::HeaderAlone {
            // SQLite would compare it with an index that it cannot make, for ten seconds.
            break connect(&path, &path, flags, left)?;
        }
        // Where it cannot be made, SQLite cannot open it and says so.
        let _ = state.make_if_absent(SHARED_MEMORY);
        match connect(&path, &name, flags | OpenFlags::SQLITE_OPEN_URI, left) {
            // A command that changed the registry was the last to close it and has removed the shared memory again.
            Err(RegistryError::Unavailable { .. }) if !left.is_zero() && tries.next().is_some() => {}
            // A process was killed while it wrote, and another one keeps what was left behind: that is mended here.
            Err(RegistryError::ReadOnly(_)) => break connect(&path, &path, flags, left)?,
            other => break other?,
        }
    };
    let alone = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    alone.map_err(|error| failure(&path, &error))?;
    Ok(Some(connection))
}

/// The registry's name with the option that its shared memory is only read (<https://sqlite.org/uri.html>).
pub(super) fn read_only_shared_memory(path: &Path) -> PathBuf {
    let mut name = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => name.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => name.push(char::from(*byte)),
            byte => {
                let _ = write!(name, "%{byte:02x}");
            }
        }
    }
    name.push_str("?readonly_shm=1");
    PathBuf::from(name)
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
    /// Opens the registry to change it, waiting at most `patience`; `None` when there is none.
    pub(crate) fn open(state: Folder, patience: Duration) -> Result<Option<Self>, RegistryError> {
        Ok(Self::open_locked(state.lock(patience)?)?.ok())
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

    /// Opens the registry in a folder that is locked; gives the lock back when there is none.
    pub(super) fn open_locked(state: Locked) -> Result<Result<Self, Locked>, RegistryError> {
        let folder: &Folder = state.borrow();
        let path = folder.path().join(FILE);
        let is_there = folder.examine(FILE)?.is_some();
        let set_aside = if is_there { beside::set_aside_what_is_unusable(folder)? } else { Vec::new() };
        let Some(mut connection) = open(folder, OpenFlags::SQLITE_OPEN_READ_WRITE)? else { return Ok(Err(state)) };
        schema::prepare_to_change(&mut connection).map_err(|error| failure(&path, &error))?;
        Ok(Ok(Self { connection, path, set_aside, _state: state }))
    }
}

impl Drop for Writer {
    /// Moves what was written from the log into the database, so that logins find a small log. Should readers keep it from
    /// doing so, the next change does: one of them may have been stopped by its user.
    fn drop(&mut self) {
        let _ = self.connection.busy_timeout(READERS_PATIENCE);
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}
