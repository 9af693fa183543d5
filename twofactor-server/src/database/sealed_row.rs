//! A sealed record in a row: the number of its key, and the bytes.

use tokio_postgres::Row;

use crate::error::ServerError;
use crate::sealing::seals::Sealed;

/// The record in the columns `key` and the next one; `None` where they are null.
pub(crate) fn sealed(row: &Row, key: usize) -> Result<Option<Sealed>, ServerError> {
    let number: Option<i32> = row.try_get(key)?;
    let bytes: Option<Vec<u8>> = row.try_get(key + 1)?;
    Ok(number.zip(bytes).map(|(key, bytes)| Sealed { key, bytes }))
}
