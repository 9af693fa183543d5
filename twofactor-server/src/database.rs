//! The accounts in PostgreSQL: read as a whole, written by one compare-and-set.
//!
//! Invariants: a write takes place only where the state is the one that was read, together with its row of the audit, in one
//! statement; and only for as long as the time at which the answer was judged is the present. Statements are typed and
//! unnamed, so that a pooler may stand between. Values are parameters: none reaches a log of the database.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config, Row};
use twofactor_core::account::quota::WrongCodes;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::UserName;
use twofactor_core::store::one_account::{Change, Read};
use zeroize::Zeroizing;

use crate::error::ServerError;
use crate::keys::Keys;
use crate::postgresql::Postgresql;
use crate::schema;
use crate::sealing::{Kind, Sealed, Seals};

/// The longest wait for one answer of the database.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);

/// The longest from reading an account to writing it. A server that was stopped between the two would judge by a time of the
/// past, at which used-up steps were good.
pub(crate) const FRESH: f64 = 5.0;

/// For how long a recorded answer is given again.
const AGAIN: f64 = 30.0;

/// The number of times that a write is tried which others disturb.
const ROUNDS: usize = 16;

/// Most connections of one server.
const CONNECTIONS: usize = 16;

/// The accounts of one store.
pub(crate) struct Database {
    pub(crate) pool: Pool,
    pub(crate) seals: Seals,
}

/// An account as it was read.
pub(crate) struct Account {
    /// Its records, opened.
    pub(crate) read: Read,
    /// The version of its state; `None` when nothing is kept of the user.
    pub(crate) version: Option<i64>,
    /// The database's time, in seconds since 1970.
    pub(crate) now: f64,
    /// Wrong codes from the host that asks, within the last hour.
    pub(crate) wrong_codes: f64,
}

/// The finding about a question.
pub(crate) enum Found {
    /// It was answered a moment ago, with these bytes.
    Answered(Zeroizing<Vec<u8>>),
    /// It is new.
    Account(Box<Account>),
}

/// The row of the audit for a change.
pub(crate) struct Note<'a> {
    /// The host that has asked, by its certificate; empty for a sysadmin's command.
    pub(crate) host: &'a str,
    /// The sysadmin; `None` for a host.
    pub(crate) who: Option<&'a str>,
    /// The user.
    pub(crate) user: &'a UserName,
    /// The word for the question.
    pub(crate) event: &'a str,
    /// Reason or factor.
    pub(crate) detail: &'a str,
    /// The digest of the question.
    pub(crate) question: &'a [u8],
    /// The answer.
    pub(crate) answer: &'a [u8],
    /// The wrong codes that this adds to those of the host. As much is written for none of a user who is not enrolled; `None` writes
    /// nothing.
    pub(crate) wrong_codes: Option<i32>,
    /// The quota of the host on which this goes, as a user that it enrolls without an invitation.
    pub(crate) quota: Option<u32>,
}

/// The outcome of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is durable.
    Done,
    /// The account was changed since it was read, or the time is over. Nothing was written.
    Conflict,
    /// The host has enrolled as many users as it may. Nothing was written.
    OverQuota,
}

/// The parameters of a statement, with their types.
pub(crate) type Parameters<'p> = [(&'p (dyn ToSql + Sync), Type)];

impl Database {
    /// Opens the store behind a connection string, and brings its schema to this server's version.
    pub(crate) async fn open(postgresql: Postgresql, keys: Keys) -> Result<Self, ServerError> {
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_connect(Config::new(), postgresql, ManagerConfig { recycling_method });
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .build()
            .map_err(|error| ServerError::NoConnection(error.to_string()))?;
        let mut client = pool.get().await?;
        let found = within(PATIENCE * 4, schema::migrate(&mut client)).await??;
        let seals = within(PATIENCE, with_digest_secret(&client, Seals::new(found.store, keys))).await??;
        drop(client);
        Ok(Self { pool, seals })
    }

    /// A connection for a transaction.
    pub(crate) async fn connection(&self) -> Result<Object, ServerError> {
        Ok(self.pool.get().await?)
    }

