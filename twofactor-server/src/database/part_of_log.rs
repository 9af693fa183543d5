//! A part of a table whose rows are the log's, read in portions.
//!
//! Invariants: numbers rise with time, but for rows that were written at the same time. So a moment is found by halving the numbers, and no
//! login pays for an index on time. What is not asked for is passed over in the database.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::HistoryPart;

use crate::database::tables::{Database, Parameters};
use crate::error::ServerError;

/// Rows of one portion.
const PORTION: i64 = 1000;

/// The longest wait for one. Rows that are not asked for may be many.
const PATIENCE: Duration = Duration::from_mins(5);

/// The numbers of two rows may be at odds with their times by so many seconds: a change of tokens may wait for another one.
const APART: i64 = 600;

/// A table of the log.
#[derive(Debug)]
pub(crate) struct LogTable {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its time, in whole seconds since 1970.
    pub(crate) at: &'static str,
    /// The columns behind the number and the time.
    pub(crate) columns: &'static str,
    /// True of a row of one of the events `$1`, or that the words `$2` are about.
    pub(crate) is_asked: &'static str,
    /// True of a row about one of the users `$3`.
    pub(crate) is_about: &'static str,
    /// True of a rename, in the words of an index.
    pub(crate) is_rename: &'static str,
}

/// The part that is asked for.
#[derive(Debug)]
pub(crate) struct PartOfLog {
    table: &'static LogTable,
    part: HistoryPart,
    words: Vec<&'static str>,
    /// The number of the last row that was read, and of the first that is not asked for; `None` before the first portion.
    range: Option<(i64, i64)>,
}

impl PartOfLog {
    /// The part of a table. `words` are for its `is_asked`.
    pub(crate) fn of(table: &'static LogTable, part: &HistoryPart, words: Vec<&'static str>) -> Self {
        Self { table, part: part.clone(), words, range: None }
    }

    /// The next rows: number, time and columns. Empty at the end.
    pub(crate) async fn next_portion(&mut self, database: &Database) -> Result<Vec<Row>, ServerError> {
        let (last, end) = match self.range {
            Some(range) => range,
            None => self.range(database).await?,
        };
        let rows = self.ask(database, "", (last, end, PORTION)).await?;
        let read = rows.last().map_or(Ok(last), |row| row.try_get(0))?;
        self.range = Some((read, end));
        Ok(rows)
    }

    async fn range(&self, database: &Database) -> Result<(i64, i64), ServerError> {
        let HistoryPart { since, until, last, .. } = &self.part;
        let before = match since {
            Some(since) => self.first_since(database, seconds(*since).saturating_sub(APART)).await?.saturating_sub(1),
            None => i64::MIN,
        };
        let end = match until {
            Some(until) => self.first_since(database, seconds(*until).saturating_add(APART)).await?,
            None => i64::MAX,
        };
        let Some(most) = last else { return Ok((before, end)) };
        let rows = self.ask(database, "desc", (before, end, i64::from(*most))).await?;
        let oldest = rows.last().map(|row| row.try_get::<_, i64>(0)).transpose()?;
        // They are read again, in their order.
        Ok((oldest.map_or(end, |oldest| oldest.saturating_sub(1)), end))
    }

    /// At most `most` rows behind the number `after` and before `end`.
    async fn ask(
        &self,
        database: &Database,
        order: &str,
        (after, end, most): (i64, i64, i64),
    ) -> Result<Vec<Row>, ServerError> {
        let LogTable { name, at, columns, is_asked, is_about, is_rename } = self.table;
        let HistoryPart { since, until, users, events, .. } = &self.part;
        let is_about = if users.is_empty() { "true" } else { is_about };
        let is_rename = if *events == [Event::AccountRenamed] { is_rename } else { "true" };
        let columns = if order.is_empty() { format!("number, {at}, {columns}") } else { "number".to_owned() };
        let query = format!(
            "select {columns} from twofactor.{name} where number > $4 and number < $5
             and ($7::int8 is null or {at} >= $7) and ($8::int8 is null or {at} < $8)
             and {is_rename} and {is_about} and {is_asked} order by number {order} limit $6"
        );
        let events: Vec<&str> = Event::ALL
            .iter()
            .filter(|event| events.is_empty() || events.contains(event))
            .map(|event| event.word())
            .collect();
        let (since, until) = (since.map(seconds), until.map(seconds));
        let parameters: &Parameters<'_> = &[
            (&events, Type::TEXT_ARRAY),
            (&self.words, Type::TEXT_ARRAY),
            (users, Type::TEXT_ARRAY),
            (&after, Type::INT8),
            (&end, Type::INT8),
            (&most, Type::INT8),
            (&since, Type::INT8),
            (&until, Type::INT8),
        ];
        database.ask_within(PATIENCE, &query, parameters).await
    }

    /// The first number from which on no row is older than that.
    async fn first_since(&self, database: &Database, moment: i64) -> Result<i64, ServerError> {
        let LogTable { name, at, .. } = self.table;
        let all = database.ask(&format!("select min(number), max(number) from twofactor.{name}"), &[]).await?;
        let bounds =
            all.first().map_or(Ok((None, None)), |row| Ok::<_, ServerError>((row.try_get(0)?, row.try_get(1)?)));
        let (Some(mut low), Some(newest)): (Option<i64>, Option<i64>) = bounds? else { return Ok(i64::MIN) };
        let mut high = newest.saturating_add(1);
        let query = format!("select number, {at} from twofactor.{name} where number >= $1 order by number limit 1");
        while low < high {
            // Nearer to low, so that each turn leaves fewer of them.
            let middle = low + high.saturating_sub(low) / 2;
            let rows = database.ask(&query, &[(&middle, Type::INT8)]).await?;
            let Some(row) = rows.first() else {
                high = middle;
                continue;
            };
            let (number, at): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            if at < moment {
                low = number.saturating_add(1);
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.seconds()).unwrap_or(i64::MAX)
}
