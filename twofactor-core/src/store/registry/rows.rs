//! The registry's rows out into a backup, and back into a registry that is made of them.
//!
//! Invariants: what goes out is one moment of the registry. What comes in is read back, row by row, before the registry
//! gets its name.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, Row, Statement, params};
use zeroize::Zeroizing;

use crate::codes::otp::{Kind, Progress};
use crate::host::clock::UnixTime;
use crate::host::trusted::Folder;
use crate::host::user::UserName;
use crate::log::record::Event;
use crate::store::administration::{Column, RegistryRow, TABLES, Table, Value};
use crate::store::registry::error::RegistryError;
use crate::store::registry::failure::failure;
use crate::store::registry::look::RegistryReader;
use crate::store::registry::row::{self, COLUMNS, WIDTH};
use crate::store::registry::schema;
use crate::text::pairs;

/// The tables in SQL, and the order of their rows: each in the place of its [`Table`].
const IN_SQL: [(&str, &str); 6] =
    [("series", "id"), ("imports", "id"), ("tokens", "id"), ("burned", "seed"), ("shared", "mark"), ("history", "id")];

/// A column that names a series, by its number in the registry and by its name in a backup.
const SERIES: &str = "series";

/// The reason for which no registry was made of rows.
#[derive(Debug)]
pub(crate) enum RowError {
    /// The row of this table is none of ours.
    Bad(&'static str),
    /// The registry cannot be written.
    Registry(RegistryError),
}

impl From<RegistryError> for RowError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

impl RegistryReader {
    /// Keeps to this moment of the registry.
    pub(crate) fn begin_snapshot(&self) -> Result<(), RegistryError> {
        self.asking(|connection| {
            connection.execute_batch("BEGIN")?;
            connection.query_row("SELECT count(*) FROM series", [], |_| Ok(()))
        })
    }

    /// Hands out every row. `false` when `take` has broken off.
    pub(crate) fn rows(&self, take: &mut dyn FnMut(RegistryRow) -> ControlFlow<()>) -> Result<bool, RegistryError> {
        self.asking(|connection| {
            for (table, (name, order)) in TABLES.iter().zip(IN_SQL) {
                let columns: Vec<String> = table.columns.iter().map(|column| selected(name, column)).collect();
                let query = format!("SELECT {} FROM {name} ORDER BY {order}", columns.join(", "));
                let mut statement = connection.prepare(&query)?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    let values = (0..table.columns.len()).map(|column| value(row, column));
                    let values = values.collect::<Result<_, _>>()?;
                    if take(RegistryRow { table, values }).is_break() {
                        return Ok(false);
                    }
                }
            }
            Ok(true)
        })
    }
}

fn selected(table: &str, column: &Column) -> String {
    if column.name == SERIES {
        format!("(SELECT series.name FROM series WHERE series.id = {table}.series)")
    } else {
        column.name.to_owned()
    }
}

fn value(row: &Row<'_>, column: usize) -> Result<Value, rusqlite::Error> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => Value::Missing,
        ValueRef::Integer(number) => Value::Number(number),
        ValueRef::Text(_) => Value::Text(row.get(column)?),
        ValueRef::Blob(bytes) => Value::Bytes(Zeroizing::new(bytes.to_vec())),
        found @ ValueRef::Real(_) => {
            return Err(rusqlite::Error::InvalidColumnType(column, "number".to_owned(), found.data_type()));
        }
    })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Missing => ValueRef::Null,
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Less than the number of any row.
const BEFORE_ALL: i64 = 0;

/// Makes a registry of rows in `folder`, restored at `now`, or as they are. `next` gives them in the order of [`TABLES`]. Gives the number
/// of tokens.
pub(crate) fn make<E: From<RegistryError> + From<RowError>>(
    folder: &Folder,
    now: Option<UnixTime>,
    mut next: impl FnMut() -> Result<Option<RegistryRow>, E>,
) -> Result<u64, E> {
    let mut tokens = 0;
    schema::make(folder, |connection: &mut Connection, path: &Path| -> Result<(), E> {
        let in_words = |error| E::from(failure(path, &error));
        // Into the file page by page: a million tokens do not fit into memory.
        connection.execute_batch(&format!("BEGIN; {}", schema::DROP_SEED_INDEX)).map_err(in_words)?;
        {
            let mut filling = Filling::new(connection).map_err(in_words)?;
            while let Some(row) = next()? {
                filling.take(&row).map_err(|error| E::from(bad_or_failed(path, &error, row.table)))?;
            }
        }
        connection.execute_batch(schema::MAKE_SEED_INDEX).map_err(in_words)?;
        tokens = check_all(connection, path).map_err(E::from)?;
        now.map_or(Ok(()), |now| forget_nothing(connection, BEFORE_ALL, now)).map_err(in_words)?;
        connection.execute_batch("COMMIT").map_err(in_words)
    })?;
    Ok(tokens)
}

/// A row that breaks a rule of the schema is bad; everything else is the registry's failure.
fn bad_or_failed(path: &Path, error: &rusqlite::Error, table: &'static Table) -> RowError {
    let is_bad = match error {
        rusqlite::Error::SqliteFailure(code, _) => {
            matches!(code.code, ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch)
        }
        rusqlite::Error::QueryReturnedNoRows => true,
        _ => false,
    };
    if is_bad { RowError::Bad(table.word) } else { RowError::Registry(failure(path, error)) }
}