    /// The digest of a question.
    pub(crate) fn digest_of(&self, host: &str, question: &[u8]) -> Result<Vec<u8>, ServerError> {
        self.seals.digest_of(host, question)
    }

    /// Reads an account for a host, or the answer that the question has got already. An error where the fleet's hosts have changed
    /// since `as_of`: the host may have been revoked. That is read in the same statement, so it is no older than the account.
    pub(crate) async fn read(
        &self,
        host: &str,
        as_of: Option<i64>,
        user: &UserName,
        question: &[u8],
    ) -> Result<Found, ServerError> {
        const READ: &str = "select extract(epoch from clock_timestamp())::float8,
                s.version, s.key, s.sealed, c.key, c.sealed, a.key, a.sealed, q.hour, q.wrong, q.before,
                (select changes from twofactor.authority)
            from (values ($1)) as asked (name)
            left join twofactor.state s on s.name = asked.name
            left join twofactor.credentials c on c.name = asked.name
            left join twofactor.answer a on a.question = $2 and a.at > clock_timestamp() - make_interval(secs => $3)
            left join twofactor.quota q on q.host = $4";
        let name = user.as_str();
        let parameters: &Parameters<'_> =
            &[(&name, Type::TEXT), (&question, Type::BYTEA), (&AGAIN, Type::FLOAT8), (&host, Type::TEXT)];
        let rows = self.ask(READ, parameters).await?;
        let [row] = rows.as_slice() else { return Err(ServerError::NoConnection("no row came back".to_owned())) };
        if as_of.is_some() && as_of != row.try_get(11)? {
            return Err(ServerError::HostsChanged);
        }
        if let Some(answer) = sealed(row, 6)? {
            return Ok(Found::Answered(self.seals.open(Kind::Answer, &hex(question), &answer)?));
        }
        let open = |kind, at| -> Result<Option<Zeroizing<String>>, ServerError> {
            sealed(row, at)?.map(|sealed| self.seals.open_text(kind, name, &sealed)).transpose()
        };
        let read = Read { state: open(Kind::State, 2)?, credentials: open(Kind::Credentials, 4)? };
        let (version, now) = (row.try_get(1)?, row.try_get(0)?);
        let wrong_codes = wrong_codes(row, 8)?.map_or(0.0, |counted| counted.lately(now));
        Ok(Found::Account(Box::new(Account { read, version, now, wrong_codes })))
    }

    /// Reads an account whose records may not open: those are left out.
    pub(crate) async fn read_damaged(&self, user: &UserName) -> Result<Account, ServerError> {
        const READ: &str = "select extract(epoch from clock_timestamp())::float8,
                s.version, s.key, s.sealed, c.key, c.sealed
            from (values ($1)) as asked (name)
            left join twofactor.state s on s.name = asked.name
            left join twofactor.credentials c on c.name = asked.name";
        let name = user.as_str();
        let rows = self.ask(READ, &[(&name, Type::TEXT)]).await?;
        let [row] = rows.as_slice() else { return Err(ServerError::NoConnection("no row came back".to_owned())) };
        let open = |kind, at| -> Result<Option<Zeroizing<String>>, ServerError> {
            match sealed(row, at)?.map(|sealed| self.seals.open_text(kind, name, &sealed)).transpose() {
                Err(ServerError::BrokenSeal(_)) => Ok(None),
                opened => opened,
            }
        };
        let read = Read { state: open(Kind::State, 2)?, credentials: open(Kind::Credentials, 4)? };
        Ok(Account { read, version: row.try_get(1)?, now: row.try_get(0)?, wrong_codes: 0.0 })
    }

