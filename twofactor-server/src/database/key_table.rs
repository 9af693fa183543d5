//! The keys of a store as its database knows them: which records have which, and who changed them.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_postgres::types::Type;
use twofactor_core::log::record::Record;

use crate::database::schema::Tables;
use crate::database::tables::{Database, FRESH};
use crate::error::ServerError;
use crate::inventory::{Purpose, Transaction};
use crate::postgresql::Postgresql;
use crate::sealing::keys::Keys;
use crate::sealing::sealed_columns;
use crate::upkeep::housekeeping::Running;

/// The longest that a look at every record may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// The longest wait for other changes of tokens to end, and for statements that have begun.
const CHANGES: Duration = Duration::from_mins(5);
const WRITING: Duration = Duration::from_mins(1);

/// The pause between two looks at these statements.
const PAUSE: Duration = Duration::from_millis(100);

/// The database of a store, for a change of its keys.
pub struct KeyTable(Database);

/// The use of a store's keys.
#[derive(Debug, Default)]
pub struct KeyUse {
    /// The number of records of each key, in all columns.
    pub records: Vec<(i32, i64)>,
    /// The servers that run.
    pub servers: Vec<Running>,
}

impl KeyTable {
    /// Opens the store behind a connection string.
    pub async fn open(postgresql: Postgresql, keys: Keys) -> Result<Self, ServerError> {
        Ok(Self(Database::open(postgresql, keys, Tables::Made).await?))
    }

    /// The use of all keys of the store behind a connection string, which is left as it is. Without tables there are no records.
    pub async fn use_of(postgresql: Postgresql, keys: Keys) -> Result<KeyUse, ServerError> {
        match Database::open(postgresql, keys, Tables::Present).await {
            Ok(database) => Self(database).in_use().await,
            Err(ServerError::NoTables) => Ok(KeyUse::default()),
            Err(error) => Err(error),
        }
    }

    async fn in_use(&self) -> Result<KeyUse, ServerError> {
        // All records are read: more than a login waits for.
        let rows = self.0.ask_within(PATIENCE, &sealed_columns::count_by_key(), &[]).await?;
        let records = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        Ok(KeyUse { records: records.collect::<Result<_, ServerError>>()?, servers: self.0.running().await? })
    }

    /// Has the store take nothing more that is sealed with a key older than `oldest`, and waits until nothing can be written that was
    /// sealed before.
    pub async fn take_no_older_than(&self, oldest: i32) -> Result<(), ServerError> {
        self.0.raise_oldest_key(oldest).await?;
        // An account that was read before that is written by then, or not at all.
        sleep(Duration::from_secs_f64(FRESH)).await;
        // A statement that has begun may wait for a lock meanwhile.
        let begun = self.0.writers(None).await?;
        let until = Instant::now() + WRITING;
        while !self.0.writers(Some(&begun)).await?.is_empty() {
            if Instant::now() > until {
                return Err(ServerError::StillWritten(WRITING.as_secs()));
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Notes in the audit that `who` is about to change the keys.
    pub async fn note(&self, who: &str, change: &Record) -> Result<(), ServerError> {
        const NOTE: &str = "insert into twofactor.audit (host, name, event, detail, who) values ('', '', $1, $2, $3)";
        let (event, detail) = (change.event().word(), change.pairs());
        self.0.ask(NOTE, &[(&event, Type::TEXT), (&detail, Type::TEXT), (&who, Type::TEXT)]).await.map(drop)
    }
}

impl Database {
    /// Raises the oldest key that may seal. Behind the lock of tokens: a change of tokens asks for it once, and may last for long.
    async fn raise_oldest_key(&self, oldest: i32) -> Result<(), ServerError> {
        const RAISE: &str = "update twofactor.store set oldest_key = greatest(oldest_key, $1)";
        let transaction = Transaction::begin(self, Purpose::Change(CHANGES)).await?;
        let raised = transaction.ask(RAISE, &[(&oldest, Type::INT4)]).await.map(drop);
        transaction.settle(raised).await
    }

    /// The transactions that write to tables of the store at the moment; with `of`, those among them.
    async fn writers(&self, of: Option<&[String]>) -> Result<Vec<String>, ServerError> {
        const WRITERS: &str = "select distinct l.virtualtransaction from pg_locks l
            join pg_class c on c.oid = l.relation and c.relnamespace = 'twofactor'::regnamespace
                and c.relkind = 'r'
            where l.database = (select oid from pg_database where datname = current_database())
                and l.mode = 'RowExclusiveLock' and ($1::text[] is null or l.virtualtransaction = any($1))";
        let rows = self.ask(WRITERS, &[(&of, Type::TEXT_ARRAY)]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}
