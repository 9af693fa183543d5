//! The keys of a store as its database knows them: which records have which, and who changed them.

use std::time::Duration;

use tokio_postgres::types::Type;
use twofactor_core::log::record::{Event, Record};

use crate::database::tables::Database;
use crate::error::ServerError;
use crate::postgresql::Postgresql;
use crate::sealing::keys::Keys;
use crate::sealing::sealed_columns;
use crate::upkeep::housekeeping::Running;

/// The longest that a look at every record may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// The database of a store, for a change of its keys.
pub struct KeyTable(Database);

/// The use of a store's keys.
#[derive(Debug)]
pub struct KeyUse {
    /// The number of records of each key, in all columns.
    pub records: Vec<(i32, i64)>,
    /// The servers that run.
    pub servers: Vec<Running>,
}

impl KeyTable {
    /// Opens the store behind a connection string.
    pub async fn open(postgresql: Postgresql, keys: Keys) -> Result<Self, ServerError> {
        Ok(Self(Database::open(postgresql, keys).await?))
    }

    /// Looks at the use of all keys.
    pub async fn in_use(&self) -> Result<KeyUse, ServerError> {
        // All records are read: more than a login waits for.
        let rows = self.0.ask_within(PATIENCE, &sealed_columns::count_by_key(), &[]).await?;
        let records = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        Ok(KeyUse { records: records.collect::<Result<_, ServerError>>()?, servers: self.0.running().await? })
    }

    /// Notes in the audit that `who` is about to change the keys: `change` is done to these.
    pub async fn note(&self, who: &str, change: &str, keys: &[i32]) -> Result<(), ServerError> {
        const NOTE: &str = "insert into twofactor.audit (host, name, event, detail, who) values ('', '', $1, $2, $3)";
        let numbers = keys.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
        let record = Record::new(Event::KeysChanged).with("change", change).with("keys", numbers);
        let (event, detail) = (record.event().word(), record.pairs());
        self.0.ask(NOTE, &[(&event, Type::TEXT), (&detail, Type::TEXT), (&who, Type::TEXT)]).await.map(drop)
    }
}
