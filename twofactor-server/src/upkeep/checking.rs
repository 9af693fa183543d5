//! Problems of a database, found without changing anything.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::database::schema::{Demands, VERSION};
use crate::error::{ServerError, in_words};
use crate::postgresql::Postgresql;
use crate::sealing::keys::Keys;
use crate::sealing::sealed_columns;
use crate::upkeep::housekeeping::{self, Running};

/// The longest that the database may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The oldest PostgreSQL: 15.
const OLDEST: i32 = 150_000;

/// Clocks that differ by more seconds than this are a problem, long before they stop the server.
const MOST_APART: f64 = 10.0;

/// Each thing that was looked at: a word about it, or the problem.
pub type Findings = Vec<Result<String, ServerError>>;

/// Looks at the database behind a connection string, with the keys of this server where they can be read.
pub async fn check(postgresql: &str, keys: Option<&Keys>) -> Findings {
    let mut findings = Findings::new();
    let database: Postgresql = match postgresql.parse() {
        Ok(database) => database,
        Err(error) => return vec![Err(error)],
    };
    for host in database.hosts().iter().filter(|host| host.is_open()) {
        findings.push(Err(ServerError::Open(host.name.clone())));
    }
    if database.is_verified() {
        findings.push(Ok("the database shows a certificate for its name: TLS 1.3".to_owned()));
    }
    match timeout(PATIENCE, examine(&database, keys, &mut findings)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => findings.push(Err(error)),
        Err(_) => findings.push(Err(ServerError::Late(PATIENCE.as_secs()))),
    }
    if database.hosts().len() > 1 {
        findings.extend(each_host(&database).await);
    }
    findings
}

/// A line for each host of a string with several. A standby is well while another host takes writes.
async fn each_host(database: &Postgresql) -> Findings {
    let mut findings = Findings::new();
    for host in database.hosts() {
        findings.push(match host.connect(database.share()).await {
            Ok(_) => Ok(format!("the database at {} can be used", host.name)),
            Err(error) => Err(ServerError::DatabaseHost { host: host.name.clone(), problem: in_words(&error) }),
        });
    }
    findings
}

/// All that is asked of a database at once.
const ASKED: &str = "select current_setting('server_version_num')::int, current_setting('server_version'),
    extract(epoch from clock_timestamp())::float8, pg_is_in_recovery(),
    to_regclass('twofactor.store') is not null, has_database_privilege(current_database(), 'create')";

async fn examine(database: &Postgresql, keys: Option<&Keys>, findings: &mut Findings) -> Result<(), ServerError> {
    let (client, _connection) = database.connect().await?;
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
    if !has_store {
        let none = "no tables yet: the first server makes them".to_owned();
        findings.push(if may_create { Ok(none) } else { Err(ServerError::NoRights) });
        return Ok(());
    }
    if let Some(forbidden) = forbidden(&client).await? {
        findings.push(Err(ServerError::NoRightsOn(forbidden)));
        return Ok(());
    }
    let demands = Demands::of(&client.query_typed_one(Demands::READ, &[]).await?, 0)?;
    let version = demands.current();
    let is_usable = version.is_ok();
    findings.push(version.map(|version| match version {
        newer if newer > VERSION => {
            format!("schema {newer}, of a newer server; this one has schema {VERSION}, and may use it")
        }
        version => format!("schema {version}; this server has schema {VERSION}"),
    }));
    if let Some(keys) = keys.filter(|_| is_usable) {
        findings.extend(demands.met_with(keys.sealing()).err().map(Err));
        findings.extend(missing_keys(&client, keys).await?);
        findings.extend(other_servers(&client, keys).await?);
    }
    Ok(())
}

/// The tables that the role may not use; `None` when it may use each.
async fn forbidden(client: &Client) -> Result<Option<String>, ServerError> {
    const FORBIDDEN: &str = "select string_agg(c.oid::regclass::text, ', ' order by c.relname)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'twofactor'
        where c.relkind = 'r' and not (has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
            and has_table_privilege(c.oid, 'insert') and has_table_privilege(c.oid, 'update')
            and has_table_privilege(c.oid, 'delete'))";
    Ok(client.query_typed_one(FORBIDDEN, &[]).await?.try_get(0)?)
}

/// Records whose keys are not there.
async fn missing_keys(client: &Client, keys: &Keys) -> Result<Findings, ServerError> {
    let rows = client.query_typed(&sealed_columns::count_by_key(), &[]).await?;
    let mut findings = Findings::new();
    for row in rows {
        let (key, records): (i32, i64) = (row.try_get(0)?, row.try_get(1)?);
        if !keys.numbers().contains(&key) {
            findings.push(Err(ServerError::MissingKey { key, records }));
        }
    }
    if findings.is_empty() {
        findings.push(Ok("there is a key for every record".to_owned()));
    }
    Ok(findings)
}

/// Servers that run with other keys.
async fn other_servers(client: &Client, keys: &Keys) -> Result<Findings, ServerError> {
    let rows = client.query_typed(housekeeping::RUNNING, &[(&housekeeping::GONE, Type::FLOAT8)]).await?;
    let mut findings = Findings::new();
    for row in &rows {
        let Running { host, keys: theirs, .. } = Running::of(row)?;
        let ours = keys.numbers();
        if theirs != ours {
            findings.push(Err(ServerError::OtherKeys { host, theirs, ours }));
        }
    }
    if findings.is_empty() && !rows.is_empty() {
        let (count, run) = (rows.len(), if rows.len() == 1 { "server runs" } else { "servers run" });
        findings.push(Ok(format!("{count} {run}, with these keys")));
    }
    Ok(findings)
}
