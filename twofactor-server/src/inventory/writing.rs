//! The outcome of a change written into the tables, with a few statements, whatever the number of tokens.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;
use twofactor_core::account::FirstUse;
use twofactor_core::codes::otp::Step;
use twofactor_core::codes::token::{Seeds, Serial};
use twofactor_core::store::inventory::{AccountWrite, CredentialsWrite, Stored};

use super::recognition::{Burned, name_of};
use super::row::{seal_progress, seconds, write_token};
use super::stop::{Stop, Versions};
use super::transaction::Transaction;
use crate::error::ServerError;
use crate::sealing::seals::{Kind, Seals};

/// The most rows of one statement.
const PORTION: usize = 1000;

/// Writes tokens that have changed.
pub(super) async fn tokens(transaction: &Transaction, seals: &Seals, tokens: &[Stored]) -> Result<(), ServerError> {
    const UPDATE: &str = "update twofactor.tokens as t set key = new.key, sealed = new.sealed, status = new.status,
            name = new.name, assigned_at = new.assigned_at, first_use = new.first_use, used_key = new.used_key,
            used = new.used
        from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
            as new (serial, key, sealed, status, name, assigned_at, first_use, used_key, used)
        where t.serial = new.serial returning 1";
    for portion in tokens.chunks(PORTION) {
        let (mut keys, mut sealed, mut used_keys, mut used) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for token in portion {
            let serial = token.serial.as_str();
            let record = seals.seal(Kind::Token, serial, &write_token(token.parameters, token.secret.as_ref()))?;
            let progress = seal_progress(seals, serial, token.progress)?;
            let (used_key, used_bytes) = progress.map(|record| (record.key, record.bytes)).unzip();
            keys.push(record.key);
            sealed.push(record.bytes);
            used_keys.push(used_key);
            used.push(used_bytes);
        }
        let serials: Vec<&str> = portion.iter().map(|token| token.serial.as_str()).collect();
        let statuses: Vec<&str> = portion.iter().map(|token| token.status.word()).collect();
        let names: Vec<Option<&str>> = portion.iter().map(|token| token.owner.as_deref()).collect();
        let assigned_at: Vec<Option<i64>> = portion.iter().map(|token| token.assigned_at.map(seconds)).collect();
        let first_use: Vec<bool> = portion.iter().map(|token| token.first_use == FirstUse::Open).collect();
        let rows = transaction
            .ask(
                UPDATE,
                &[
                    (&serials, Type::TEXT_ARRAY),
                    (&keys, Type::INT4_ARRAY),
                    (&sealed, Type::BYTEA_ARRAY),
                    (&statuses, Type::TEXT_ARRAY),
                    (&names, Type::TEXT_ARRAY),
                    (&assigned_at, Type::INT8_ARRAY),
                    (&first_use, Type::BOOL_ARRAY),
                    (&used_keys, Type::INT4_ARRAY),
                    (&used, Type::BYTEA_ARRAY),
                ],
            )
            .await?;
        all_written(rows.len(), portion.len())?;
    }
    Ok(())
}

/// Writes the keyed marks of tokens whose secrets are others now.
pub(super) async fn marks(transaction: &Transaction, marks: &[(Serial, i64, Option<i64>)]) -> Result<(), ServerError> {
    const UPDATE: &str = "update twofactor.tokens as t set mark = new.mark, key_mark = new.key_mark
        from unnest($1, $2, $3) as new (serial, mark, key_mark) where t.serial = new.serial returning 1";
    let serials: Vec<&str> = marks.iter().map(|(serial, ..)| serial.as_str()).collect();
    let secrets: Vec<i64> = marks.iter().map(|(_, mark, _)| *mark).collect();
    let keys: Vec<Option<i64>> = marks.iter().map(|(.., key)| *key).collect();
    let values: &crate::database::tables::Parameters<'_> =
        &[(&serials, Type::TEXT_ARRAY), (&secrets, Type::INT8_ARRAY), (&keys, Type::INT8_ARRAY)];
    all_written(transaction.ask(UPDATE, values).await?.len(), marks.len())
}

/// Forgets tokens.
pub(super) async fn delete(transaction: &Transaction, serials: &[Serial]) -> Result<(), ServerError> {
    const DELETE: &str = "delete from twofactor.tokens where serial = any($1) returning 1";
    for portion in serials.chunks(PORTION) {
        let names: Vec<&str> = portion.iter().map(Serial::as_str).collect();
        let rows = transaction.ask(DELETE, &[(&names, Type::TEXT_ARRAY)]).await?;
        all_written(rows.len(), portion.len())?;
    }
    Ok(())
}

