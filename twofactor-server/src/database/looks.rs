//! Looks at a database that may hang.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::Pool;
use tokio::time::{sleep, timeout};
use tokio_postgres::Error;

use crate::database::circuit::Circuit;
use crate::postgresql::{PATIENCE as CONNECTING, Postgresql};
use crate::times::STATEMENT;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Looks at the database until it does not hang. A look has as much time as a statement.
pub(super) async fn look(pool: Pool, postgresql: Postgresql, circuit: Arc<Circuit>) {
    loop {
        let began = Instant::now();
        match timeout(STATEMENT, answers(&postgresql)).await {
            Ok(Ok(())) => return circuit.is_back(),
            // Statements hear the same, at once.
            Ok(Err(_)) if began.elapsed() < CONNECTING => return circuit.is_back(),
            _ if circuit.hangs(began) => {
                // Each would cost a statement its time when the database is back.
                pool.retain(|_, _| false);
                sleep(PAUSE).await;
            }
            _ => return,
        }
    }
}

/// Over a new connection: one that is kept may be to a host that has gone without a word, while another is there.
async fn answers(postgresql: &Postgresql) -> Result<(), Error> {
    let (client, _) = postgresql.connect().await?;
    client.query_typed("select 1", &[]).await.map(drop)
}
