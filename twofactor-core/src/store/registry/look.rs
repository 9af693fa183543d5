//! Looking into the registry. Nothing here changes it.

use std::path::PathBuf;

use rusqlite::types::{ToSql, Type};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params};

use crate::account::lifecycle::TokenStatus;
use crate::account::{Held, MOST_HELD};
use crate::codes::token::{Marks, Serial};
use crate::host::clock::UnixTime;
use crate::host::trusted::Folder;
use crate::host::user::UserName;
use crate::store::administration::{ImportRecord, SeriesSummary};
use crate::store::inventory::{Filter, Listed, Ownership, Twin};
use crate::store::registry::connection::{PATIENCE, open};
use crate::store::registry::error::RegistryError;
use crate::store::registry::failure::failure;
use crate::store::registry::file_names::FILE;
use crate::store::registry::recognition::Twins;
use crate::store::registry::row::{self, COLUMNS, WIDTH};

/// An open registry.
#[derive(Debug)]
pub struct RegistryReader {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

impl RegistryReader {
    /// Opens the registry in the folder `state`; `None` when there is none.
    pub fn open(state: &Folder) -> Result<Option<Self>, RegistryError> {
        let connection = open(state, OpenFlags::SQLITE_OPEN_READ_ONLY, PATIENCE)?;
        Ok(connection.map(|connection| Self { connection, path: state.path().join(FILE) }))
    }

    /// The physical tokens assigned to `user`, also those that open nothing.
    pub(crate) fn held_by(&self, user: &UserName) -> Result<Vec<Held>, RegistryError> {
        self.asking(|connection| held_by(connection, user))
    }

    /// The token with that serial.
    pub fn token(&self, serial: &Serial) -> Result<Option<Listed>, RegistryError> {
        self.asking(|connection| {
            let query = select("WHERE tokens.serial = ?1");
            connection.query_row(&query, [serial.as_str()], listed).optional()
        })
    }

    /// Hands out every token that `filter` lets through, by serial, one by one: a million do not fit into memory.
    pub fn tokens<E: From<RegistryError>>(
        &self,
        filter: &Filter,
        mut take: impl FnMut(Listed) -> Result<(), E>,
    ) -> Result<(), E> {
        let (conditions, values) = in_sql(filter);
        let query = select(&format!("{conditions} ORDER BY tokens.serial"));
        let mut statement = self.connection.prepare(&query).map_err(|error| self.failure(&error))?;
        let values: Vec<&dyn ToSql> = values.iter().map(|value| value as &dyn ToSql).collect();
        let mut rows = statement.query(values.as_slice()).map_err(|error| self.failure(&error))?;
        while let Some(row) = rows.next().map_err(|error| self.failure(&error))? {
            take(listed(row).map_err(|error| self.failure(&error))?)?;
        }
        Ok(())
    }

    /// The tokens with that secret or key, also revoked ones.
    pub(crate) fn twins(&self, marks: Marks) -> Result<Vec<Twin>, RegistryError> {
        self.asking(|connection| Twins::new(connection)?.of(marks))
    }

    /// The owners of tokens, sorted.
    pub fn owners(&self) -> Result<Vec<UserName>, RegistryError> {
        self.asking(|connection| {
            let mut statement =
                connection.prepare("SELECT DISTINCT owner FROM tokens WHERE owner IS NOT NULL ORDER BY owner")?;
            let names = statement.query_map([], |row| row.get::<_, String>(0))?;
            Ok(names.collect::<Result<Vec<_>, _>>()?.iter().filter_map(|name| UserName::new(name).ok()).collect())
        })
    }

    /// The first serials that begin with `prefix`, by the index: as quick with a million tokens as with ten.
    pub fn serials_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, RegistryError> {
        self.names_from("SELECT serial FROM tokens WHERE serial >= ?1 ORDER BY serial LIMIT ?2", prefix, most)
    }

    /// The same for the names of series.
    pub fn series_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, RegistryError> {
        self.names_from("SELECT name FROM series WHERE name >= ?1 ORDER BY name LIMIT ?2", prefix, most)
    }

    fn names_from(&self, query: &str, prefix: &str, most: u32) -> Result<Vec<String>, RegistryError> {
        self.asking(|connection| {
            let mut statement = connection.prepare(query)?;
            let names = statement.query_map(params![prefix, most], |row| row.get::<_, String>(0))?;
            let mut names = names.collect::<Result<Vec<_>, _>>()?;
            names.retain(|name| name.starts_with(prefix));
            Ok(names)
        })
    }

    /// The number of tokens.
    pub fn count(&self) -> Result<u64, RegistryError> {
        self.asking(|connection| connection.query_row("SELECT count(*) FROM tokens", [], |row| row.get(0)))
    }

    /// The series called `name`.
    pub fn series(&self, name: &str) -> Result<Option<SeriesSummary>, RegistryError> {
        Ok(self.all_series_where("WHERE series.name = ?1", &[&name])?.pop())
    }

    /// All series, by name.
    pub fn all_series(&self) -> Result<Vec<SeriesSummary>, RegistryError> {
        self.all_series_where("", &[])
    }