    /// Writes a change of an account that was read, with its row of the audit.
    pub(crate) async fn write(
        &self,
        account: &Account,
        change: &Change,
        note: &Note<'_>,
    ) -> Result<Written, ServerError> {
        let name = note.user.as_str();
        let seal = |kind, text: &Zeroizing<String>| self.seals.seal(kind, name, text.as_bytes());
        let is_forgotten = matches!(change, Change::Forgotten { .. });
        let (state, credentials) = match change {
            Change::Nothing => return Ok(Written::Done),
            Change::InVain => (None, None),
            Change::State(state) | Change::Forgotten { state } => (Some(seal(Kind::State, state)?), None),
            Change::Both { credentials, state } => {
                (Some(seal(Kind::State, state)?), Some(seal(Kind::Credentials, credentials)?))
            }
        };
        let answer = self.seals.seal(Kind::Answer, &hex(note.question), note.answer)?;
        let place = i32::from(note.question.first().copied().unwrap_or_default() % 64);
        let (key, bytes) = credentials.map(|sealed| (sealed.key, sealed.bytes)).unzip();
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![
            (&name, Type::TEXT),
            (&account.now, Type::FLOAT8),
            (&FRESH, Type::FLOAT8),
            (&note.host, Type::TEXT),
            (&note.event, Type::TEXT),
            (&note.detail, Type::TEXT),
            (&note.question, Type::BYTEA),
            (&answer.key, Type::INT4),
            (&answer.bytes, Type::BYTEA),
            (&note.who, Type::TEXT),
            (&note.wrong_codes, Type::INT4),
        ];
        let Some(state) = &state else {
            parameters.push((&place, Type::INT4));
            return self.change(IN_VAIN, &parameters).await;
        };
        parameters.extend([
            (&state.key as &(dyn ToSql + Sync), Type::INT4),
            (&state.bytes, Type::BYTEA),
            (&key, Type::INT4),
            (&bytes, Type::BYTEA),
            (&account.version, Type::INT8),
            (&is_forgotten, Type::BOOL),
        ]);
        let statement = if account.version.is_some() { UPDATE } else { INSERT };
        match note.quota {
            Some(quota) => self.enroll(note.host, quota, statement, &parameters).await,
            None => self.change(statement, &parameters).await,
        }
    }

    /// Runs a statement that gives a row where it has written.
    async fn change(&self, statement: &str, parameters: &Parameters<'_>) -> Result<Written, ServerError> {
        match self.ask(statement, parameters).await {
            Ok(rows) if rows.is_empty() => Ok(Written::Conflict),
            Ok(_) => Ok(Written::Done),
            Err(error) if error.is_conflict() => Ok(Written::Conflict),
            Err(error) => Err(error),
        }
    }

    /// Runs a statement that writes, again where the database wants it repeated.
    pub(crate) async fn ask_repeating(
        &self,
        statement: &str,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<Row>, ServerError> {
        let mut rounds = 0;
        loop {
            match self.ask(statement, parameters).await {
                Err(error) if error.is_conflict() && rounds < ROUNDS => rounds += 1,
                ended => return ended,
            }
        }
    }

    /// Runs a statement. A connection that has not answered in time is given up.
    pub(crate) async fn ask(&self, statement: &str, parameters: &Parameters<'_>) -> Result<Vec<Row>, ServerError> {
        self.ask_within(PATIENCE, statement, parameters).await
    }

    /// The same of a statement that may take this long.
    pub(crate) async fn ask_within(
        &self,
        patience: Duration,
        statement: &str,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<Row>, ServerError> {
        let client = self.pool.get().await?;
        match timeout(patience, client.query_typed(statement, parameters)).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => {
                let error = ServerError::from(error);
                if error.is_passing() {
                    // Not kept: of a host that has become a standby, another connection is no better.
                    drop(Object::take(client));
                }
                Err(error)
            }
            Err(_) => {
                drop(Object::take(client));
                Err(ServerError::Late(patience.as_secs()))
            }
        }
    }
}

impl Account {
    /// The time by the database's clock.
    pub(crate) fn time(&self) -> UnixTime {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast to an integer saturates")]
        UnixTime::from_seconds(self.now as u64)
    }
}

/// A statement that writes, where the time of reading is the present, and notes that in the audit. `$1` is the user, `$2` and `$3`
/// the time of reading and for how long it is the present, `$4` to `$6` and `$10` the row of the audit, `$7` to `$9` the answer to a
/// host, `$11` the wrong codes that are counted for it.
macro_rules! noted {
    ($written:literal $(, $also:literal)?) => {
        concat!(
            "with written as (", $written, ")", $($also,)? ", counted as (
                insert into twofactor.quota as q (host, hour, wrong, before)
                select $4, floor(extract(epoch from clock_timestamp()) / 3600)::int8, $11, 0 from written
                where $11 is not null
                on conflict (host) do update set hour = excluded.hour,
                    before = case excluded.hour - q.hour when 0 then q.before when 1 then q.wrong else 0 end,
                    wrong = excluded.wrong + case excluded.hour - q.hour when 0 then q.wrong else 0 end
            )",
            ", answered as (
                insert into twofactor.answer (question, key, sealed) select $7, $8, $9 from written where $4 <> ''
                on conflict (question) do update set at = excluded.at, key = excluded.key, sealed = excluded.sealed
            ) insert into twofactor.audit (host, name, event, detail, who)
            select $4, $1, $5, $6, $10 from written returning number"
        )
    };
}