/// Keeps how far seeds were used. No watermark falls.
pub(super) async fn burn(
    transaction: &Transaction,
    seals: &Seals,
    burned: &[(Seeds, Step)],
) -> Result<(), ServerError> {
    const BURN: &str = "insert into twofactor.burned (seed, key, sealed) select * from unnest($1, $2, $3)
        on conflict (seed) do update set key = excluded.key, sealed = excluded.sealed";
    for portion in burned.chunks(PORTION) {
        let mut steps: BTreeMap<String, Step> = BTreeMap::new();
        for (seeds, step) in portion {
            for seed in seeds.iter() {
                let most = steps.entry(name_of(seals, seed)?).or_insert(*step);
                *most = (*most).max(*step);
            }
        }
        let names: Vec<&str> = steps.keys().map(String::as_str).collect();
        let before = Burned::of(transaction, seals, &names).await?;
        let (mut keys, mut sealed) = (Vec::new(), Vec::new());
        for (name, step) in &steps {
            let Step(most) = before.step(name).map_or(*step, |before| before.max(*step));
            let record = seals.seal(Kind::Burned, name, &most.to_be_bytes())?;
            keys.push(record.key);
            sealed.push(record.bytes);
        }
        transaction
            .ask(BURN, &[(&names, Type::TEXT_ARRAY), (&keys, Type::INT4_ARRAY), (&sealed, Type::BYTEA_ARRAY)])
            .await?;
    }
    Ok(())
}

/// Writes accounts, each where its state is the one that was read.
pub(super) async fn accounts(
    transaction: &Transaction,
    seals: &Seals,
    accounts: Vec<AccountWrite>,
    versions: &Versions,
) -> Result<(), Stop> {
    const UPDATE: &str = "update twofactor.state as t set version = t.version + 1, key = new.key, sealed = new.sealed
        from unnest($1, $2, $3, $4) as new (name, version, key, sealed)
        where t.name = new.name and t.version = new.version returning 1";
    // The version is higher than that of an account which had the name before.
    const INSERT: &str = "insert into twofactor.state (name, version, key, sealed)
        select name, (extract(epoch from clock_timestamp()) * 1000000)::int8, key, sealed
        from unnest($1, $2, $3, $4) as new (name, version, key, sealed) on conflict do nothing returning 1";
    let (mut known, mut new): (Vec<AccountWrite>, Vec<AccountWrite>) = (Vec::new(), Vec::new());
    for account in accounts {
        if versions.contains_key(&account.user) { known.push(account) } else { new.push(account) }
    }
    for (statement, accounts) in [(UPDATE, known), (INSERT, new)] {
        let mut left = accounts;
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(PORTION));
            write_portion(transaction, seals, statement, &left, versions).await?;
            left = rest;
        }
    }
    Ok(())
}

async fn write_portion(
    transaction: &Transaction,
    seals: &Seals,
    statement: &str,
    accounts: &[AccountWrite],
    versions: &Versions,
) -> Result<(), Stop> {
    const CREDENTIALS: &str = "insert into twofactor.credentials (name, key, sealed) select * from unnest($1, $2, $3)
        on conflict (name) do update set key = excluded.key, sealed = excluded.sealed";
    const FORGET: &str = "delete from twofactor.credentials where name = any($1)";
    let (mut names, mut read, mut keys, mut sealed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut holders, mut their_keys, mut credentials, mut gone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for AccountWrite { user, state, credentials: its } in accounts {
        let name = user.as_str();
        let record = seals.seal(Kind::State, name, state.as_bytes())?;
        names.push(name);
        read.push(versions.get(user).copied());
        keys.push(record.key);
        sealed.push(record.bytes);
        match its {
            CredentialsWrite::Same => {}
            CredentialsWrite::Gone => gone.push(name),
            CredentialsWrite::New(text) => {
                let record = seals.seal(Kind::Credentials, name, text.as_bytes())?;
                holders.push(name);
                their_keys.push(record.key);
                credentials.push(record.bytes);
            }
        }
    }
    let values: &crate::database::tables::Parameters<'_> = &[
        (&names, Type::TEXT_ARRAY),
        (&read, Type::INT8_ARRAY),
        (&keys, Type::INT4_ARRAY),
        (&sealed, Type::BYTEA_ARRAY),
    ];
    if transaction.ask(statement, values).await?.len() != accounts.len() {
        return Err(Stop::Conflict);
    }
    let values: &crate::database::tables::Parameters<'_> =
        &[(&holders, Type::TEXT_ARRAY), (&their_keys, Type::INT4_ARRAY), (&credentials, Type::BYTEA_ARRAY)];
    transaction.ask(CREDENTIALS, values).await?;
    transaction.ask(FORGET, &[(&gone, Type::TEXT_ARRAY)]).await?;
    Ok(())
}

/// Tokens are locked, so none that was read is gone.
fn all_written(written: usize, expected: usize) -> Result<(), ServerError> {
    if written == expected {
        Ok(())
    } else {
        Err(ServerError::NoConnection(format!("{written} of {expected} tokens were there")))
    }
}
