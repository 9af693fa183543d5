//! The accounts in PostgreSQL: read as a whole, written by one compare-and-set.
//!
//! Invariants: a write takes place only where the state is the one that was read, together with its row of the audit, in one
//! statement; and only for as long as the time at which the answer was judged is the present. Statements are typed and
//! unnamed, so that a pooler may stand between; the COPY of an import alone has a name, which is closed before its transaction ends. Values
//! are parameters, and the secret ones are sealed: none reaches a log of the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config, Row};
use twofactor_core::account::quota::Hourly;
use twofactor_core::host::user::UserName;
use twofactor_core::store::one_account::{Change, Read};
use zeroize::Zeroizing;

use crate::answers::judged::Counted;
use crate::database::circuit::Circuit;
use crate::database::in_use::InUse;
use crate::database::looks::look;
use crate::database::schema::{self, Demands, Tables};
use crate::database::sealed_row::sealed;
use crate::database::statements::{COUNT_REFUSAL, IN_VAIN, IN_VAIN_UNKEPT, INSERT, UPDATE, UPDATE_UNKEPT};
use crate::error::ServerError;
use crate::postgresql::{PATIENCE as CONNECTING, Postgresql};
use crate::sealing::keys::Keys;
use crate::sealing::seals::{Kind, Sealed, Seals};
use crate::times::STATEMENT;

