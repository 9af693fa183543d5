//! The SQLite file beside the accounts: hosts, answers, audit.
//!
//! Invariants: it is made under another name and renamed when it is complete. A change is one transaction. Changes of hosts are on the
//! disk before they are told; a power cut may take the last rows of the audit, and answers that no host can ask for any more.

use std::borrow::Borrow as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, Transaction, TransactionBehavior};
use twofactor_core::host::clock::{Clock as _, SystemClock};
use twofactor_core::host::trusted::Folder;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::{Event, Record};

use super::place::{PATIENCE, Place, unusable};
use crate::error::ServerError;
use crate::hosts::authority::Authority;
use crate::sealing::keys::Keys;
use crate::sealing::seals::{Kind, Sealed, Seals};

/// The file, and its name until it is complete.
const FILE: &str = "fleet.db";
const UNFINISHED: &str = "fleet.db.new";

/// Marks the file as ours (SQLite's application_id): "2ffl".
const OURS: i64 = 0x3266_666c;

/// The version of its tables.
const VERSION: i64 = 1;

/// The owner of the authority's record.
const AUTHORITY: &str = "authority";

/// The columns of the store's records: the key, and the sealed bytes.
const OF_DIGESTS: (&str, &str) = ("digest_key", "digest_sealed");
const OF_AUTHORITY: (&str, &str) = ("authority_key", "authority_sealed");

/// The file of one store.
pub(crate) struct FleetFile {
    connection: Mutex<Connection>,
    path: PathBuf,
    pub(crate) seals: Seals,
}

/// The time at which a change must be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durable {
    /// When it is told.
    Now,
    /// A moment later.
    Soon,
}

impl FleetFile {
    /// Opens the file of a folder, and makes it where it is not there.
    pub(crate) fn open(place: &Place, keys: Keys) -> Result<Self, ServerError> {
        let folder = place.folder()?;
        if folder.examine(FILE).map_err(unusable)?.is_none() {
            make(place)?;
        }
        let path = folder.path().join(FILE);
        let connection = connected(&path)?;
        let id = connection.query_row("select id from store", [], |row| row.get(0));
        let id: String = id.map_err(|error| failed(&path, &error))?;
        let mut file = Self { connection: Mutex::new(connection), path, seals: Seals::new(id, keys) };
        let secret = file.digest_secret()?;
        file.seals = file.seals.with_digest_secret(&secret)?;
        Ok(file)
    }

    /// True where the folder has a file.
    pub(crate) fn is_there(place: &Place) -> Result<bool, ServerError> {
        Ok(place.folder()?.examine(FILE).map_err(unusable)?.is_some())
    }

