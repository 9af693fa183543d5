//! Secrets found again: the tokens that have one already, and how far a deleted one was used.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Row, Statement};
use zeroize::Zeroizing;

use crate::codes::otp::{Algorithm, Progress, Step};
use crate::codes::secret::Secret;
use crate::codes::token::{Marks, Seeds, Serial};
use crate::store::inventory::Twin;

/// Looks for tokens by their secrets, also in a registry of a format that does not know the keys of long ones.
pub(super) struct Twins<'c> {
    by_secret: Statement<'c>,
    by_key: ByKey<'c>,
}

enum ByKey<'c> {
    Indexed(Statement<'c>),
    Collected(HashMap<i64, Vec<Twin>>),
}

impl<'c> Twins<'c> {
    pub(super) fn new(connection: &'c Connection) -> Result<Self, rusqlite::Error> {
        let by_key = if knows_keys(connection)? {
            ByKey::Indexed(connection.prepare("SELECT id, serial, owner FROM tokens WHERE hmac_key = ?1")?)
        } else {
            let mut keys: HashMap<i64, Vec<Twin>> = HashMap::new();
            let long = format!("SELECT id, serial, owner, secret, algorithm FROM tokens WHERE {LONG}");
            let mut statement = connection.prepare(&long)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if let Some(key) = key_of(row, 3)? {
                    keys.entry(key).or_default().push(twin(row)?);
                }
            }
            ByKey::Collected(keys)
        };
        Ok(Self { by_secret: connection.prepare("SELECT id, serial, owner FROM tokens WHERE seed = ?1")?, by_key })
    }

    /// The tokens with that secret or key. One may be named twice.
    pub(super) fn of(&mut self, marks: Marks) -> Result<Vec<Twin>, rusqlite::Error> {
        let mut found = Vec::new();
        for mark in marks.iter() {
            found.extend(asked(&mut self.by_secret, mark)?);
            match &mut self.by_key {
                ByKey::Indexed(statement) => found.extend(asked(statement, mark)?),
                ByKey::Collected(keys) => found.extend(keys.get(&mark).cloned().unwrap_or_default()),
            }
        }
        Ok(found)
    }
}

fn asked(statement: &mut Statement<'_>, mark: i64) -> Result<Vec<Twin>, rusqlite::Error> {
    statement.query_map([mark], twin)?.collect()
}

fn twin(row: &Row<'_>) -> Result<Twin, rusqlite::Error> {
    let serial: String = row.get(1)?;
    let damaged = || rusqlite::Error::InvalidColumnType(1, "serial".to_owned(), rusqlite::types::Type::Text);
    Ok(Twin { id: row.get(0)?, serial: Serial::new(&serial).ok_or_else(damaged)?, owner: row.get(2)? })
}

/// Remembers that apps have these secrets or keys, too.
pub(super) fn note_shared(
    connection: &Connection,
    marks: impl IntoIterator<Item = i64>,
) -> Result<(), rusqlite::Error> {
    let mut note = connection.prepare("INSERT INTO shared (mark) VALUES (?1) ON CONFLICT DO NOTHING")?;
    marks.into_iter().try_for_each(|mark| note.execute([mark]).map(drop))
}

/// Tokens whose secrets HMAC may hash.
pub(super) const LONG: &str = "length(secret) > 64 AND algorithm <> 'SHA512'";

/// The mark of a token's HMAC key, from its secret and hash in two columns.
pub(super) fn key_of(row: &Row<'_>, column: usize) -> Result<Option<i64>, rusqlite::Error> {
    let damaged =
        |column, name: &str| rusqlite::Error::InvalidColumnType(column, name.to_owned(), rusqlite::types::Type::Blob);
    let secret = Zeroizing::new(row.get::<_, Vec<u8>>(column)?);
    let secret = Secret::from_bytes(secret).map_err(|_| damaged(column, "secret"))?;
    let algorithm: Algorithm =
        row.get::<_, String>(column + 1)?.parse().map_err(|_| damaged(column + 1, "algorithm"))?;
    Ok(Marks::key_of(&secret, algorithm))
}

/// Looks up how far the seeds of deleted tokens were used.
pub(super) struct Burned<'c> {
    query: Statement<'c>,
    is_empty: bool,
}

impl<'c> Burned<'c> {
    pub(super) fn new(connection: &'c Connection) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            query: connection.prepare("SELECT watermark FROM burned WHERE seed = ?1")?,
            is_empty: connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM burned)", [], |row| row.get(0))?,
        })
    }

    /// The progress of a deleted token with one of these seeds.
    pub(super) fn progress(&mut self, seeds: impl FnOnce() -> Seeds) -> Result<Progress, rusqlite::Error> {
        let mut progress = Progress::default();
        if self.is_empty {
            return Ok(progress);
        }
        for seed in seeds().iter() {
            let watermark: Option<u64> = self.query.query_row([seed.to_string()], |row| row.get(0)).optional()?;
            progress = progress.latest(Progress { watermark: watermark.map(Step), ..Progress::default() });
        }
        Ok(progress)
    }
}

/// The format that has the column `hmac_key`.
const FORMAT_WITH_KEYS: i64 = 2;

/// Whether a registry has the column `hmac_key`. One that is only read may still be of an older format.
pub(super) fn knows_keys(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(format >= FORMAT_WITH_KEYS)
}