/// The longest wait of a command for one answer of the database.
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
    postgresql: Postgresql,
    pub(crate) seals: Seals,
    circuit: Arc<Circuit>,
    /// The longest wait for one answer.
    patience: Duration,
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
    /// Other refusals to it within the last hour.
    pub(crate) refused: f64,
    /// Attempts of newcomers at tokens among these.
    pub(crate) newcomers: f64,
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
    /// The count that this adds to those of the host.
    pub(crate) counted: Option<Counted>,
    /// It gets a row of the audit, and its answer can be asked for again.
    pub(crate) is_kept: bool,
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
    /// Opens the store behind a connection string, with its tables.
    pub(crate) async fn open(postgresql: Postgresql, keys: Keys, tables: Tables) -> Result<Self, ServerError> {
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_connect(Config::new(), postgresql.clone(), ManagerConfig { recycling_method });
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .build()
            .map_err(|error| ServerError::NoConnection(error.to_string()))?;
        let mut client = pool.get().await?;
        let found = within(PATIENCE * 4, schema::find(&mut client, tables)).await??;
        let seals = Seals::new(found.store, keys);
        let seals = within(PATIENCE, with_digest_secret(&client, seals, found.digest_secret)).await??;
        drop(client);
        Ok(Self { pool, postgresql, seals, circuit: Arc::default(), patience: PATIENCE })
    }

    /// The same for a server, for whose answers links wait.
    pub(crate) fn answering_links(self) -> Self {
        Self { patience: STATEMENT, ..self }
    }

    /// Looks whether the database hangs, which has not answered what it was asked at this time.
    fn doubt(&self, since: Instant) {
        if self.circuit.is_doubted(since) {
            tokio::spawn(look(self.pool.clone(), self.postgresql.clone(), Arc::clone(&self.circuit)));
        }
    }

    /// A connection whose statement is canceled where it is given up.
    pub(crate) async fn in_use(&self) -> Result<InUse, ServerError> {
        Ok(InUse::of(self.pool.get().await?, &self.postgresql))
    }

    /// The digest of a question.
    pub(crate) fn digest_of(&self, host: &str, question: &[u8]) -> Result<Vec<u8>, ServerError> {
        self.seals.digest_of(host, question)
    }

    /// Reads an account for a host, or the answer that the question has got already. An error where the fleet's hosts have changed
    /// since `as_of`: the host may have been revoked. So where the store is not for this server any more, or not for its key. That is read in
    /// the same statement, so it is no older than the account.
    pub(crate) async fn read(
        &self,
        host: &str,
        as_of: Option<i64>,
        user: &UserName,
        question: &[u8],
    ) -> Result<Found, ServerError> {
        const READ: &str = "select extract(epoch from clock_timestamp())::float8,
                s.version, s.key, s.sealed, c.key, c.sealed, a.key, a.sealed, q.hour, q.wrong, q.before,
                q.refused, q.refused_before, (select changes from twofactor.authority),
                o.version, o.oldest_server, o.oldest_key, q.newcomers, q.newcomers_before
            from twofactor.store o cross join (values ($1)) as asked (name)
            left join twofactor.state s on s.name = asked.name
            left join twofactor.credentials c on c.name = asked.name
            left join twofactor.answer a on a.question = $2 and a.at > clock_timestamp() - make_interval(secs => $3)
            left join twofactor.quota q on q.host = $4";
        let name = user.as_str();
        let parameters: &Parameters<'_> =
            &[(&name, Type::TEXT), (&question, Type::BYTEA), (&AGAIN, Type::FLOAT8), (&host, Type::TEXT)];
        let rows = self.ask(READ, parameters).await?;
        let [row] = rows.as_slice() else { return Err(ServerError::NoConnection("no row came back".to_owned())) };
        Demands::of(row, 14)?.met_with(self.seals.keys().sealing())?;
        if as_of.is_some() && as_of != row.try_get(13)? {
            return Err(ServerError::HostsChanged);
        }
        if let Some(answer) = sealed(row, 6)? {
            return Ok(Found::Answered(self.seals.open(Kind::Answer, &hex(question), &answer)?));
        }
        let open = |kind, at| -> Result<Option<Zeroizing<String>>, ServerError> {
            sealed(row, at)?.map(|sealed| self.seals.open_text(kind, name, &sealed)).transpose()
        };
        let state = open(Kind::State, 2)?;
        let credentials = open(Kind::Credentials, 4).map_err(ServerError::of_credentials)?;
        let read = Read { credentials, state };
        let (version, now) = (row.try_get(1)?, row.try_get(0)?);
        let lately = |count| Ok::<_, ServerError>(hourly(row, 8, count)?.map_or(0.0, |counted| counted.lately(now)));
        let (wrong_codes, refused, newcomers) = (lately(9)?, lately(11)?, lately(17)?);
        Ok(Found::Account(Box::new(Account { read, version, now, wrong_codes, refused, newcomers })))
    }

    /// Reads an account whose records may not open: those are left out.
    pub(crate) async fn read_damaged(&self, user: &UserName) -> Result<Account, ServerError> {
        const READ: &str = "select extract(epoch from clock_timestamp())::float8,
                s.version, s.key, s.sealed, c.key, c.sealed, o.version, o.oldest_server, o.oldest_key
            from twofactor.store o cross join (values ($1)) as asked (name)
            left join twofactor.state s on s.name = asked.name
            left join twofactor.credentials c on c.name = asked.name";
        let name = user.as_str();
        let rows = self.ask(READ, &[(&name, Type::TEXT)]).await?;
        let [row] = rows.as_slice() else { return Err(ServerError::NoConnection("no row came back".to_owned())) };
        Demands::of(row, 6)?.met_with(self.seals.keys().sealing())?;
        let open = |kind, at| -> Result<Option<Zeroizing<String>>, ServerError> {
            match sealed(row, at)?.map(|sealed| self.seals.open_text(kind, name, &sealed)).transpose() {
                Err(ServerError::BrokenSeal(_)) => Ok(None),
                opened => opened,
            }
        };
        let read = Read { state: open(Kind::State, 2)?, credentials: open(Kind::Credentials, 4)? };
        let (version, now, [wrong_codes, refused, newcomers]) = (row.try_get(1)?, row.try_get(0)?, [0.0; 3]);
        Ok(Account { read, version, now, wrong_codes, refused, newcomers })
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
        let [wrong, newcomers, refused] = &note.counted.map_or([None; 3], |counted| counted.counts().map(Some));
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
            (wrong, Type::INT4),
            (newcomers, Type::INT4),
            (refused, Type::INT4),
        ];
        let Some(state) = &state else {
            parameters.push((&place, Type::INT4));
            return self.change(if note.is_kept { IN_VAIN } else { IN_VAIN_UNKEPT }, &parameters).await;
        };
        parameters.extend([
            (&state.key as &(dyn ToSql + Sync), Type::INT4),
            (&state.bytes, Type::BYTEA),
            (&key, Type::INT4),
            (&bytes, Type::BYTEA),
            (&account.version, Type::INT8),
            (&is_forgotten, Type::BOOL),
        ]);
        let statement = match (account.version, note.is_kept) {
            (Some(_), true) => UPDATE,
            (Some(_), false) => UPDATE_UNKEPT,
            (None, true) => INSERT,
            (None, false) => return Err(ServerError::TooManyNewcomers),
        };
        match note.quota {
            Some(quota) => self.enroll(note.host, quota, statement, &parameters).await,
            None => self.change(statement, &parameters).await,
        }
    }

    /// Counts a refusal to a host of which no account tells.
    pub(crate) async fn count_refusal(&self, host: &str, refusal: Counted) -> Result<(), ServerError> {
        let [_, newcomers, _] = refusal.counts();
        self.ask_repeating(COUNT_REFUSAL, &[(&host, Type::TEXT), (&newcomers, Type::INT4)]).await.map(drop)
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

    /// Runs a statement. A connection that has not answered in time is given up, and others do not wait for the database then.
    pub(crate) async fn ask(&self, statement: &str, parameters: &Parameters<'_>) -> Result<Vec<Row>, ServerError> {
        self.in_time(self.rows(statement, parameters)).await
    }

    /// The same of a statement that may take this long.
    pub(crate) async fn ask_within(
        &self,
        patience: Duration,
        statement: &str,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<Row>, ServerError> {
        within(patience, self.rows(statement, parameters)).await?
    }

    /// Does something with the database in the time for one answer, unless it is known to hang.
    pub(crate) async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, ServerError>>,
    ) -> Result<T, ServerError> {
        if self.circuit.is_open() {
            return Err(ServerError::Late(self.patience.as_secs()));
        }
        let asked = Instant::now();
        let answered = within(self.patience, work).await.and_then(|answered| answered);
        match &answered {
            Ok(_) => self.circuit.has_answered(Instant::now()),
            Err(ServerError::Database(error)) if error.as_db_error().is_some() => {
                self.circuit.has_answered(Instant::now());
            }
            // Late, or no connection could be made in its time.
            Err(_) if asked.elapsed() >= CONNECTING => self.doubt(asked),
            Err(_) => {}
        }
        answered
    }

    /// The rows of a statement.
    async fn rows(&self, statement: &str, parameters: &Parameters<'_>) -> Result<Vec<Row>, ServerError> {
        let connection = self.in_use().await?;
        let rows = connection.client()?.query_typed(statement, parameters).await.map_err(ServerError::from);
        // Else not kept: of a host that has become a standby, another connection is no better.
        if !rows.as_ref().is_err_and(ServerError::is_passing) {
            connection.ended();
        }
        rows
    }
}

