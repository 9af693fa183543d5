//! The history of physical tokens: what sysadmins changed, in its order.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use twofactor_core::codes::token::Serial;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{Author, PastChange};
use twofactor_core::store::inventory::HistoryLine;
use twofactor_core::text::pairs::{self, Pairs};

use super::row::{seconds, time};
use super::transaction::Transaction;
use crate::database::Database;
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

/// The history, read in portions.
#[derive(Debug, Default)]
pub(crate) struct TokenHistory {
    last: i64,
}

impl TokenHistory {
    /// The next lines; empty at the end.
    pub(crate) async fn next_portion(&mut self, database: &Database) -> Result<Vec<PastChange>, ServerError> {
        const PORTION: i64 = 1000;
        const LINES: &str = "select number, at, who, event, serial, name, detail from twofactor.token_history
            where number > $1 order by number limit $2";
        let rows = database.ask(LINES, &[(&self.last, Type::INT8), (&PORTION, Type::INT8)]).await?;
        if let Some(end) = rows.last() {
            self.last = end.try_get(0)?;
        }
        rows.iter().map(past).collect()
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