/// Statements that put rows into a registry.
struct Filling<'c> {
    connection: &'c Connection,
    inserts: Vec<Statement<'c>>,
    series: HashMap<String, i64>,
}

impl<'c> Filling<'c> {
    fn new(connection: &'c Connection) -> Result<Self, rusqlite::Error> {
        let insert = |(table, (name, _)): (&Table, (&str, &str))| {
            let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
            let places: Vec<String> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
            connection.prepare(&format!("INSERT INTO {name} ({}) VALUES ({})", columns.join(", "), places.join(", ")))
        };
        let inserts = TABLES.iter().zip(IN_SQL).map(insert).collect::<Result<_, _>>()?;
        Ok(Self { connection, inserts, series: HashMap::new() })
    }

    fn take(&mut self, row: &RegistryRow) -> Result<(), rusqlite::Error> {
        let unknown = || rusqlite::Error::QueryReturnedNoRows;
        let index = TABLES.iter().position(|table| table == row.table).ok_or_else(unknown)?;
        let insert = self.inserts.get_mut(index).ok_or_else(unknown)?;
        for (number, (column, value)) in row.table.columns.iter().zip(&row.values).enumerate() {
            // The table "series" itself has a name and no such column.
            if column.name == SERIES
                && let Value::Text(name) = value
            {
                insert.raw_bind_parameter(number + 1, self.series.get(name).copied().ok_or_else(unknown)?)?;
            } else {
                insert.raw_bind_parameter(number + 1, value)?;
            }
        }
        insert.raw_execute()?;
        if index == 0
            && let Some(Value::Text(name)) = row.values.first()
        {
            self.series.insert(name.clone(), self.connection.last_insert_rowid());
        }
        Ok(())
    }
}

/// Reads every row back as the rest of the program does. Gives the number of tokens.
fn check_all(connection: &Connection, path: &Path) -> Result<u64, RowError> {
    let in_words = |error| RowError::from(failure(path, &error));
    let mut count = 0;
    let query = format!("SELECT {COLUMNS}, seed, hmac_key FROM tokens");
    let mut statement = connection.prepare(&query).map_err(in_words)?;
    let mut rows = statement.query([]).map_err(in_words)?;
    while let Some(row) = rows.next().map_err(in_words)? {
        if !is_token(row) {
            return Err(RowError::Bad("token"));
        }
        count += 1;
    }
    let mut statement = connection.prepare("SELECT at, event, serial, detail FROM history").map_err(in_words)?;
    let mut rows = statement.query([]).map_err(in_words)?;
    while let Some(row) = rows.next().map_err(in_words)? {
        if !is_past(row).unwrap_or(false) {
            return Err(RowError::Bad("history"));
        }
    }
    let mut statement = connection.prepare("SELECT seed, watermark FROM burned").map_err(in_words)?;
    let mut rows = statement.query([]).map_err(in_words)?;
    while let Some(row) = rows.next().map_err(in_words)? {
        if !is_burned(row).unwrap_or(false) {
            return Err(RowError::Bad("burned"));
        }
    }
    Ok(count)
}

/// True when a row is a token whose marks are those of its secret, with an owner that can be one.
fn is_token(row: &Row<'_>) -> bool {
    let Ok(token) = row::read(row) else { return false };
    let (Ok(seed), Ok(key)) = (row.get::<_, i64>(WIDTH), row.get::<_, Option<i64>>(WIDTH + 1)) else { return false };
    let has_right_marks = token.marks().is_none_or(|marks| (marks.secret(), marks.key()) == (seed, key));
    let is_revoked = token.status == crate::account::lifecycle::TokenStatus::Revoked;
    let has_owner = token.owner.as_deref().is_none_or(|owner| UserName::new(owner).is_ok() && !is_revoked);
    has_right_marks && has_owner && token.secret.is_none() == is_revoked
}

fn is_past(row: &Row<'_>) -> Result<bool, rusqlite::Error> {
    let event = Event::from_word(&row.get::<_, String>(1)?);
    let detail: Option<String> = row.get(3)?;
    Ok(row::time(row, 0)?.is_some() && event.is_some() && detail.is_none_or(|detail| pairs::read(&detail).is_some()))
}

fn is_burned(row: &Row<'_>) -> Result<bool, rusqlite::Error> {
    let seed: String = row.get(0)?;
    Ok(crate::codes::token::Seed::parse(&seed).is_some() && row.get::<_, u64>(1).is_ok())
}

/// Burns what tokens behind the row `last` may have shown since the backup was made: the next code of a counter counts only
/// together with the one after it, also where nothing was ever used. The states of owners know more.
pub(super) fn forget_nothing(connection: &Connection, last: i64, now: UnixTime) -> Result<(), rusqlite::Error> {
    let in_doubt = Progress::default().restored(Kind::Hotp, now).anchor;
    let counters = "UPDATE tokens SET anchor = ?2 WHERE id > ?1 AND type = 'hotp' AND secret IS NOT NULL";
    connection.execute(counters, [last, i64::from(in_doubt)])?;
    let clocks = "UPDATE tokens SET watermark = max(ifnull(watermark, 0), ?2 / period + drift) \
                  WHERE id > ?1 AND type = 'totp' AND owner IS NULL AND secret IS NOT NULL";
    connection.execute(clocks, params![last, now.seconds()]).map(drop)
}