/// Opens the secret of digests that was found. The first server of all makes it.
async fn with_digest_secret(
    client: &tokio_postgres::Client,
    seals: Seals,
    found: Option<Sealed>,
) -> Result<Seals, ServerError> {
    const READ: &str = "select digest_key, digest_sealed from twofactor.store";
    const MAKE: &str = "update twofactor.store set digest_key = $1, digest_sealed = $2 where digest_sealed is null";
    let sealed = match found {
        Some(sealed) => sealed,
        None => {
            let made = seals.seal_digest_secret()?;
            let done = client.execute_typed(MAKE, &[(&made.key, Type::INT4), (&made.bytes, Type::BYTEA)]).await;
            // Under serializable isolation the database says in this way that another server was first.
            match done.map_err(ServerError::from) {
                Err(error) if !error.is_conflict() => return Err(error),
                Ok(_) | Err(_) => {}
            }
            // That of the server which was first.
            let row = client.query_typed_one(READ, &[]).await?;
            sealed(&row, 0)?.unwrap_or(made)
        }
    };
    let secret = seals.open(Kind::DigestSecret, seals.store(), &sealed)?;
    seals.with_digest_secret(&secret)
}

/// Does something with the database in this time.
pub(crate) async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T, ServerError> {
    timeout(patience, work).await.map_err(|_| ServerError::Late(patience.as_secs()))
}

/// The count in the column `count`, with that of the hour before in the next one.
fn hourly(row: &Row, hour: usize, count: usize) -> Result<Option<Hourly>, ServerError> {
    let Some(found) = row.try_get(hour)? else { return Ok(None) };
    Ok(Some(Hourly { hour: found, count: row.try_get(count)?, before: row.try_get(count + 1)? }))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
