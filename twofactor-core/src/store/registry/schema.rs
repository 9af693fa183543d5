//! The schema of the registry, and the migrations of older ones.
//!
//! Invariants: a registry is made under another name and renamed when it is complete, so an empty or half-made file is
//! never taken for a registry without tokens. Its format number only grows; every step is one transaction.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::host::trusted::Folder;
use crate::store::registry::error::RegistryError;
use crate::store::registry::failure::failure;
use crate::store::registry::file_names::{FILE, UNFINISHED};
use crate::store::registry::recognition::{LONG, key_of};

/// Marks the file as ours (SQLite's application_id): "2fac".
const OURS: i64 = 0x3266_6163;

/// The index that recognises secrets, off and on again: filling it afterwards, sorted, is faster than token by token.
pub(super) const DROP_SEED_INDEX: &str = "DROP INDEX tokens_seed";
pub(super) const MAKE_SEED_INDEX: &str = "CREATE INDEX tokens_seed ON tokens (seed)";

/// The steps from nothing to the newest format. A step that was released is never changed: the next one follows it.
pub(super) const MIGRATIONS: &[Migration] =
    &[Migration::of(FIRST), Migration { sql: KEYS, then: fill_keys }, Migration::of(SHARED)];

/// A step to the next format.
pub(super) struct Migration {
    sql: &'static str,
    /// The part of the step that SQL cannot say, run afterwards in the same transaction.
    then: fn(&Connection) -> Result<(), rusqlite::Error>,
}

impl Migration {
    const fn of(sql: &'static str) -> Self {
        Self { sql, then: |_| Ok(()) }
    }
}

const KEYS: &str = "
-- Recognises the key that HMAC makes of a secret longer than the hash's block; stays when the secret is wiped.
ALTER TABLE tokens ADD COLUMN hmac_key INTEGER;
CREATE INDEX tokens_hmac_key ON tokens (hmac_key) WHERE hmac_key IS NOT NULL;
";

const SHARED: &str = "
-- Recognises secrets that came in although both a token and an app have them. Only for a token with one of these are all
-- apps looked through when it is assigned.
CREATE TABLE shared (
    mark        INTEGER PRIMARY KEY
) STRICT;
";

/// Writes down the keys of the long secrets that are there.
fn fill_keys(connection: &Connection) -> Result<(), rusqlite::Error> {
    let long = format!("SELECT id, secret, algorithm FROM tokens WHERE id > ?1 AND {LONG} ORDER BY id LIMIT 1000");
    let (mut long, mut last) = (connection.prepare(&long)?, 0);
    let mut fill = connection.prepare("UPDATE tokens SET hmac_key = ?2 WHERE id = ?1")?;
    loop {
        // In portions, with bounded memory.
        let portion: Vec<(i64, Option<i64>)> =
            long.query_map([last], |row| Ok((row.get(0)?, key_of(row, 1)?)))?.collect::<Result<_, _>>()?;
        let Some((end, _)) = portion.last() else { return Ok(()) };
        last = *end;
        for (id, key) in &portion {
            fill.execute((id, key))?;
        }
    }
}

const FIRST: &str = "
CREATE TABLE series (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE
) STRICT;

-- Every import that added or met something, with the file it came from.
CREATE TABLE imports (
    id          INTEGER PRIMARY KEY,
    series      INTEGER REFERENCES series (id) ON DELETE SET NULL,
    name        TEXT NOT NULL,      -- of the series, which may be deleted
    file        TEXT NOT NULL,
    sha256      BLOB NOT NULL,
    at          INTEGER NOT NULL,   -- seconds since 1970
    who         TEXT NOT NULL,
    added       INTEGER NOT NULL,
    unchanged   INTEGER NOT NULL,
    conflicts   INTEGER NOT NULL,
    rejected    INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
    id          INTEGER PRIMARY KEY,
    serial      TEXT NOT NULL,
    seed        INTEGER NOT NULL,   -- recognises the secret; stays when the secret is wiped
    secret      BLOB,               -- NULL once revoked
    type        TEXT NOT NULL,      -- totp, hotp
    algorithm   TEXT NOT NULL,
    digits      INTEGER NOT NULL,
    period      INTEGER,            -- seconds; NULL for hotp
    status      TEXT NOT NULL,      -- good, disabled, lost, revoked
    owner       TEXT,
    assigned_at INTEGER,
    first_use   INTEGER NOT NULL,   -- 1: the next login may be further out
    watermark   INTEGER,            -- as far as former owners took it; the owner's own state knows more
    drift       INTEGER NOT NULL,   -- in steps, as of the watermark
    anchor      INTEGER NOT NULL,
    series      INTEGER REFERENCES series (id),
    vendor      TEXT,
    model       TEXT,
    issued      INTEGER NOT NULL    -- when it was imported
) STRICT;
CREATE UNIQUE INDEX tokens_serial ON tokens (serial);
CREATE INDEX tokens_seed ON tokens (seed);
CREATE INDEX tokens_owner ON tokens (owner) WHERE owner IS NOT NULL;

