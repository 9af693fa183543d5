//! A token that its owner registers at a host.

use tokio_postgres::types::Type;
use twofactor_core::host::user::{Person, UserName};
use twofactor_core::store::administration::TokenError;
use twofactor_core::store::inventory::{Direction, LoadedTokens, register};
use twofactor_core::store::wire::Message;
use twofactor_core::store::{StoreError, Superseded, TokenRegistration};

use super::changing::{Change, ROUNDS, Wanted, load};
use super::stop::Stop;
use super::transaction::{Purpose, Transaction};
use crate::database::enrollments::COUNT;
use crate::database::tables::{Database, Parameters, hex};
use crate::error::ServerError;
use crate::sealing::seals::{Kind, Seals};

/// The question of a host that registers a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Registering<'a> {
    /// The host; empty for a command.
    pub(crate) host: &'a str,
    /// The sysadmin; `None` for a host.
    pub(crate) who: Option<&'a str>,
    /// The digest of the question.
    pub(crate) question: &'a [u8],
    /// The word for the question.
    pub(crate) event: &'a str,
    /// The version of the account that was judged; `None` where nothing was kept of the user.
    pub(crate) read: Option<i64>,
    /// A refusal gets a row, too. Not where more was refused to the host than gets one.
    pub(crate) gets_rows: bool,
    /// The quota of the host on which a first factor goes that is registered without an invitation.
    pub(crate) quota: Option<u32>,
}

/// The outcome of a registration.
pub(crate) enum Registered {
    /// It was judged, and the judgement is durable.
    Judged(Result<(), Superseded>),
    /// A code is burned for it in an account that was changed meanwhile. Nothing was written.
    Conflict,
    /// The host has enrolled as many users as it may. Nothing was written.
    OverQuota,
}

impl Change<'_> {
    /// Gives a token to the person who has shown two codes of it, with its row of the audit and the answer to the host.
    pub(crate) async fn register(
        self,
        database: &Database,
        person: &Person,
        registration: &TokenRegistration,
        asked: Registering<'_>,
    ) -> Result<Registered, StoreError> {
        for _ in 0..ROUNDS {
            let transaction = Transaction::begin(database, Purpose::Change(self.patience)).await?;
            let done = self.register_in(&transaction, &database.seals, person, registration, asked).await;
            match transaction.settle(done).await {
                Err(Stop::Conflict) => {}
                Err(Stop::Error(TokenError::Store(error))) => return Err(error),
                // A registration gives no other.
                Err(Stop::Error(error)) => return Err(ServerError::DamagedToken(error.to_string()).into()),
                Ok(stored) => return Ok(stored),
            }
        }
        Err(ServerError::Contended(ROUNDS).into())
    }

    async fn register_in(
        self,
        transaction: &Transaction,
        seals: &Seals,
        person: &Person,
        registration: &TokenRegistration,
        asked: Registering<'_>,
    ) -> Result<Registered, Stop> {
        let (receivers, burns_a_code) = (vec![person.name.clone()], registration.burns_a_code());
        let serials = vec![registration.serial().clone()];
        let wanted = Wanted { serials, receivers, looks_for_twins: burns_a_code };
        let mut loaded = LoadedTokens::at(self.now()?, self.by.at);
        let versions = load(transaction, seals, &mut loaded, &wanted).await?;
        if burns_a_code && versions.get(&person.name) != asked.read.as_ref() {
            return Ok(Registered::Conflict);
        }
        let stored = match register(&mut loaded, registration, person) {
            Err(Superseded::Store(error)) => return Err(error.into()),
            stored => stored,
        };
        if stored.is_ok() {
            if let Some(quota) = asked.quota.filter(|_| !burns_a_code) {
                let counted: &Parameters<'_> = &[(&asked.host, Type::TEXT), (&i64::from(quota), Type::INT8)];
                if transaction.ask(COUNT, counted).await?.is_empty() {
                    return Ok(Registered::OverQuota);
                }
            }
            self.write(transaction, seals, loaded.into_writes(Direction::Gives)?, &versions).await?;
        }
        if stored.is_ok() || asked.gets_rows {
            note(transaction, seals, &person.name, asked, &answer(registration, &stored)).await?;
        }
        Ok(Registered::Judged(stored))
    }
}

/// The answer to the host.
pub(crate) fn answer(registration: &TokenRegistration, stored: &Result<(), Superseded>) -> Message {
    if registration.is_by_user() {
        Message::answering_own_registration(stored)
    } else {
        Message::answering_stored(stored)
    }
}

async fn note(
    transaction: &Transaction,
    seals: &Seals,
    user: &UserName,
    asked: Registering<'_>,
    answer: &Message,
) -> Result<(), ServerError> {
    const NOTE: &str = "with answered as (
            insert into twofactor.answer (question, key, sealed) select $6, $7, $8 where $1 <> ''
        ) insert into twofactor.audit (host, name, event, detail, who) values ($1, $2, $3, $4, $5)";
    let line = answer.line().map_err(|_| ServerError::NoRandomness)?;
    let record = seals.seal(Kind::Answer, &hex(asked.question), &line)?;
    transaction
        .ask(
            NOTE,
            &[
                (&asked.host, Type::TEXT),
                (&user.as_str(), Type::TEXT),
                (&asked.event, Type::TEXT),
                (&answer.in_short(), Type::TEXT),
                (&asked.who, Type::TEXT),
                (&asked.question, Type::BYTEA),
                (&record.key, Type::INT4),
                (&record.bytes, Type::BYTEA),
            ],
        )
        .await?;
    Ok(())
}
