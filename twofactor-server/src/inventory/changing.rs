//! Changes of physical tokens, each one transaction over the tokens and the accounts of their owners: read and locked, changed in memory by
//! the rules of every store, and written.
//!
//! Invariants: tokens are locked first, by the advisory lock, then the owners' states in the order of their names. An account is written
//! only where it is the one that was read. After a conflict all is read again.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use twofactor_core::codes::token::Serial;
use twofactor_core::host::clock::{Clock, UnixTime};
use twofactor_core::host::user::UserName;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{Author, TokenError};
use twofactor_core::store::inventory::{Direction, LoadedTokens, Stored, TokenWrites};
use twofactor_core::store::one_account::Read;

use super::app_secrets::app_secrets;
use super::recognition::{all_keyed, twins};
use super::row::{COLUMNS, stored};
use super::stop::{Stop, Versions};
use super::transaction::{Purpose, Transaction};
use super::writing;
use crate::database::tables::Database;
use crate::error::ServerError;
use crate::sealing::seals::{Kind, Sealed, Seals};

/// The number of times that a change is tried which others conflict with.
pub(super) const ROUNDS: usize = 16;

/// The longest wait of a change for another one to end.
pub(super) const CHANGE_PATIENCE: Duration = Duration::from_mins(5);

/// The tokens and users of a change.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// The tokens.
    pub(crate) serials: Vec<Serial>,
    /// The users who get tokens.
    pub(crate) receivers: Vec<UserName>,
    /// The secrets of the tokens are looked for among those of others.
    pub(crate) looks_for_twins: bool,
}

/// The circumstances of a change. Codes are judged by the time at which the tokens are locked, however long that was waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    /// The clock.
    pub(crate) clock: &'a dyn Clock,
    /// The author.
    pub(crate) by: Author<'a>,
    /// The longest wait for other changes.
    pub(crate) patience: Duration,
}

impl<'a> Change<'a> {
    /// A sysadmin's change.
    pub(crate) fn of(by: Author<'a>, clock: &'a dyn Clock) -> Self {
        Self { clock, by, patience: CHANGE_PATIENCE }
    }

    /// The present. It is asked for behind the lock.
    pub(super) fn now(self) -> Result<UnixTime, ServerError> {
        Ok(self.clock.now()?)
    }

    /// Changes what is wanted as `work` does it, and gives what it has found out.
    pub(crate) async fn make<T>(
        self,
        database: &Database,
        wanted: &Wanted,
        direction: Direction,
        mut work: impl FnMut(&mut LoadedTokens) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        self.again(async || self.attempt(database, wanted, direction, &mut work).await).await
    }

    /// Tries until no other change is in the way.
    pub(super) async fn again<T>(self, mut attempt: impl AsyncFnMut() -> Result<T, Stop>) -> Result<T, TokenError> {
        for _ in 0..ROUNDS {
            match attempt().await {
                Err(Stop::Conflict) => {}
                Err(Stop::Error(error)) => return Err(error),
                Ok(done) => return Ok(done),
            }
        }
        Err(StoreError::from(ServerError::Contended(ROUNDS)).into())
    }

    async fn attempt<T>(
        self,
        database: &Database,
        wanted: &Wanted,
        direction: Direction,
        work: &mut impl FnMut(&mut LoadedTokens) -> Result<T, TokenError>,
    ) -> Result<T, Stop> {
        let transaction = Transaction::begin(database, Purpose::Change(self.patience)).await?;
        let done = self.work_in(&transaction, &database.seals, wanted, direction, work).await;
        transaction.settle(done).await
    }

    async fn work_in<T>(
        self,
        transaction: &Transaction,
        seals: &Seals,
        wanted: &Wanted,
        direction: Direction,
        work: &mut impl FnMut(&mut LoadedTokens) -> Result<T, TokenError>,
    ) -> Result<T, Stop> {
        let mut loaded = LoadedTokens::at(self.now()?, self.by.at);
        let versions = load(transaction, seals, &mut loaded, wanted).await?;
        let done = work(&mut loaded)?;
        self.write(transaction, seals, loaded.into_writes(direction)?, &versions).await?;
        Ok(done)
    }

    pub(super) async fn write(
        self,
        transaction: &Transaction,
        seals: &Seals,
        writes: TokenWrites,
        versions: &Versions,
    ) -> Result<(), Stop> {
        let TokenWrites { tokens, deleted, burned, accounts, lines } = writes;
        writing::accounts(transaction, seals, accounts, versions).await?;
        writing::tokens(transaction, seals, &tokens).await?;
        writing::delete(transaction, &deleted).await?;
        writing::burn(transaction, seals, &burned).await?;
        super::history::record(transaction, self.by, &lines).await?;
        Ok(())
    }
}

