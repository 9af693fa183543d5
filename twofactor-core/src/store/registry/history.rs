//! The history of the registry: what sysadmins changed, and what a helpdesk did, read in portions, in their order.

use rusqlite::Row;
use rusqlite::types::Type;

use crate::log::record::Event;
use crate::store::administration::PastChange;
use crate::store::registry::error::RegistryError;
use crate::store::registry::look::RegistryReader;
use crate::store::registry::row;
use crate::text::pairs::{self, Pairs};

/// The history of a registry, for a reader that takes it in portions.
#[derive(Debug)]
pub(crate) struct RegistryHistory {
    reader: RegistryReader,
    last: i64,
}

/// So many lines are in memory at a time.
const PORTION: i64 = 1000;

impl From<RegistryReader> for RegistryHistory {
    fn from(reader: RegistryReader) -> Self {
        Self { reader, last: 0 }
    }
}

impl RegistryHistory {
    /// The next lines of the history; empty at its end.
    pub(crate) fn next_portion(&mut self) -> Result<Vec<PastChange>, RegistryError> {
        let query = "SELECT id, at, who, event, serial, user, detail FROM history WHERE id > ?1 ORDER BY id LIMIT ?2";
        let portion: Vec<(i64, PastChange)> = self.reader.asking(|connection| {
            let mut statement = connection.prepare(query)?;
            statement.query_map([self.last, PORTION], past)?.collect()
        })?;
        if let Some((last, _)) = portion.last() {
            self.last = *last;
        }
        Ok(portion.into_iter().map(|(_, past)| past).collect())
    }
}

fn past(row: &Row<'_>) -> Result<(i64, PastChange), rusqlite::Error> {
    let damaged = |column, name: &str| rusqlite::Error::InvalidColumnType(column, name.to_owned(), Type::Text);
    let event = Event::from_word(&row.get::<_, String>(3)?).ok_or_else(|| damaged(3, "event"))?;
    let mut pairs = Pairs::new();
    for (column, key) in [(4, "serial"), (5, "user")] {
        if let Some(value) = row.get(column)? {
            pairs.push((key.to_owned(), value));
        }
    }
    if let Some(detail) = row.get::<_, Option<String>>(6)? {
        pairs.extend(pairs::read(&detail).ok_or_else(|| damaged(6, "detail"))?);
    }
    let at = row::time(row, 1)?.ok_or_else(|| damaged(1, "at"))?;
    Ok((row.get(0)?, PastChange { at, who: row.get(2)?, event, pairs }))
}
