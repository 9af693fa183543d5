//! A connection of the pool while statements run on it.

use std::time::Duration;

use deadpool_postgres::Object;
use tokio::time::timeout;

use crate::error::ServerError;
use crate::postgresql::Postgresql;

/// The longest that the database may take to hear that a statement is given up.
const PATIENCE: Duration = Duration::from_secs(1);

/// A connection while it is used. Where that is given up it is not used again: the next statement would wait for the one that runs still.
/// That one is canceled ([`Postgresql::cancel`]). Else it would wait for a lock behind a connection that is gone, and a hundred of them use
/// up all connections of the database.
pub(crate) struct InUse {
    connection: Option<Object>,
    postgresql: Postgresql,
}

impl InUse {
    /// A connection that was taken from the pool.
    pub(crate) fn of(connection: Object, postgresql: &Postgresql) -> Self {
        Self { connection: Some(connection), postgresql: postgresql.clone() }
    }

    /// The connection.
    pub(crate) fn client(&self) -> Result<&Object, ServerError> {
        self.connection.as_ref().ok_or(ServerError::BrokenOff)
    }

    /// The same, for a transaction.
    pub(crate) fn client_mut(&mut self) -> Result<&mut Object, ServerError> {
        self.connection.as_mut().ok_or(ServerError::BrokenOff)
    }

    /// Gives it back: its statements have ended.
    pub(crate) fn ended(mut self) {
        drop(self.connection.take());
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let (client, postgresql) = (Object::take(connection), self.postgresql.clone());
        // None where the program ends, and all connections with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = timeout(PATIENCE, postgresql.cancel(client.cancel_token())).await;
                drop(client);
            });
        }
    }
}