-- How far the seeds of deleted tokens were used: they may be imported again, their old codes may not.
CREATE TABLE burned (
    seed        TEXT PRIMARY KEY,
    watermark   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What sysadmins did.
CREATE TABLE history (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    who         TEXT NOT NULL,
    event       TEXT NOT NULL,
    serial      TEXT,
    user        TEXT,
    detail      TEXT
) STRICT;
";

/// Makes a registry that `fill` puts tokens into; when it fails, there is none.
///
/// Before it has its name, no process reads the file. So it is written without a journal, and is on disk when it gets
/// the name.
pub(super) fn make<E: From<RegistryError>>(
    state: &Folder,
    fill: impl FnOnce(&mut Connection, &Path) -> Result<(), E>,
) -> Result<(), E> {
    state.make_empty(UNFINISHED).map_err(RegistryError::from)?;
    let path = state.path().join(UNFINISHED);
    let in_words = |error| E::from(failure(&path, &error));
    let made = begun(&path).map_err(in_words).and_then(|mut connection| {
        fill(&mut connection, &path)?;
        finished(connection).map_err(in_words)
    });
    if made.is_err() {
        // Best effort: what stays there, `doctor` names and the next import replaces.
        let _ = state.remove(UNFINISHED);
    }
    made?;
    Ok(state.rename(UNFINISHED, FILE).map_err(RegistryError::from)?)
}

/// The same without a token.
pub(super) fn make_empty(state: &Folder) -> Result<(), RegistryError> {
    make(state, |_, _| Ok(()))
}

fn begun(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "application_id", OURS)?;
    migrate(&mut connection, MIGRATIONS)?;
    Ok(connection)
}

fn finished(connection: Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)
}

/// Makes sure that a database is a registry this version understands.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), RegistryError> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let in_words = |error| failure(path, &error);
    if number("application_id").map_err(in_words)? != OURS {
        return Err(RegistryError::Foreign(path.to_owned()));
    }
    let (found, known) = (number("user_version").map_err(in_words)?, newest(MIGRATIONS));
    if found > known {
        return Err(RegistryError::Newer { path: path.to_owned(), found, known });
    }
    if found < 1 {
        return Err(RegistryError::Foreign(path.to_owned()));
    }
    // Nothing that stands in the file is run, and what cannot be right is noticed early.
    connection.pragma_update(None, "trusted_schema", false).map_err(in_words)?;
    connection.pragma_update(None, "cell_size_check", true).map_err(in_words)
}

/// Brings a registry to the newest format and makes its changes durable.
pub(super) fn prepare_to_change(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    // A copy that was restored from a backup may have left this mode.
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is overwritten: secrets were there.
    connection.pragma_update(None, "secure_delete", true)?;
    migrate(connection, MIGRATIONS)
}

/// Takes every step that a registry has not taken yet.
pub(super) fn migrate(connection: &mut Connection, migrations: &[Migration]) -> Result<(), rusqlite::Error> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let taken = usize::try_from(found).unwrap_or(0);
    for (format, step) in (1_i64..).zip(migrations).skip(taken) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step.sql)?;
        (step.then)(&transaction)?;
        transaction.pragma_update(None, "user_version", format)?;
        transaction.commit()?;
    }
    Ok(())
}

fn newest(migrations: &[Migration]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}

/// Makes a registry of format 1, with what `content` inserts.
#[cfg(test)]
pub(crate) fn make_format_1(path: &Path, content: &str) {
    let mut connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "application_id", OURS).unwrap();
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
    migrate(&mut connection, &MIGRATIONS[..1]).unwrap();
    connection.execute_batch(content).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_registry_takes_the_steps_it_lacks_and_keeps_what_it_has() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &[Migration::of("CREATE TABLE things (name TEXT) STRICT")]).unwrap();
        connection.execute("INSERT INTO things VALUES ('old')", []).unwrap();
        let newer = ["CREATE TABLE things (name TEXT) STRICT", "ALTER TABLE things ADD COLUMN colour TEXT"];
        let newer = newer.map(Migration::of);
        for _ in 0..2 {
            migrate(&mut connection, &newer).unwrap();
        }
        let kept: (String, Option<String>) =
            connection.query_row("SELECT name, colour FROM things", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(kept, ("old".to_owned(), None));
    }

    #[test]
    fn a_step_that_fails_leaves_the_registry_as_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE things (name TEXT) STRICT", "CREATE TABLE others (name TEXT) STRICT; nonsense"];
        let steps = steps.map(Migration::of);
        assert!(migrate(&mut connection, &steps).is_err());
        let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(format, 1);
        assert!(connection.prepare("SELECT * FROM others").is_err(), "half a step was undone");
    }
}