/// The same of an account: `$12` and `$13` are the state, `$14` and `$15` the credentials if they change, `$16` the version that
/// was read, `$17` whether the credentials are forgotten.
macro_rules! kept {
    ($written:literal) => {
        noted!(
            $written,
            ", had as (
                insert into twofactor.credentials (name, key, sealed)
                select $1, $14, $15 from written where $15 is not null
                on conflict (name) do update set key = excluded.key, sealed = excluded.sealed
            ), gone as (
                delete from twofactor.credentials where $17 and name in (select name from written)
            )"
        )
    };
}

/// The change of an account of which something is kept.
const UPDATE: &str = kept!(
    "update twofactor.state set version = version + 1, key = $12, sealed = $13
    where name = $1 and version = $16 and clock_timestamp() < to_timestamp($2) + make_interval(secs => $3)
    returning name"
);

/// The first change of an account. Its version is higher than that of an account which had the name before.
const INSERT: &str = kept!(
    "insert into twofactor.state (name, version, key, sealed)
    select $1, (extract(epoch from clock_timestamp()) * 1000000)::int8, $12, $13
    where $16::int8 is null and clock_timestamp() < to_timestamp($2) + make_interval(secs => $3)
    on conflict do nothing returning name"
);

/// The same work for a user of whom nothing is kept. `$12` is the place.
const IN_VAIN: &str = noted!(
    "update twofactor.decoy set version = version + 1, sealed = $9
    where number = $12 and clock_timestamp() < to_timestamp($2) + make_interval(secs => $3)
    returning number"
);

/// Reads the secret of digests, with the store's first keys. The first server of all makes it.
async fn with_digest_secret(client: &tokio_postgres::Client, seals: Seals) -> Result<Seals, ServerError> {
    const READ: &str = "select digest_key, digest_sealed from twofactor.store";
    const MAKE: &str = "update twofactor.store set digest_key = $1, digest_sealed = $2 where digest_sealed is null";
    let row = client.query_typed_one(READ, &[]).await?;
    let sealed = match sealed(&row, 0)? {
        Some(sealed) => sealed,
        None => {
            let made = seals.seal_digest_secret()?;
            client.execute_typed(MAKE, &[(&made.key, Type::INT4), (&made.bytes, Type::BYTEA)]).await?;
            // That of the server which was first.
            let row = client.query_typed_one(READ, &[]).await?;
            sealed(&row, 0)?.unwrap_or(made)
        }
    };
    let secret = seals.open(Kind::DigestSecret, seals.store(), &sealed)?;
    seals.with_digest_secret(&secret)
}

async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T, ServerError> {
    timeout(patience, work).await.map_err(|_| ServerError::Late(patience.as_secs()))
}

pub(crate) fn sealed(row: &Row, key: usize) -> Result<Option<Sealed>, ServerError> {
    let number: Option<i32> = row.try_get(key)?;
    let bytes: Option<Vec<u8>> = row.try_get(key + 1)?;
    Ok(number.zip(bytes).map(|(key, bytes)| Sealed { key, bytes }))
}

fn wrong_codes(row: &Row, hour: usize) -> Result<Option<WrongCodes>, ServerError> {
    let Some(found) = row.try_get(hour)? else { return Ok(None) };
    Ok(Some(WrongCodes { hour: found, wrong: row.try_get(hour + 1)?, before: row.try_get(hour + 2)? }))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
