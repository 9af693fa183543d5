//! Records sealed with an old key are sealed with the new one, while logins run.
//!
//! Invariants: a record is written only where it is the one that was read, so no login's write is lost. Nothing but seal and key
//! changes: not the version, which logins compare. A record that opens with no key is left as it is, and named.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::database::schema::Tables;
use crate::database::tables::{Database, Parameters};
use crate::error::{ServerError, shown};
use crate::postgresql::Postgresql;
use crate::sealing::keys::Keys;
use crate::sealing::sealed_columns::{SEALED_COLUMNS, SealedColumn};
use crate::sealing::seals::Sealed;

/// The longest that a look at every record may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// Records of one statement.
const PORTION: i64 = 500;

/// The number of times that a portion is tried which others write, too.
const ROUNDS: usize = 16;

/// The records of one column after all of them were looked at.
#[derive(Debug)]
pub struct Resealed {
    /// The column.
    pub column: &'static SealedColumn,
    /// The number of records that were sealed anew.
    pub done: usize,
    /// The number of those that have another key still: a login has written them meanwhile, or they open with no key.
    pub left: i64,
    /// The owners of those that open with no key, a few of them.
    pub broken: Vec<String>,
}

/// Seals all records of a store that have another key than the sealing one.
pub async fn reseal(postgresql: Postgresql, keys: Keys) -> Result<Vec<Resealed>, ServerError> {
    let database = Database::open(postgresql, keys, Tables::Made).await?;
    // With a key that is about to be taken away nothing is sealed any more.
    database.demands().await?.met_with(database.seals.keys().sealing())?;
    let mut all = Vec::new();
    for column in SEALED_COLUMNS {
        all.push(database.reseal(column).await?);
    }
    Ok(all)
}

impl Database {
    async fn reseal(&self, column: &'static SealedColumn) -> Result<Resealed, ServerError> {
        let SealedColumn { table, key, sealed, owner, .. } = column;
        let sealing = self.seals.keys().sealing;
        let select = format!(
            "select {owner}, t.{key}, t.{sealed} from twofactor.{table} as t
             where t.{key} <> $1 and {owner} > $2 order by {owner} limit $3"
        );
        let (mut done, mut broken, mut after, mut rounds) = (0, Vec::new(), String::new(), 0);
        loop {
            let portion: &Parameters<'_> = &[(&sealing, Type::INT4), (&after, Type::TEXT), (&PORTION, Type::INT8)];
            // The last one of a column looks through all that is left.
            let rows = self.ask_within(PATIENCE, &select, portion).await?;
            let Some(last) = rows.last() else { break };
            match self.reseal_portion(column, sealing, &rows, &mut broken).await {
                Ok(written) => {
                    done += written;
                    after = last.try_get(0)?;
                    rounds = 0;
                }
                Err(error) if error.is_conflict() && rounds < ROUNDS => rounds += 1,
                Err(error) => return Err(error),
            }
        }
        let count = format!("select count(*) from twofactor.{table} where {key} <> $1");
        let rows = self.ask_within(PATIENCE, &count, &[(&sealing, Type::INT4)]).await?;
        let left = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        Ok(Resealed { column, done, left, broken })
    }

    /// The number of records that were written.
    async fn reseal_portion(
        &self,
        column: &SealedColumn,
        sealing: i32,
        rows: &[Row],
        broken: &mut Vec<String>,
    ) -> Result<usize, ServerError> {
        const MOST_NAMED: usize = 10;
        let SealedColumn { table, key, sealed, owner, kind } = column;
        let (mut owners, mut old, mut new) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            let name: String = row.try_get(0)?;
            let record = Sealed { key: row.try_get(1)?, bytes: row.try_get(2)? };
            match self.seals.open(*kind, &name, &record) {
                Ok(plain) => {
                    new.push(self.seals.seal(*kind, &name, &plain)?.bytes);
                    owners.push(name);
                    old.push(record.bytes);
                }
                Err(ServerError::BrokenSeal(_)) => {
                    let name = shown(&name);
                    if broken.len() < MOST_NAMED && !broken.contains(&name) {
                        broken.push(name);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let update = format!(
            "update twofactor.{table} as t set {key} = $1, {sealed} = record.new
             from unnest($2, $3, $4) as record (owner, old, new)
             where {owner} = record.owner and t.{sealed} = record.old returning 1"
        );
        let records: &Parameters<'_> = &[
            (&sealing, Type::INT4),
            (&owners, Type::TEXT_ARRAY),
            (&old, Type::BYTEA_ARRAY),
            (&new, Type::BYTEA_ARRAY),
        ];
        Ok(self.ask(&update, records).await?.len())
    }
}
