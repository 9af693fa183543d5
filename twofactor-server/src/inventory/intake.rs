//! The tokens that are there, as a vendor's file meets them. A short file asks about each of its tokens; for a long one what matters
//! of all tokens is read beforehand: a million take 60 MB.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use twofactor_core::account::lifecycle::TokenStatus;
use twofactor_core::codes::otp::Parameters;
use twofactor_core::store::administration::{Finding, NewToken};
use twofactor_core::store::inventory::Known;

use super::recognition::{all_keyed, keyed, twins};
use super::row::read_token;
use super::transaction::Transaction;
use crate::error::ServerError;
use crate::sealing::seals::{Kind, Sealed, Seals};

/// A file of so many tokens asks about each of them.
const SHORT: usize = 200;

/// The tokens that are there.
#[derive(Debug)]
pub(super) enum Present {
    /// None.
    Nothing,
    /// Each is asked for.
    Asked,
    /// All were read.
    Read(Box<All>),
}

/// What matters of all tokens.
#[derive(Debug, Default)]
pub(super) struct All {
    random: RandomState,
    /// By a hash of the serial.
    by_serial: HashMap<u64, Remembered>,
    /// Keyed marks.
    marks: HashSet<i64>,
    /// The parameters of the tokens, each once.
    parameters: Vec<Parameters>,
}

#[derive(Debug, Clone, Copy)]
struct Remembered {
    mark: i64,
    parameters: u32,
    status: TokenStatus,
}

impl Present {
    /// Prepares for a file of so many tokens.
    pub(super) async fn prepare(
        transaction: &Transaction,
        seals: &Seals,
        expected: usize,
    ) -> Result<Self, ServerError> {
        let any = "select exists (select from twofactor.tokens)";
        if !transaction.ask_one(any, &[]).await?.try_get::<_, bool>(0)? {
            return Ok(Self::Nothing);
        }
        if expected <= SHORT {
            return Ok(Self::Asked);
        }
        All::read(transaction, seals).await.map(Box::new).map(Self::Read)
    }

    /// The relation of a file's token to those that are there.
    pub(super) async fn compare(
        &self,
        transaction: &Transaction,
        seals: &Seals,
        token: &NewToken<'_>,
    ) -> Result<Finding, ServerError> {
        const ONE: &str = "select mark, key, sealed, status from twofactor.tokens where serial = $1";
        let serial = token.serial.as_str();
        let mark = keyed(seals, token.marks.secret())?;
        let (known, may_have_twins) = match self {
            Self::Nothing => return Ok(Finding::New),
            Self::Asked => {
                let rows = transaction.ask(ONE, &[(&serial, Type::TEXT)]).await?;
                (rows.first().map(|row| known(row, 0, serial, seals)).transpose()?, true)
            }
            Self::Read(all) => (all.known(serial)?, all.has_mark(seals, token)?),
        };
        if let Some((present, status, parameters)) = known {
            return Ok(Known { has_same_secret: present == mark, status, parameters }.compare(token));
        }
        if !may_have_twins {
            return Ok(Finding::New);
        }
        let twin = twins(transaction, &all_keyed(seals, token.marks)?).await?.into_iter().next();
        Ok(twin.map_or(Finding::New, |twin| Finding::OtherSerial(twin.serial)))
    }
}

impl All {
    async fn read(transaction: &Transaction, seals: &Seals) -> Result<Self, ServerError> {
        const PORTION: i64 = 5000;
        const TOKENS: &str = "select serial, mark, key, sealed, status, key_mark from twofactor.tokens
            where serial > $1 order by serial limit $2";
        let (mut all, mut last) = (Self::default(), String::new());
        loop {
            let rows = transaction.ask(TOKENS, &[(&last, Type::TEXT), (&PORTION, Type::INT8)]).await?;
            let Some(end) = rows.last() else { return Ok(all) };
            last = end.try_get(0)?;
            for row in &rows {
                let serial: &str = row.try_get(0)?;
                let (mark, status, parameters) = known(row, 1, serial, seals)?;
                let parameters = all.number_of(parameters);
                all.by_serial.insert(all.random.hash_one(serial), Remembered { mark, parameters, status });
                all.marks.insert(mark);
                all.marks.extend(row.try_get::<_, Option<i64>>(5)?);
            }
        }
    }

    fn number_of(&mut self, parameters: Parameters) -> u32 {
        let place = self.parameters.iter().position(|known| *known == parameters).unwrap_or_else(|| {
            self.parameters.push(parameters);
            self.parameters.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    fn known(&self, serial: &str) -> Result<Option<(i64, TokenStatus, Parameters)>, ServerError> {
        let Some(found) = self.by_serial.get(&self.random.hash_one(serial)) else { return Ok(None) };
        let place = usize::try_from(found.parameters).unwrap_or(usize::MAX);
        let parameters = self.parameters.get(place).copied();
        let parameters = parameters.ok_or_else(|| ServerError::DamagedToken(serial.to_owned()))?;
        Ok(Some((found.mark, found.status, parameters)))
    }

    fn has_mark(&self, seals: &Seals, token: &NewToken<'_>) -> Result<bool, ServerError> {
        Ok(all_keyed(seals, token.marks)?.iter().any(|mark| self.marks.contains(mark)))
    }
}

/// Reads the columns mark, key, sealed and status, of which the first is this one.
fn known(row: &Row, first: usize, serial: &str, seals: &Seals) -> Result<(i64, TokenStatus, Parameters), ServerError> {
    let damaged = || ServerError::DamagedToken(serial.to_owned());
    let sealed = Sealed { key: row.try_get(first + 1)?, bytes: row.try_get(first + 2)? };
    let opened = seals.open(Kind::Token, serial, &sealed)?;
    let (parameters, _) = read_token(&opened).ok_or_else(damaged)?;
    let status = TokenStatus::parse(row.try_get(first + 3)?).ok_or_else(damaged)?;
    Ok((row.try_get(first)?, status, parameters))
}
