//! The tables, and how they come to be.
//!
//! Invariants: a migration is applied once, in one transaction, by one server at a time. One that takes nothing away that the version
//! before needs leaves `oldest_server` as it is, so servers of two versions run side by side during an upgrade: statements name the columns
//! that they read and write, so a column with a default disturbs none of them. One that does take something away raises `oldest_server`:
//! older servers judge nothing from then on, because each reads it with every account and behind the lock of tokens. A judgement from before
//! is written within seconds, or not at all.

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, IsolationLevel, Row};

use crate::database::sealed_row::sealed;
use crate::error::ServerError;
use crate::sealing::seals::Sealed;

/// The migrations in their order. The number of the last is the version.
const MIGRATIONS: [&str; 1] = [include_str!("schema/1.sql")];

/// The version of this server.
pub(crate) const VERSION: i32 = 1;

/// The advisory lock of migrations: "twofactor" in ASCII, cut to eight bytes.
const LOCK: i64 = 0x7477_6f66_6163_746f;

/// The tables that an opened store may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    /// They are made, or brought to this server's version: for a server.
    Upgraded,
    /// They are made where there are none: for a command that changes the store. An upgrade is left to a server.
    Made,
    /// They are there: for a command that looks.
    Present,
}

/// The store as a server finds it.
pub(crate) struct Found {
    /// The random name of the store. Records of one store are none of another.
    pub(crate) store: String,
    /// The secret of digests; `None` until the first server has made it.
    pub(crate) digest_secret: Option<Sealed>,
}

/// The demands of a store on the servers that use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Demands {
    schema: i32,
    oldest_server: i32,
    oldest_key: i32,
}

impl Demands {
    /// Asks for the demands.
    pub(crate) const READ: &str = "select version, oldest_server, oldest_key from twofactor.store";

    /// The columns of [`READ`](Self::READ) in a row, from `first` on.
    pub(crate) fn of(row: &Row, first: usize) -> Result<Self, ServerError> {
        let (schema, oldest_server) = (row.try_get(first)?, row.try_get(first + 1)?);
        Ok(Self { schema, oldest_server, oldest_key: row.try_get(first + 2)? })
    }

    /// The version of the schema, where a server of this version may use it.
    pub(crate) fn version(self) -> Result<i32, ServerError> {
        let Self { schema, oldest_server: oldest, .. } = self;
        if oldest > VERSION { Err(ServerError::TooNew { schema, oldest, server: VERSION }) } else { Ok(schema) }
    }

    /// The same, where no server has to upgrade the schema first.
    pub(crate) fn current(self) -> Result<i32, ServerError> {
        let schema = self.version()?;
        if schema < VERSION { Err(ServerError::OldSchema { schema, server: VERSION }) } else { Ok(schema) }
    }

    /// Refuses a server that is too old, or that seals with a key which is about to be taken away.
    pub(crate) fn met_with(self, sealing: i32) -> Result<(), ServerError> {
        self.version()?;
        let oldest = self.oldest_key;
        if sealing < oldest { Err(ServerError::OldKey { sealing, oldest }) } else { Ok(()) }
    }
}

/// All of a store's row, behind its demands.
const WHOLE: &str = "select version, oldest_server, oldest_key, id, digest_key, digest_sealed from twofactor.store";

/// Finds the store. By one statement, unless its tables have to be made or upgraded.
pub(crate) async fn find(client: &mut Client, tables: Tables) -> Result<Found, ServerError> {
    match client.query_typed_one(WHOLE, &[]).await {
        Ok(row) if version(&row, tables)? >= VERSION => found(&row),
        Ok(_) => migrate(client, tables).await,
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => match tables {
            Tables::Upgraded | Tables::Made => migrate(client, tables).await,
            Tables::Present => Err(ServerError::NoTables),
        },
        Err(error) => Err(error.into()),
    }
}

/// The version of a store, from [`WHOLE`] of its row. Refuses an older one that is not to be upgraded.
fn version(row: &Row, tables: Tables) -> Result<i32, ServerError> {
    let demands = Demands::of(row, 0)?;
    if tables == Tables::Upgraded { demands.version() } else { demands.current() }
}

fn found(row: &Row) -> Result<Found, ServerError> {
    Ok(Found { store: row.try_get(3)?, digest_secret: sealed(row, 4)? })
}

/// Brings the schema to this server's version. A newer one is left alone where its migrations say that this server may use it.
async fn migrate(client: &mut Client, tables: Tables) -> Result<Found, ServerError> {
    // Whatever the database's default is: what the server before has made must be seen once the lock is held.
    let transaction = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await?;
    transaction.query_typed("select pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    transaction.batch_execute("create schema if not exists twofactor").await?;
    let present = "select to_regclass('twofactor.store') is not null";
    let is_new = !transaction.query_typed_one(present, &[]).await?.try_get::<_, bool>(0)?;
    let version = if is_new { 0 } else { version(&transaction.query_typed_one(WHOLE, &[]).await?, tables)? };
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.batch_execute(migration).await?;
    }
    if version < VERSION {
        let set = "update twofactor.store set version = $1";
        transaction.execute_typed(set, &[(&VERSION, Type::INT4)]).await?;
    }
    let found = found(&transaction.query_typed_one(WHOLE, &[]).await?)?;
    transaction.commit().await?;
    Ok(found)
}