    /// Reads.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, ServerError> {
        work(&self.lock()).map_err(|error| failed(&self.path, &error))
    }

    /// Changes, in one transaction. An error changes nothing.
    pub(super) fn write<T>(
        &self,
        durable: Durable,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, ServerError> {
        committed(&mut self.lock(), durable, work).map_err(|error| failed(&self.path, &error))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The secret of digests. The first that opens the file makes it.
    fn digest_secret(&self) -> Result<Vec<u8>, ServerError> {
        let kept = self.kept(OF_DIGESTS, || self.seals.seal_digest_secret())?;
        Ok(self.seals.open(Kind::DigestSecret, self.seals.store(), &kept)?.to_vec())
    }

    /// The authority of this store. The first that needs it makes it.
    pub(crate) fn authority(&self) -> Result<Authority, ServerError> {
        let kept = self.kept(OF_AUTHORITY, || {
            let (_, record) = Authority::new(self.seals.store(), SystemClock.now()?)?;
            self.seals.seal(Kind::Authority, AUTHORITY, &record)
        })?;
        Authority::of(self.seals.store(), &self.seals.open(Kind::Authority, AUTHORITY, &kept)?)
    }

    /// The sealed record in these columns. Where there is none, it is made.
    fn kept(
        &self,
        columns @ (key, sealed): (&str, &str),
        new: impl FnOnce() -> Result<Sealed, ServerError>,
    ) -> Result<Sealed, ServerError> {
        if let Some(record) = self.read(|file| sealed_in(file, columns))? {
            return Ok(record);
        }
        let (made, write) = (new()?, format!("update store set {key} = ?1, {sealed} = ?2"));
        self.write(Durable::Now, |transaction| {
            // Another may have been quicker.
            if let Some(record) = sealed_in(transaction, columns)? {
                return Ok(record);
            }
            transaction.execute(&write, (made.key, &made.bytes))?;
            Ok(made)
        })
    }

    /// Seals both records with the sealing key. The number of those that had another.
    pub(crate) fn reseal(&self) -> Result<usize, ServerError> {
        let mut done = 0;
        for (columns @ (key, sealed), kind, owner) in
            [(OF_DIGESTS, Kind::DigestSecret, self.seals.store()), (OF_AUTHORITY, Kind::Authority, AUTHORITY)]
        {
            let found = self.read(|file| sealed_in(file, columns))?;
            let Some(old) = found.filter(|old| old.key != self.seals.keys().sealing) else { continue };
            let new = self.seals.seal(kind, owner, &self.seals.open(kind, owner, &old)?)?;
            let write = format!("update store set {key} = ?1, {sealed} = ?2 where {sealed} = ?3");
            done +=
                self.write(Durable::Now, |transaction| transaction.execute(&write, (new.key, &new.bytes, &old.bytes)))?;
        }
        Ok(done)
    }

    /// Notes in the audit that `who` is about to change the keys, with the pairs of `change`.
    pub(crate) fn note_keys(&self, who: &str, change: &Record) -> Result<(), ServerError> {
        let now = present()?;
        self.write(Durable::Now, |file| noted(file, now, Some(who), ("", "", change.event(), change.pairs())))
    }

    /// Notes in the audit that `who` has changed the account of `user`.
    pub(crate) fn note_change(&self, who: &str, user: &UserName, event: Event) -> Result<(), ServerError> {
        let now = present()?;
        self.write(Durable::Now, |file| noted(file, now, Some(who), ("", user.as_str(), event, "")))
    }

    /// The keys of the records, with the number of records of each.
    pub(crate) fn keys_in_use(&self) -> Result<Vec<(i32, i64)>, ServerError> {
        const COUNT: &str =
            "select key, count(*) from (select digest_key as key from store union all select authority_key from store)
            where key is not null group by key order by key";
        self.read(|connection| {
            let mut statement = connection.prepare(COUNT)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
    }

    /// The first thing that SQLite finds wrong when it looks at every page.
    pub(crate) fn damage(&self) -> Result<Option<String>, ServerError> {
        let found: String = self.read(|file| file.query_row("pragma integrity_check(1)", [], |row| row.get(0)))?;
        Ok(Some(found).filter(|found| found != "ok"))
    }
}

/// The sealed record of the store in these columns.
fn sealed_in(file: &Connection, (key, sealed): (&str, &str)) -> rusqlite::Result<Option<Sealed>> {
    let read = format!("select {key}, {sealed} from store where {sealed} is not null");
    file.query_row(&read, [], record).optional()
}

/// A sealed record whose columns come first in a row.
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Sealed> {
    Ok(Sealed { key: row.get(0)?, bytes: row.get(1)? })
}

fn committed<T>(
    connection: &mut Connection,
    durable: Durable,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.pragma_update(None, "synchronous", if durable == Durable::Now { "full" } else { "normal" })?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

/// A row of the audit: the host, the user, the event, and its objects. `who` is the sysadmin.
pub(super) fn noted(
    file: &Transaction<'_>,
    now: i64,
    who: Option<&str>,
    (host, name, event, detail): (&str, &str, Event, &str),
) -> rusqlite::Result<()> {
    const NOTE: &str = "insert into audit (at, host, name, event, detail, who) values (?1, ?2, ?3, ?4, ?5, ?6)";
    file.execute(NOTE, (now, host, name, event.word(), detail, who)).map(drop)
}

/// The present, as the file has times.
pub(super) fn present() -> Result<i64, ServerError> {
    Ok(i64::try_from(SystemClock.now()?.seconds()).unwrap_or(i64::MAX))
}

/// A span in seconds, as the file has times.
pub(super) fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

/// Makes the file of a folder. Of several that do so at once, one does.
fn make(place: &Place) -> Result<(), ServerError> {
    let locked = place.folder()?.lock(PATIENCE).map_err(unusable)?;
    let folder: &Folder = locked.borrow();
    if folder.examine(FILE).map_err(unusable)?.is_some() {
        return Ok(());
    }
    folder.make_empty(UNFINISHED).map_err(unusable)?;
    let path = folder.path().join(UNFINISHED);
    made(&path).map_err(|error| failed(&path, &error))?;
    folder.rename(UNFINISHED, FILE).map_err(unusable)
}

fn made(path: &Path) -> rusqlite::Result<()> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW)?;
    connection.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "application_id", OURS)?;
    connection.execute_batch(include_str!("schema.sql"))?;
    connection.pragma_update(None, "user_version", VERSION)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)
}

fn connected(path: &Path) -> Result<Connection, ServerError> {
    let in_words = |error: rusqlite::Error| failed(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(in_words)?;
    connection.busy_timeout(PATIENCE).map_err(in_words)?;
    let number =
        |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(in_words);
    let wrong = |problem: String| ServerError::FleetFile { file: path.display().to_string(), problem };
    if number("application_id")? != OURS {
        return Err(wrong("it is no file of a fleet".to_owned()));
    }
    let version = number("user_version")?;
    if version != VERSION {
        return Err(wrong(format!("it has version {version}, and this server knows version {VERSION}")));
    }
    connection.pragma_update(None, "foreign_keys", true).map_err(in_words)?;
    Ok(connection)
}

fn failed(path: &Path, error: &rusqlite::Error) -> ServerError {
    ServerError::FleetFile { file: path.display().to_string(), problem: error.to_string() }
}