/// Reads what is wanted and what goes with it, and locks the accounts of the users.
pub(super) async fn load(
    transaction: &Transaction,
    seals: &Seals,
    loaded: &mut LoadedTokens,
    wanted: &Wanted,
) -> Result<Versions, ServerError> {
    let serials: Vec<&str> = wanted.serials.iter().map(Serial::as_str).collect();
    add(loaded, seals, &transaction.ask(&select("t.serial = any($1)"), &[(&serials, Type::TEXT_ARRAY)]).await?)?;
    let mut users: BTreeSet<UserName> = loaded.owners_of_tokens();
    users.extend(wanted.receivers.iter().cloned());
    let names: Vec<&str> = users.iter().map(UserName::as_str).collect();
    let versions = load_accounts(transaction, seals, loaded, &users).await?;
    add(loaded, seals, &transaction.ask(&select("t.name = any($1)"), &[(&names, Type::TEXT_ARRAY)]).await?)?;
    let missing = loaded.missing();
    if !missing.is_empty() {
        let serials: Vec<&str> = missing.iter().map(Serial::as_str).collect();
        add(loaded, seals, &transaction.ask(&select("t.serial = any($1)"), &[(&serials, Type::TEXT_ARRAY)]).await?)?;
    }
    if wanted.looks_for_twins {
        load_twins(transaction, seals, loaded, &wanted.serials).await?;
    }
    Ok(versions)
}

fn add(loaded: &mut LoadedTokens, seals: &Seals, rows: &[Row]) -> Result<(), ServerError> {
    rows.iter().try_for_each(|row| {
        loaded.add_token(stored(row, seals)?);
        Ok(())
    })
}

pub(super) fn select(condition: &str) -> String {
    format!("select {COLUMNS} from twofactor.tokens as t where {condition}")
}

async fn load_accounts(
    transaction: &Transaction,
    seals: &Seals,
    loaded: &mut LoadedTokens,
    users: &BTreeSet<UserName>,
) -> Result<Versions, ServerError> {
    const STATES: &str =
        "select name, key, sealed, version from twofactor.state where name = any($1) order by name for update";
    const CREDENTIALS: &str = "select name, key, sealed from twofactor.credentials where name = any($1)";
    let names: Vec<&str> = users.iter().map(UserName::as_str).collect();
    let states = transaction.ask(STATES, &[(&names, Type::TEXT_ARRAY)]).await?;
    // After the lock, so that they belong to the states.
    let credentials = transaction.ask(CREDENTIALS, &[(&names, Type::TEXT_ARRAY)]).await?;
    let mut versions = Versions::new();
    let of = |rows: &[Row], user: &UserName| -> Result<Option<(Sealed, Option<i64>)>, ServerError> {
        let Some(row) = rows.iter().find(|row| row.try_get::<_, &str>(0).is_ok_and(|name| name == user.as_str()))
        else {
            return Ok(None);
        };
        let version = if row.len() > 3 { Some(row.try_get(3)?) } else { None };
        Ok(Some((Sealed { key: row.try_get(1)?, bytes: row.try_get(2)? }, version)))
    };
    for user in users {
        let (state, its_credentials) = (of(&states, user)?, of(&credentials, user)?);
        if let Some((_, Some(version))) = &state {
            versions.insert(user.clone(), *version);
        }
        let open = |kind, record: Option<(Sealed, _)>| {
            record.map(|(sealed, _)| seals.open_text(kind, user.as_str(), &sealed)).transpose()
        };
        let read = open(Kind::State, state)
            .and_then(|state| Ok(Read { state, credentials: open(Kind::Credentials, its_credentials)? }));
        loaded.add_owner(user, read.map_err(StoreError::from));
    }
    Ok(versions)
}

/// Reads the other holders of the secrets of these tokens. All apps are looked through only where one is known to have one of them.
async fn load_twins(
    transaction: &Transaction,
    seals: &Seals,
    loaded: &mut LoadedTokens,
    serials: &[Serial],
) -> Result<(), ServerError> {
    const SHARED: &str = "select exists (select from twofactor.shared where mark = any($1))";
    let wanted: BTreeSet<&Serial> = serials.iter().collect();
    let of_token = |token: &Stored| token.marks().map(|marks| (token.serial.clone(), marks));
    let marked: Vec<_> = loaded.tokens().filter(|token| wanted.contains(&token.serial)).filter_map(of_token).collect();
    let mut all = Vec::new();
    for (serial, marks) in marked {
        let keyed = all_keyed(seals, marks)?;
        all.extend_from_slice(&keyed);
        let mut found = twins(transaction, &keyed).await?;
        found.retain(|twin| twin.serial != serial);
        loaded.add_twins(&serial, found);
    }
    if transaction.ask_one(SHARED, &[(&all, Type::INT8_ARRAY)]).await?.try_get(0)? {
        loaded.add_apps(app_secrets(transaction, seals).await?);
    }
    Ok(())
}
