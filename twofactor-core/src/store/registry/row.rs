//! A token as a row: between SQLite's values and ours. A value that cannot be is damage, and never a default.

use rusqlite::Row;
use rusqlite::types::Type;
use zeroize::Zeroizing;

use crate::account::FirstUse;
use crate::account::lifecycle::TokenStatus;
use crate::codes::otp::{Algorithm, Digits, Kind, LARGEST_DRIFT, Parameters, Period, Progress, Step};
use crate::codes::secret::Secret;
use crate::codes::token::Serial;
use crate::host::clock::UnixTime;
use crate::store::inventory::Stored;

/// The columns that [`read`] wants, in its order.
pub(super) const COLUMNS: &str = "id, serial, secret, type, algorithm, digits, period, status, owner, assigned_at, \
                                  first_use, watermark, drift, anchor, issued";

/// The columns that [`parameters`] wants.
pub(super) const PARAMETERS: &str = "type, algorithm, digits, period";

/// The number of [`COLUMNS`]: further columns of a query begin here.
pub(super) const WIDTH: usize = 15;

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
        status: status(row, 7)?,
        owner: row.get(8)?,
        assigned_at: time(row, 9)?,
        first_use,
        progress: Progress { watermark, drift, anchor },
        issued: time(row, 14)?.ok_or_else(|| damaged(14, Type::Integer))?,
    })
}

/// Reads the status in this column.
pub(super) fn status(row: &Row<'_>, column: usize) -> Result<TokenStatus, rusqlite::Error> {
    let damaged = || rusqlite::Error::InvalidColumnType(column, "status".to_owned(), Type::Text);
    TokenStatus::parse(text(row, column)?).ok_or_else(damaged)
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
