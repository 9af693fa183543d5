//! Secrets found again by keyed digests: the tokens that have one already, and how far a deleted one was used. Without the key a
//! digest tells nothing of a weak secret.

use std::collections::HashMap;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use twofactor_core::codes::otp::{Progress, Step};
use twofactor_core::codes::token::{Marks, Seed, Seeds, Serial};
use twofactor_core::store::inventory::Twin;

use super::transaction::Transaction;
use crate::error::ServerError;
use crate::sealing::seals::{Kind, Sealed, Seals};

/// The keyed form of a mark.
pub(super) fn keyed(seals: &Seals, mark: i64) -> Result<i64, ServerError> {
    let digest = seals.digest(&[b"token", &mark.to_be_bytes()])?;
    let first = digest.first_chunk().ok_or(ServerError::UnknownKey(0))?;
    Ok(i64::from_be_bytes(*first))
}

/// The keyed forms of both marks.
pub(super) fn all_keyed(seals: &Seals, marks: Marks) -> Result<Vec<i64>, ServerError> {
    marks.iter().map(|mark| keyed(seals, mark)).collect()
}

/// The tokens with one of these marks, which are keyed.
pub(super) async fn twins(transaction: &Transaction, marks: &[i64]) -> Result<Vec<Twin>, ServerError> {
    const TWINS: &str = "select number, serial, name from twofactor.tokens where mark = any($1) or key_mark = any($1)
        order by number";
    let rows = transaction.ask(TWINS, &[(&marks, Type::INT8_ARRAY)]).await?;
    let twin = |row: &Row| {
        let serial: String = row.try_get(1)?;
        let serial = Serial::new(&serial).ok_or(ServerError::DamagedToken(serial))?;
        Ok(Twin { id: row.try_get(0)?, serial, owner: row.try_get(2)? })
    };
    rows.iter().map(twin).collect()
}

/// The last used steps of deleted tokens.
#[derive(Debug, Default)]
pub(super) struct Burned(HashMap<String, Step>);

impl Burned {
    /// All of them: they are few, because only a token that was used leaves one.
    pub(super) async fn all(transaction: &Transaction, seals: &Seals) -> Result<Self, ServerError> {
        const PORTION: i64 = 1000;
        const BURNED: &str = "select seed, key, sealed from twofactor.burned where seed > $1 order by seed limit $2";
        let (mut burned, mut last) = (HashMap::new(), String::new());
        loop {
            let rows = transaction.ask(BURNED, &[(&last, Type::TEXT), (&PORTION, Type::INT8)]).await?;
            let Some(end) = rows.last() else { return Ok(Self(burned)) };
            last = end.try_get(0)?;
            for row in &rows {
                let (seed, step) = burned_row(row, seals)?;
                burned.insert(seed, step);
            }
        }
    }

    /// Those under these names.
    pub(super) async fn of(transaction: &Transaction, seals: &Seals, names: &[&str]) -> Result<Self, ServerError> {
        const BURNED: &str = "select seed, key, sealed from twofactor.burned where seed = any($1)";
        let rows = transaction.ask(BURNED, &[(&names, Type::TEXT_ARRAY)]).await?;
        rows.iter().map(|row| burned_row(row, seals)).collect::<Result<_, _>>().map(Self)
    }

    /// The last step under this name.
    pub(super) fn step(&self, name: &str) -> Option<Step> {
        self.0.get(name).copied()
    }

    /// The progress of a deleted token with one of these seeds.
    pub(super) fn progress(&self, seals: &Seals, seeds: impl FnOnce() -> Seeds) -> Result<Progress, ServerError> {
        let mut progress = Progress::default();
        if self.0.is_empty() {
            return Ok(progress);
        }
        for seed in seeds().iter() {
            let watermark = self.0.get(&name_of(seals, seed)?).copied();
            progress = progress.latest(Progress { watermark, ..Progress::default() });
        }
        Ok(progress)
    }
}

fn burned_row(row: &Row, seals: &Seals) -> Result<(String, Step), ServerError> {
    let seed: String = row.try_get(0)?;
    let opened = seals.open(Kind::Burned, &seed, &Sealed { key: row.try_get(1)?, bytes: row.try_get(2)? })?;
    let step = opened.as_slice().try_into().map(u64::from_be_bytes);
    let step = step.map_err(|_| ServerError::BrokenSeal(seed.clone()))?;
    Ok((seed, Step(step)))
}

/// The name under which a seed is burned.
pub(super) fn name_of(seals: &Seals, seed: Seed) -> Result<String, ServerError> {
    let digest = seals.digest(&[b"seed", seed.to_string().as_bytes()])?;
    Ok(data_encoding::HEXLOWER.encode(&digest))
}

/// Remembers that apps have the secrets or keys of these marks, too.
pub(super) async fn note_shared(transaction: &Transaction, marks: &[i64]) -> Result<(), ServerError> {
    const NOTE: &str = "insert into twofactor.shared (mark) select distinct unnest($1) on conflict do nothing";
    if !marks.is_empty() {
        transaction.ask(NOTE, &[(&marks, Type::INT8_ARRAY)]).await?;
    }
    Ok(())
}
