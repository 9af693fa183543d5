//! The work of a server beside its questions: it says that it runs and with which keys, compares the clocks, and removes what is old.
//!
//! Invariants: one server at a time removes, in portions, so that no login waits for it. What fails is done again a moment later.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use twofactor_core::host::clock::{Clock as _, SystemClock};
use twofactor_core::store::Unusable as _;

use crate::database::schema::Demands;
use crate::database::tables::{Database, Parameters};
use crate::error::{ServerError, shown};
use crate::journal::complain;

/// The pause between two rounds.
const ROUND: Duration = Duration::from_secs(10);

/// A server that was not seen for this long does not run. In seconds.
pub(crate) const GONE: f64 = 60.0;

/// The age at which an answer is removed: twice that at which it is given again. In seconds.
const OLD: f64 = 60.0;

/// Rows of one removal.
const PORTION: i64 = 20_000;

/// Portions of one round. A table that has grown for long is made smaller over several rounds.
const PORTIONS: usize = 20;

/// Clocks that differ by more seconds than this are complained about.
const APART: u64 = 10;

/// The advisory lock of removing: "twofkeep" in ASCII.
const LOCK: i64 = 0x7477_6f66_6b65_6570;

/// A server that runs on the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The machine's name.
    pub host: String,
    /// The version of the program.
    pub program: String,
    /// The keys that it has.
    pub keys: Vec<i32>,
    /// The key that it seals with.
    pub sealing: i32,
}

/// Asks for the servers that were seen within `$1` seconds.
pub(crate) const RUNNING: &str = "select host, program, keys, sealing from twofactor.server
    where seen > clock_timestamp() - make_interval(secs => $1) order by host, instance";

impl Running {
    /// A row of [`RUNNING`].
    pub(crate) fn of(row: &Row) -> Result<Self, ServerError> {
        let (host, program) = (shown(row.try_get(0)?), shown(row.try_get(1)?));
        Ok(Self { host, program, keys: row.try_get(2)?, sealing: row.try_get(3)? })
    }
}

/// The rounds of one server.
pub(crate) struct Housekeeping<'d> {
    database: &'d Database,
    instance: &'d str,
    audit_days: u32,
    is_late: bool,
    has_failed: bool,
}

impl<'d> Housekeeping<'d> {
    /// Rows of the audit are kept for `audit_days`.
    pub(crate) fn new(database: &'d Database, instance: &'d str, audit_days: u32) -> Self {
        Self { database, instance, audit_days, is_late: false, has_failed: false }
    }

    /// Works for ever.
    pub(crate) async fn work(mut self) {
        let mut rounds = interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            match self.round().await {
                Ok(()) => self.has_failed = false,
                Err(error) => {
                    if !self.has_failed {
                        complain(&format!("{error}\n  {}", error.hint()));
                    }
                    self.has_failed = true;
                }
            }
        }
    }

    async fn round(&mut self) -> Result<(), ServerError> {
        let demands = self.database.demands().await?;
        // Else nothing is written: the tables may be other ones.
        demands.version()?;
        self.compare_clocks(self.database.announce(self.instance).await?)?;
        demands.met_with(self.database.seals.keys().sealing())?;
        self.database.remove_in_portions(REMOVE_ANSWERS, OLD).await?;
        self.database.remove_in_portions(REMOVE_AUDIT, f64::from(self.audit_days) * 86400.0).await
    }

    /// Complains when the clocks begin to differ. `theirs` is the database's.
    fn compare_clocks(&mut self, theirs: u64) -> Result<(), ServerError> {
        let apart = SystemClock.now()?.seconds().abs_diff(theirs);
        let was_late = std::mem::replace(&mut self.is_late, apart > APART);
        if self.is_late && !was_late {
            complain(&format!("{}; above 60 seconds no question is answered", ServerError::ClockOff(apart)));
        }
        Ok(())
    }
}

impl Database {
    /// The demands of the store on its servers.
    pub(crate) async fn demands(&self) -> Result<Demands, ServerError> {
        let rows = self.ask(Demands::READ, &[]).await?;
        let row = rows.first().ok_or_else(|| ServerError::NoConnection("no row came back".to_owned()))?;
        Demands::of(row, 0)
    }

    /// Says that this server runs, and forgets those that have not for long. The database's time, in seconds since 1970.
    pub(crate) async fn announce(&self, instance: &str) -> Result<u64, ServerError> {
        const ANNOUNCE: &str = "with gone as (
                delete from twofactor.server where seen < clock_timestamp() - make_interval(secs => $1)
            ) insert into twofactor.server (instance, host, program, seen, keys, sealing)
            values ($2, $3, $4, clock_timestamp(), $5, $6)
            on conflict (instance) do update
            set seen = excluded.seen, keys = excluded.keys, sealing = excluded.sealing
            returning extract(epoch from clock_timestamp())::int8";
        let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
        let keys = self.seals.keys();
        let (numbers, sealing) = (keys.numbers(), keys.sealing());
        let forgotten = GONE * 60.0;
        let parameters: &Parameters<'_> = &[
            (&forgotten, Type::FLOAT8),
            (&instance, Type::TEXT),
            (&host, Type::TEXT),
            (&env!("CARGO_PKG_VERSION"), Type::TEXT),
            (&numbers, Type::INT4_ARRAY),
            (&sealing, Type::INT4),
        ];
        let rows = self.ask(ANNOUNCE, parameters).await?;
        let now: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        Ok(u64::try_from(now).unwrap_or_default())
    }

    /// Says that this server does not run any more.
    pub(crate) async fn leave(&self, instance: &str) -> Result<(), ServerError> {
        const LEAVE: &str = "delete from twofactor.server where instance = $1";
        self.ask(LEAVE, &[(&instance, Type::TEXT)]).await.map(drop)
    }

    /// The servers that run.
    pub(crate) async fn running(&self) -> Result<Vec<Running>, ServerError> {
        let rows = self.ask(RUNNING, &[(&GONE, Type::FLOAT8)]).await?;
        rows.iter().map(Running::of).collect()
    }

    /// Removes rows older than so many seconds, unless another server does.
    async fn remove_in_portions(&self, remove: &str, seconds: f64) -> Result<(), ServerError> {
        let parameters: &Parameters<'_> = &[(&seconds, Type::FLOAT8), (&PORTION, Type::INT8), (&LOCK, Type::INT8)];
        for _ in 0..PORTIONS {
            let removed = match self.ask(remove, parameters).await {
                Ok(rows) => rows.len(),
                Err(error) if error.is_conflict() => 0,
                Err(error) => return Err(error),
            };
            if i64::try_from(removed).is_ok_and(|removed| removed < PORTION) {
                break;
            }
        }
        Ok(())
    }
}

/// Removes `$2` answers that are older than `$1` seconds.
const REMOVE_ANSWERS: &str = "with turn as materialized (select pg_try_advisory_xact_lock($3) as is_ours)
    delete from twofactor.answer where (select is_ours from turn) and question in (
        select question from twofactor.answer where at < clock_timestamp() - make_interval(secs => $1) limit $2
    ) returning 1";

/// Removes those of the first `$2` rows of the audit that are older than `$1` seconds. Numbers rise with time, so the others are newer.
const REMOVE_AUDIT: &str = "with turn as materialized (select pg_try_advisory_xact_lock($3) as is_ours)
    delete from twofactor.audit where (select is_ours from turn) and number in (
        select number from (select number, at from twofactor.audit order by number limit $2) as first
        where at < clock_timestamp() - make_interval(secs => $1)
    ) returning 1";
