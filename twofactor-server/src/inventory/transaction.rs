//! One transaction, on a connection that nothing else has meanwhile. So a pooler between transactions may stand between.
//!
//! Invariants: a transaction that is dropped has changed nothing. Its connection is not used again. One that changes tokens begins once they
//! are locked, and only where the store is for this server and its key at that moment, and the clocks agree.

use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use crate::clocks::agreed;
use crate::database::in_use::InUse;
use crate::database::schema::Demands;
use crate::database::tables::{self, Database, Parameters};
use crate::error::ServerError;

/// The longest wait for one statement over many rows.
pub(super) const PATIENCE: Duration = Duration::from_mins(10);

/// The advisory lock of all changes of tokens: "tokens" in ASCII.
pub(crate) const TOKENS_LOCK: &str = "select pg_advisory_xact_lock(x'746f6b656e73'::int8)";

/// The way in which a transaction begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It looks, and sees one moment of the store.
    Look,
    /// It changes tokens, and waits this long for other changes to end.
    Change(Duration),
}

/// A transaction.
pub(crate) struct Transaction {
    connection: InUse,
}

impl Transaction {
    /// Begins one.
    pub(crate) async fn begin(database: &Database, purpose: Purpose) -> Result<Self, ServerError> {
        let transaction = Self { connection: database.in_use().await? };
        match purpose {
            Purpose::Look => transaction.run("begin isolation level repeatable read, read only").await?,
            Purpose::Change(patience) => {
                let most = patience.as_millis();
                // Under another isolation, what is read behind the lock would be as of before it was waited for.
                transaction
                    .run(&format!("begin isolation level read committed; set local lock_timeout = {most}"))
                    .await?;
                match transaction.ask(TOKENS_LOCK, &[]).await {
                    Err(ServerError::Database(error)) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                        transaction.take_back().await;
                        return Err(ServerError::TokensBusy(patience.as_secs()));
                    }
                    locked => drop(locked?),
                }
                if let Err(error) = transaction.may_change(database).await {
                    transaction.take_back().await;
                    return Err(error);
                }
            }
        }
        Ok(transaction)
    }

    /// Refuses a change that the store does not take from this server at this moment. It may have waited long for the lock: the demands of
    /// the store and the clocks may have been other ones before.
    async fn may_change(&self, database: &Database) -> Result<(), ServerError> {
        const READ: &str = "select extract(epoch from clock_timestamp())::float8, version, oldest_server, oldest_key
            from twofactor.store";
        let row = self.ask_one(READ, &[]).await?;
        Demands::of(&row, 1)?.met_with(database.seals.keys().sealing())?;
        agreed(row.try_get(0)?).map(drop)
    }

    /// The connection.
    pub(super) fn client(&self) -> Result<&Client, ServerError> {
        Ok(self.connection.client()?)
    }

    /// Runs statements without parameters.
    pub(super) async fn run(&self, statements: &str) -> Result<(), ServerError> {
        Ok(within(self.client()?.batch_execute(statements)).await??)
    }

    /// Runs a statement, and gives its rows.
    pub(crate) async fn ask(&self, statement: &str, parameters: &Parameters<'_>) -> Result<Vec<Row>, ServerError> {
        Ok(within(self.client()?.query_typed(statement, parameters)).await??)
    }

    /// Runs a statement that gives one row.
    pub(super) async fn ask_one(&self, statement: &str, parameters: &Parameters<'_>) -> Result<Row, ServerError> {
        Ok(within(self.client()?.query_typed_one(statement, parameters)).await??)
    }

    /// Makes it happen where the work was done, and else takes it back at once: what it has locked is wanted by logins.
    pub(crate) async fn settle<T, E: From<ServerError>>(self, done: Result<T, E>) -> Result<T, E> {
        match done {
            Ok(done) => {
                self.commit().await?;
                Ok(done)
            }
            Err(error) => {
                self.take_back().await;
                Err(error)
            }
        }
    }

    /// Takes back what was done so far.
    pub(super) async fn take_back(self) {
        if self.run("rollback").await.is_ok() {
            self.connection.ended();
        }
    }

    /// Makes it happen.
    pub(super) async fn commit(self) -> Result<(), ServerError> {
        self.run("commit").await?;
        self.connection.ended();
        Ok(())
    }
}

pub(super) async fn within<T>(work: impl Future<Output = T>) -> Result<T, ServerError> {
    tables::within(PATIENCE, work).await
}
