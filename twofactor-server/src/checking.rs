//! Problems of a database, found without changing anything.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::timeout;
use tokio_postgres::NoTls;

use crate::error::ServerError;
use crate::schema;

/// The longest that the database may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The oldest PostgreSQL: 15.
const OLDEST: i32 = 150_000;

/// Clocks that differ by more seconds than this are a problem, long before they stop the server.
const MOST_APART: f64 = 10.0;

/// Each thing that was looked at: a word about it, or the problem.
pub type Findings = Vec<Result<String, ServerError>>;

/// Looks at the database behind a connection string.
pub async fn check(postgresql: &str) -> Findings {
    let mut findings = Findings::new();
    match timeout(PATIENCE, examine(postgresql, &mut findings)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => findings.push(Err(error)),
        Err(_) => findings.push(Err(ServerError::Late(PATIENCE.as_secs()))),
    }
    findings
}

/// All that is asked of a database at once.
const ASKED: &str = "select current_setting('server_version_num')::int, current_setting('server_version'),
    extract(epoch from clock_timestamp())::float8, pg_is_in_recovery(),
    to_regclass('twofactor.store') is not null, has_database_privilege(current_database(), 'create')";

async fn examine(postgresql: &str, findings: &mut Findings) -> Result<(), ServerError> {
    let (client, connection) = tokio_postgres::connect(postgresql, NoTls).await?;
    tokio::spawn(connection);
    let row = client.query_typed_one(ASKED, &[]).await?;
    let (number, version): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
    findings.push(if number < OLDEST {
        Err(ServerError::TooOld(version))
    } else {
        Ok(format!("PostgreSQL {version}"))
    });
    let ours = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let apart = (ours - row.try_get::<_, f64>(2)?).abs();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast to an integer saturates")]
    findings.push(if apart > MOST_APART {
        Err(ServerError::ClockOff(apart as u64))
    } else {
        Ok("the clocks agree".to_owned())
    });
    if row.try_get::<_, bool>(3)? {
        findings.push(Err(ServerError::ReadOnly));
    }
    let (has_store, may_create): (bool, bool) = (row.try_get(4)?, row.try_get(5)?);
    findings.push(if has_store {
        let version = schema::usable(&client.query_typed_one(schema::VERSIONS, &[]).await?);
        version.map(|version| format!("schema {version}; this server has {}", schema::VERSION))
    } else if may_create {
        Ok("no tables yet: the first server makes them".to_owned())
    } else {
        Err(ServerError::NoRights)
    });
    Ok(())
}
