//! The quota of users whom a host enrolls without an invitation, in an hour.
//!
//! Invariants: an enrollment is counted before it is judged, by all servers together, in one statement: of any number at once no more
//! are let through than the quota has left. Those of the hour before count in part, as wrong codes do.

use tokio_postgres::types::Type;

use crate::database::{Database, Parameters};
use crate::error::ServerError;

impl Database {
    /// Counts an enrollment at a host. False where as many as `quota` were counted within the last sixty minutes.
    pub(crate) async fn count_enrollment(&self, host: &str, quota: u32) -> Result<bool, ServerError> {
        const COUNT: &str = "with clock as (select extract(epoch from clock_timestamp()) / 3600 as hours)
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
        let counted: &Parameters<'_> = &[(&host, Type::TEXT), (&i64::from(quota), Type::INT8)];
        Ok(!self.ask_repeating(COUNT, counted).await?.is_empty())
    }
}
