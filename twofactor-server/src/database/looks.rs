//! Looks at a database that may hang.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::Pool;
use tokio::time::{sleep, timeout};

use crate::database::circuit::Circuit;
use crate::database::in_use::InUse;
use crate::error::ServerError;
use crate::postgresql::{PATIENCE as CONNECTING, Postgresql};
use crate::times::STATEMENT;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Looks at the database until it does not hang. A look has as much time as a statement.
pub(super) async fn look(pool: Pool, postgresql: Postgresql, circuit: Arc<Circuit>) {
    loop {
        let began = Instant::now();
        match timeout(STATEMENT, answers(&pool, &postgresql)).await {
            Ok(Ok(())) => return circuit.is_back(),
            // Statements hear the same, at once.
            Ok(Err(_)) if began.elapsed() < CONNECTING => return circuit.is_back(),
            _ if circuit.hangs(began) => sleep(PAUSE).await,
            _ => return,
        }
    }
}

async fn answers(pool: &Pool, postgresql: &Postgresql) -> Result<(), ServerError> {
    let connection = InUse::of(pool.get().await?, postgresql);
    connection.client()?.query_typed("select 1", &[]).await?;
    connection.ended();
    Ok(())
}
