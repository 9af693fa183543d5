//! The tables, and how they come to be.
//!
//! Invariants: a migration is applied once, in one transaction, by one server at a time. Each adds and takes nothing away that the
//! version before needs, so servers of two versions run side by side during an upgrade.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, IsolationLevel, Row};

use crate::error::ServerError;

/// The migrations in their order. The number of the last is the version.
const MIGRATIONS: [&str; 1] = [include_str!("schema/1.sql")];

/// The version of this server.
pub(crate) const VERSION: i32 = 1;

/// The advisory lock of migrations: "twofactor" in ASCII, cut to eight bytes.
const LOCK: i64 = 0x7477_6f66_6163_746f;

/// The database as a server finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The random name of the store. Records of one store are none of another.
    pub(crate) store: String,
    /// The version of the schema.
    pub(crate) version: i32,
}

/// Asks for the versions of a schema.
pub(crate) const VERSIONS: &str = "select version, oldest_server from twofactor.store";

/// The version of a schema that this server may use, from a row of [`VERSIONS`].
pub(crate) fn usable(row: &Row) -> Result<i32, ServerError> {
    let (schema, oldest): (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
    if oldest > VERSION { Err(ServerError::TooNew { schema, server: VERSION }) } else { Ok(schema) }
}

/// Brings the schema to this server's version. A newer one is left alone where its migrations say that this server may use it.
pub(crate) async fn migrate(client: &mut Client) -> Result<Found, ServerError> {
    // Whatever the database's default is: what the server before has made must be seen once the lock is held.
    let transaction = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await?;
    transaction.query_typed("select pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    transaction.batch_execute("create schema if not exists twofactor").await?;
    let present = "select to_regclass('twofactor.store') is not null";
    let is_new = !transaction.query_typed_one(present, &[]).await?.try_get::<_, bool>(0)?;
    let version: i32 = if is_new { 0 } else { usable(&transaction.query_typed_one(VERSIONS, &[]).await?)? };
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.batch_execute(migration).await?;
    }
    if version < VERSION {
        let set = "update twofactor.store set version = $1";
        transaction.execute_typed(set, &[(&VERSION, Type::INT4)]).await?;
    }
    let row = transaction.query_typed_one("select id, version from twofactor.store", &[]).await?;
    let found = Found { store: row.try_get(0)?, version: row.try_get(1)? };
    transaction.commit().await?;
    Ok(found)
}