    /// The damage that SQLite finds when it reads every page; empty on a healthy host.
    pub fn integrity(&self) -> Result<Vec<String>, RegistryError> {
        self.asking(|connection| {
            let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
            let found = statement.query_map([], |row| row.get::<_, String>(0))?;
            let found: Vec<String> = found.collect::<Result<_, _>>()?;
            Ok(found.into_iter().filter(|line| line != "ok").collect())
        })
    }

    fn all_series_where(&self, condition: &str, values: &[&dyn ToSql]) -> Result<Vec<SeriesSummary>, RegistryError> {
        let query = format!(
            "SELECT series.id, series.name, coalesce(tokens, 0), coalesce(assigned, 0), coalesce(unusable, 0), \
             coalesce(revoked, 0), coalesce(inventory, 0) FROM series LEFT JOIN (SELECT series, count(*) AS tokens, count(owner) AS assigned, \
             count(CASE WHEN status IN ('disabled', 'lost') THEN 1 END) AS unusable, \
             count(CASE WHEN status = 'revoked' THEN 1 END) AS revoked, \
             count(CASE WHEN status = 'good' AND owner IS NULL THEN 1 END) AS inventory FROM tokens GROUP BY series) AS counts \
             ON counts.series = series.id {condition} ORDER BY series.name"
        );
        let imports = "SELECT file, sha256, at, who, added, unchanged, conflicts, rejected \
                       FROM imports WHERE series = ?1 ORDER BY id";
        self.asking(|connection| {
            let mut statement = connection.prepare(&query)?;
            let mut import_statement = connection.prepare(imports)?;
            let mut rows = statement.query(values)?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let found = import_statement.query_map(params![row.get::<_, i64>(0)?], import)?;
                all.push(SeriesSummary {
                    name: row.get(1)?,
                    tokens: row.get(2)?,
                    assigned: row.get(3)?,
                    unusable: row.get(4)?,
                    revoked: row.get(5)?,
                    inventory: row.get(6)?,
                    imports: found.collect::<Result<_, _>>()?,
                });
            }
            Ok(all)
        })
    }

    pub(super) fn asking<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, RegistryError> {
        ask(&self.connection).map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &rusqlite::Error) -> RegistryError {
        failure(&self.path, error)
    }
}

/// The conditions of a filter, and their values.
fn in_sql(filter: &Filter) -> (String, Vec<String>) {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    let texts = [
        // Not by the name of the joined series: SQLite would begin there, and have to sort what it finds.
        ("tokens.series = (SELECT id FROM series WHERE name = ?)", filter.series.as_deref()),
        ("tokens.owner = ?", filter.owner.as_ref().map(UserName::as_str)),
        ("tokens.serial GLOB ?", filter.serial.as_deref()),
        ("tokens.status = ?", filter.status.map(TokenStatus::word)),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            values.push(value.to_owned());
            conditions.push(condition.to_owned());
        }
    }
    match filter.owned {
        Some(Ownership::Owned) => conditions.push("tokens.owner IS NOT NULL".to_owned()),
        Some(Ownership::Unowned) => conditions.push("tokens.owner IS NULL".to_owned()),
        None => {}
    }
    let text = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    (text, values)
}

/// The physical tokens assigned to `user`, as they stand in the user's own file.
pub(super) fn held_by(connection: &Connection, user: &UserName) -> Result<Vec<Held>, rusqlite::Error> {
    let query = format!("SELECT {COLUMNS} FROM tokens WHERE owner = ?1 ORDER BY id LIMIT {}", MOST_HELD + 1);
    let mut statement = connection.prepare(&query)?;
    let rows = statement.query_map([user.as_str()], row::read)?;
    let held = rows.map(|stored| {
        let missing = || rusqlite::Error::InvalidColumnType(2, "secret".to_owned(), Type::Null);
        stored?.into_held().ok_or_else(missing)
    });
    held.collect()
}

/// A query for [`listed`] rows.
fn select(conditions: &str) -> String {
    let columns: Vec<String> = COLUMNS.split(", ").map(|column| format!("tokens.{}", column.trim())).collect();
    format!(
        "SELECT {}, series.name, tokens.vendor, tokens.model FROM tokens LEFT JOIN series ON series.id = tokens.series \
         {conditions}",
        columns.join(", ")
    )
}

fn listed(row: &Row<'_>) -> Result<Listed, rusqlite::Error> {
    let bad_owner = |_| rusqlite::Error::InvalidColumnType(8, "owner".to_owned(), Type::Text);
    Listed::of(row::read(row)?, row.get(WIDTH)?, row.get(WIDTH + 1)?, row.get(WIDTH + 2)?).map_err(bad_owner)
}

fn import(row: &Row<'_>) -> Result<ImportRecord, rusqlite::Error> {
    Ok(ImportRecord {
        file: row.get(0)?,
        sha256: row.get(1)?,
        at: row::time(row, 2)?.unwrap_or(UnixTime::from_seconds(0)),
        who: row.get(3)?,
        added: row.get(4)?,
        unchanged: row.get(5)?,
        conflicts: row.get(6)?,
        rejected: row.get(7)?,
    })
}
