//! The quota of users whom a host enrolls without an invitation, in an hour.
//!
//! Invariants: an enrollment is counted in the transaction that writes it, and nothing else is: of any number at once, through any
//! servers, no more are written than the quota has left, and an attempt that enrolls no user uses nothing up. Those of the hour before
//! count in part, as wrong codes do.

use tokio_postgres::IsolationLevel;
use tokio_postgres::types::Type;

use crate::database::tables::{Database, Parameters, Written};
use crate::error::ServerError;

/// Counts an enrollment at the host `$1`, and gives a row. None where as many as `$2` were counted within the last sixty minutes. Others
/// at that host wait until this transaction has ended.
pub(crate) const COUNT: &str = "with clock as (select extract(epoch from clock_timestamp()) / 3600 as hours)
    insert into twofactor.enrolled as e (host, hour, users, before)
    select $1, floor(hours)::int8, 1, 0 from clock
    on conflict (host) do update set hour = excluded.hour,
        before = case excluded.hour - e.hour when 0 then e.before when 1 then e.users else 0 end,
        users = 1 + case excluded.hour - e.hour when 0 then e.users else 0 end
    where $2 > case excluded.hour - e.hour
        when 0 then e.users + e.before * (select 1 - (hours - floor(hours)) from clock)
        when 1 then e.users * (select 1 - (hours - floor(hours)) from clock)
        else 0 end
    returning users";

impl Database {
    /// Runs a statement that writes an enrollment at a host and gives a row where it has, and counts that.
    pub(crate) async fn enroll(
        &self,
        host: &str,
        quota: u32,
        statement: &str,
        parameters: &Parameters<'_>,
    ) -> Result<Written, ServerError> {
        let counted: &Parameters<'_> = &[(&host, Type::TEXT), (&i64::from(quota), Type::INT8)];
        let enrolled = async {
            let mut connection = self.in_use().await?;
            // Under another isolation, the count would be as of before others were waited for.
            let reading = IsolationLevel::ReadCommitted;
            let transaction = connection.client_mut()?.build_transaction().isolation_level(reading).start().await?;
            let written = if transaction.query_typed(COUNT, counted).await?.is_empty() {
                Written::OverQuota
            } else if transaction.query_typed(statement, parameters).await?.is_empty() {
                Written::Conflict
            } else {
                transaction.commit().await?;
                connection.ended();
                return Ok(Written::Done);
            };
            transaction.rollback().await?;
            connection.ended();
            Ok(written)
        };
        match self.in_time(enrolled).await {
            Err(error) if error.is_conflict() => Ok(Written::Conflict),
            written => written,
        }
    }
}
