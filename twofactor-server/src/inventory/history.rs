//! The history of physical tokens: what sysadmins changed, in its order.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use twofactor_core::codes::token::Serial;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{Author, HistoryPart, PastChange};
use twofactor_core::store::inventory::HistoryLine;
use twofactor_core::text::pairs::{self, Pairs};

use super::row::{seconds, time};
use super::transaction::Transaction;
use crate::database::part_of_log::{LogTable, PartOfLog};
use crate::database::tables::Database;
use crate::error::ServerError;

/// Adds lines to the history.
pub(super) async fn record(
    transaction: &Transaction,
    by: Author<'_>,
    lines: &[HistoryLine],
) -> Result<(), ServerError> {
    const RECORD: &str = "insert into twofactor.token_history (at, who, event, serial, name, detail)
        select $1, $2, * from unnest($3, $4, $5, $6)";
    let at = seconds(by.at);
    let events: Vec<&str> = lines.iter().map(|line| line.event.word()).collect();
    let serials: Vec<Option<&str>> = lines.iter().map(|line| line.serial.as_ref().map(Serial::as_str)).collect();
    let users: Vec<Option<&str>> = lines.iter().map(|line| line.user.as_deref()).collect();
    let details: Vec<Option<&str>> = lines.iter().map(|line| line.detail.as_deref()).collect();
    if lines.is_empty() {
        return Ok(());
    }
    transaction
        .ask(
            RECORD,
            &[
                (&at, Type::INT8),
                (&by.who, Type::TEXT),
                (&events, Type::TEXT_ARRAY),
                (&serials, Type::TEXT_ARRAY),
                (&users, Type::TEXT_ARRAY),
                (&details, Type::TEXT_ARRAY),
            ],
        )
        .await?;
    Ok(())
}

const TABLE: LogTable = LogTable {
    name: "token_history",
    at: "at",
    columns: "who, event, serial, name, detail",
    is_asked: "event = any($1)",
    is_about: "name = any($3)",
    is_rename: "event = 'account-renamed'",
};

/// A part of the history, read in portions.
#[derive(Debug)]
pub(crate) struct TokenHistory(PartOfLog);

impl TokenHistory {
    pub(crate) fn new(part: &HistoryPart) -> Self {
        Self(PartOfLog::of(&TABLE, part, Vec::new()))
    }

    /// The next lines; empty at the end.
    pub(crate) async fn next_portion(&mut self, database: &Database) -> Result<Vec<PastChange>, ServerError> {
        self.0.next_portion(database).await?.iter().map(past).collect()
    }
}

fn past(row: &Row) -> Result<PastChange, ServerError> {
    let number: i64 = row.try_get(0)?;
    let damaged = || ServerError::DamagedToken(format!("history {number}"));
    let event = Event::from_word(row.try_get(3)?).ok_or_else(damaged)?;
    let mut pairs = Pairs::new();
    for (column, key) in [(4, "serial"), (5, "user")] {
        if let Some(value) = row.try_get(column)? {
            pairs.push((key.to_owned(), value));
        }
    }
    if let Some(detail) = row.try_get::<_, Option<String>>(6)? {
        pairs.extend(pairs::read(&detail).ok_or_else(damaged)?);
    }
    Ok(PastChange { at: time(row.try_get(1)?), who: row.try_get(2)?, event, pairs })
}
