//! A token as a row: between SQLite's values and ours. A value that cannot be is damage, and never a default.

use rusqlite::Row;
use rusqlite::types::Type;
use zeroize::Zeroizing;

use crate::account::FirstUse;
use crate::account::lifecycle::TokenStatus;
use crate::codes::otp::{Algorithm, Digits, Kind, LARGEST_DRIFT, Parameters, Period, Progress, Step};
use crate::codes::secret::Secret;
use crate::codes::token::{Label, Marks, Seeds, Serial, Token};
use crate::host::clock::UnixTime;

/// The columns that [`read`] wants, in its order.
pub(super) const COLUMNS: &str = "id, serial, secret, type, algorithm, digits, period, status, owner, assigned_at, \
                                  first_use, watermark, drift, anchor, issued";

/// The columns that [`parameters`] wants.
pub(super) const PARAMETERS: &str = "type, algorithm, digits, period";

/// The number of [`COLUMNS`]: further columns of a query begin here.
pub(super) const WIDTH: usize = 15;

/// A row of `tokens`.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) id: i64,
    pub(crate) serial: Serial,
    /// `None` once revoked.
    pub(crate) secret: Option<Secret>,
    pub(crate) parameters: Parameters,
    pub(crate) status: TokenStatus,
    pub(crate) owner: Option<String>,
    pub(crate) assigned_at: Option<UnixTime>,
    pub(crate) first_use: FirstUse,
    pub(crate) progress: Progress,
    pub(crate) issued: UnixTime,
}

impl Stored {
    /// The seeds of its sequence of codes; `None` once revoked.
    pub(crate) fn seeds(&self) -> Option<Seeds> {
        self.secret.as_ref().map(|secret| Seeds::of(secret, self.parameters))
    }

    /// The marks of its secret; `None` once revoked.
    pub(crate) fn marks(&self) -> Option<Marks> {
        self.secret.as_ref().map(|secret| Marks::of(secret, self.parameters.algorithm))
    }

    /// The token, while it has its secret.
    pub(crate) fn into_token(self) -> Option<Token> {
        let label = Label::of(&self.serial);
        let (parameters, issued, start) = (self.parameters, self.issued, self.progress);
        Some(Token { serial: self.serial, label, secret: self.secret?, parameters, issued, start })
    }
}

/// Reads a row that begins with [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> Result<Stored, rusqlite::Error> {
    let secret: Option<Zeroizing<Vec<u8>>> = row.get::<_, Option<Vec<u8>>>(2)?.map(Zeroizing::new);
    let secret = secret.map(|bytes| Secret::from_bytes(bytes).map_err(|_| damaged(2, Type::Blob))).transpose()?;
    let first_use = match row.get::<_, u8>(10)? {
        0 => FirstUse::Over,
        1 => FirstUse::Open,
        _ => return Err(damaged(10, Type::Integer)),
    };
    let watermark = row.get::<_, Option<u64>>(11)?.map(Step);
    let (drift, anchor): (i32, i32) = (row.get(12)?, row.get(13)?);
    let most = LARGEST_DRIFT + Progress::MOST_DRIFT;
    if drift.abs() > most || anchor.abs() > most {
        return Err(damaged(12, Type::Integer));
    }
    Ok(Stored {
        id: row.get(0)?,
        serial: Serial::new(text(row, 1)?).ok_or_else(|| damaged(1, Type::Text))?,
        secret,
        parameters: parameters(row, 3)?,
        status: TokenStatus::parse(text(row, 7)?).ok_or_else(|| damaged(7, Type::Text))?,
        owner: row.get(8)?,
        assigned_at: time(row, 9)?,
        first_use,
        progress: Progress { watermark, drift, anchor },
        issued: time(row, 14)?.ok_or_else(|| damaged(14, Type::Integer))?,
    })
}

/// Reads [`PARAMETERS`], of which the first is this column.
pub(super) fn parameters(row: &Row<'_>, first: usize) -> Result<Parameters, rusqlite::Error> {
    let damaged = |column, found| damaged_in(PARAMETERS, first + column, column, found);
    let text = |column| row.get_ref(first + column)?.as_str().map_err(|_| damaged(column, Type::Text));
    let period: Option<u16> = row.get(first + 3)?;
    let kind = match (text(0)?, period) {
        ("totp", Some(period)) => Kind::Totp(Period::new(period).map_err(|_| damaged(3, Type::Integer))?),
        ("hotp", None) => Kind::Hotp,
        _ => return Err(damaged(0, Type::Text)),
    };
    let algorithm: Algorithm = text(1)?.parse().map_err(|_| damaged(1, Type::Text))?;
    let digits = Digits::new(row.get(first + 2)?).map_err(|_| damaged(2, Type::Integer))?;
    Ok(Parameters { algorithm, digits, kind })
}

/// A time, in seconds since 1970.
pub(super) fn time(row: &Row<'_>, column: usize) -> Result<Option<UnixTime>, rusqlite::Error> {
    Ok(row.get::<_, Option<u64>>(column)?.map(UnixTime::from_seconds))
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, rusqlite::Error> {
    row.get_ref(column)?.as_str().map_err(|_| damaged(column, Type::Text))
}

/// Names the column, never its value.
fn damaged(column: usize, found: Type) -> rusqlite::Error {
    damaged_in(COLUMNS, column, column, found)
}

fn damaged_in(names: &str, column: usize, name: usize, found: Type) -> rusqlite::Error {
    let name = names.split(", ").nth(name).unwrap_or("?").trim();
    rusqlite::Error::InvalidColumnType(column, name.to_owned(), found)
}
