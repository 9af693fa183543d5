//! The import of a vendor's tokens: first all tokens are judged, then all are written by COPY, in one transaction.
//!
//! Invariants: nothing is written before every row was judged, and no other process changes tokens meanwhile. A process that is killed at
//! any moment leaves all of a file or nothing. Memory does not grow with the rows that are written. A dry run is the first half.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokio::runtime::{Handle, Runtime};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use twofactor_core::account::lifecycle::TokenStatus;
use twofactor_core::codes::token::Seeds;
use twofactor_core::log::record::Event;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{
    Author, Counts, Finding, NewToken, Origin, Sharing, TokenImport, TokenWalk,
};
use twofactor_core::store::inventory::{HistoryLine, ImportPlan, Judged, beginning, import_in_words};

use super::app_secrets::app_secrets;
use super::changing::CHANGE_PATIENCE;
use super::history::record;
use super::intake::Present;
use super::recognition::{Burned, keyed, note_shared};
use super::row::{seal_progress, seconds, write_token};
use super::transaction::{Purpose, Transaction, within};
use crate::database::tables::Database;
use crate::error::ServerError;
use crate::sealing::seals::{Kind, Seals};

/// A file on its way into the inventory.
pub(crate) struct Import {
    runtime: Arc<Runtime>,
    database: Arc<Database>,
    open: Open,
    plan: ImportPlan,
    expected: usize,
    purpose: Purpose,
}

/// The transaction of an import. Where it is dropped, what it has locked is let go at once.
struct Open {
    runtime: Arc<Runtime>,
    transaction: Option<Transaction>,
}

impl Open {
    fn transaction(&self) -> Result<&Transaction, ServerError> {
        self.transaction.as_ref().ok_or_else(|| ServerError::NoConnection("it is gone".to_owned()))
    }

    async fn commit(&mut self) -> Result<(), ServerError> {
        match self.transaction.take() {
            Some(transaction) => transaction.commit().await,
            None => Ok(()),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(transaction) = self.transaction.take()
            && Handle::try_current().is_err()
        {
            self.runtime.block_on(transaction.take_back());
        }
    }
}

impl Import {
    /// Locks the tokens against other changes.
    pub(crate) fn begin(runtime: Arc<Runtime>, database: Arc<Database>) -> Result<Self, ServerError> {
        Self::with(runtime, database, Purpose::Change(CHANGE_PATIENCE))
    }

    /// Changes nothing, ever.
    pub(crate) fn rehearse(runtime: Arc<Runtime>, database: Arc<Database>) -> Result<Self, ServerError> {
        Self::with(runtime, database, Purpose::Look)
    }

    fn with(runtime: Arc<Runtime>, database: Arc<Database>, purpose: Purpose) -> Result<Self, ServerError> {
        let transaction = runtime.block_on(Transaction::begin(&database, purpose))?;
        let open = Open { runtime: Arc::clone(&runtime), transaction: Some(transaction) };
        let apps = runtime.block_on(app_secrets(open.transaction()?, &database.seals))?;
        Ok(Self { runtime, database, open, plan: ImportPlan::new(apps), expected: 0, purpose })
    }
}

impl fmt::Debug for Import {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Import").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

impl TokenImport for Import {
    fn expect(&mut self, tokens: usize) {
        self.plan.expect(tokens);
        self.expected = tokens;
    }

    fn share(&mut self, sharing: Sharing) {
        self.plan.share(sharing);
    }

    fn has_series(&self, name: &str) -> Result<bool, StoreError> {
        let query = "select exists (select from twofactor.series where name = $1)";
        let found = self.runtime.block_on(self.open.transaction()?.ask_one(query, &[(&name, Type::TEXT)]))?;
        Ok(found.try_get(0).map_err(ServerError::from)?)
    }

    fn plan_walk(&mut self, walk: TokenWalk<'_, Finding>) -> Result<Option<Counts>, StoreError> {
        let Self { runtime, database, open, plan, expected, .. } = self;
        let (seals, transaction) = (&database.seals, open.transaction()?);
        let present = runtime.block_on(Present::prepare(transaction, seals, *expected))?;
        let walked = walk(&mut |token| {
            plan.judge(token, |token| match &present {
                Present::Nothing => Ok(Finding::New),
                present => Ok(runtime.block_on(present.compare(transaction, seals, token))?),
            })
        });
        Ok(walked.is_continue().then_some(plan.counts()))
    }

    fn write_walk(
        self: Box<Self>,
        origin: Origin<'_>,
        rejected: u64,
        author: Author<'_>,
        walk: TokenWalk<'_, ()>,
    ) -> Result<Option<Counts>, StoreError> {
        let Self { runtime, database, mut open, plan, purpose, .. } = *self;
        let judged = plan.judged(rejected);
        let counts = judged.counts;
        if purpose == Purpose::Look {
            return Ok(Some(counts));
        }
        let seals = &database.seals;
        let transaction = open.transaction()?;
        let series = runtime.block_on(series_number(transaction, origin.series, counts))?;
        let Judged { news, seeds, shared, .. } = judged;
        if counts.added > 0 {
            let mut copy = runtime.block_on(Copy::begin(transaction, seals, series, author))?;
            let (mut news, mut marks) = (news.into_iter(), seeds.into_iter());
            let walked = walk(&mut |token| {
                if news.next() == Some(true)
                    && let Some(mark) = marks.next()
                {
                    copy.push(token, mark)?;
                    if copy.is_full() {
                        runtime.block_on(copy.send())?;
                    }
                }
                Ok(())
            });
            if walked.is_break() {
                return Ok(None);
            }
            runtime.block_on(copy.finish(counts.added))?;
        }
        let shared = shared.into_iter().map(|mark| keyed(seals, mark)).collect::<Result<Vec<_>, _>>()?;
        runtime.block_on(async {
            note_shared(transaction, &shared).await?;
            record_import(transaction, series, origin, counts, author).await
        })?;
        runtime.block_on(open.commit())?;
        Ok(Some(counts))
    }
}

/// So many tokens are sent at once.
const TOGETHER: usize = 256;

/// The rows of a COPY.
struct Copy<'a> {
    writer: Pin<Box<BinaryCopyInWriter>>,
    seals: &'a Seals,
    burned: Burned,
    series: Option<i32>,
    issued: i64,
    rows: Vec<Row>,
}

/// A row of a COPY.
struct Row {
    serial: String,
    mark: i64,
    key_mark: Option<i64>,
    key: i32,
    sealed: Vec<u8>,
    used_key: Option<i32>,
    used: Option<Vec<u8>>,
    vendor: Option<String>,
    model: Option<String>,
}

impl<'a> Copy<'a> {
    async fn begin(
        transaction: &Transaction,
        seals: &'a Seals,
        series: Option<i32>,
        by: Author<'_>,
    ) -> Result<Self, ServerError> {
        const COPY: &str = "copy twofactor.tokens (serial, mark, key_mark, key, sealed, status, first_use, used_key, used, \
                            series, vendor, model, issued) from stdin (format binary)";
        const TYPES: [Type; 13] = [
            Type::TEXT,
            Type::INT8,
            Type::INT8,
            Type::INT4,
            Type::BYTEA,
            Type::TEXT,
            Type::BOOL,
            Type::INT4,
            Type::BYTEA,
            Type::INT4,
            Type::TEXT,
            Type::TEXT,
            Type::INT8,
        ];
        let burned = Burned::all(transaction, seals).await?;
        let sink = within(transaction.client()?.copy_in(COPY)).await??;
        let writer = Box::pin(BinaryCopyInWriter::new(sink, &TYPES));
        Ok(Self { writer, seals, burned, series, issued: seconds(by.at), rows: Vec::with_capacity(TOGETHER) })
    }

    /// Takes a token whose secret has this mark.
    fn push(&mut self, token: &NewToken<'_>, mark: i64) -> Result<(), ServerError> {
        let (seals, serial) = (self.seals, token.serial.as_str());
        let burned = self.burned.progress(seals, || Seeds::of(token.secret, token.parameters))?;
        let sealed = seals.seal(Kind::Token, serial, &write_token(token.parameters, Some(token.secret)))?;
        let used = seal_progress(seals, serial, beginning(token).latest(burned))?;
        let (used_key, used) = used.map(|used| (used.key, used.bytes)).unzip();
        self.rows.push(Row {
            serial: serial.to_owned(),
            mark: keyed(seals, mark)?,
            key_mark: token.marks.key().map(|mark| keyed(seals, mark)).transpose()?,
            key: sealed.key,
            sealed: sealed.bytes,
            used_key,
            used,
            vendor: token.vendor.map(str::to_owned),
            model: token.model.map(str::to_owned),
        });
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= TOGETHER
    }

    /// Sends the tokens that wait.
    async fn send(&mut self) -> Result<(), ServerError> {
        let status = TokenStatus::Good.word();
        let Self { writer, series, issued, rows, .. } = self;
        within(async {
            for row in rows.drain(..) {
                let values: [&(dyn ToSql + Sync); 13] = [
                    &row.serial,
                    &row.mark,
                    &row.key_mark,
                    &row.key,
                    &row.sealed,
                    &status,
                    &false,
                    &row.used_key,
                    &row.used,
                    &*series,
                    &row.vendor,
                    &row.model,
                    &*issued,
                ];
                writer.as_mut().write(&values).await?;
            }
            Ok::<_, tokio_postgres::Error>(())
        })
        .await??;
        Ok(())
    }

    /// Sends the rest, and makes sure that so many rows have arrived.
    async fn finish(mut self, expected: u64) -> Result<(), ServerError> {
        self.send().await?;
        let arrived = within(self.writer.as_mut().finish()).await??;
        if arrived == expected {
            Ok(())
        } else {
            Err(ServerError::NoConnection(format!("{arrived} of {expected} tokens have arrived")))
        }
    }
}

/// The number of the series, which is made where there is none and something is to join it.
async fn series_number(transaction: &Transaction, name: &str, counts: Counts) -> Result<Option<i32>, ServerError> {
    const MAKE: &str = "insert into twofactor.series (name) values ($1) on conflict do nothing";
    const FIND: &str = "select number from twofactor.series where name = $1";
    if counts.added == 0 {
        return Ok(None);
    }
    transaction.ask(MAKE, &[(&name, Type::TEXT)]).await?;
    Ok(Some(transaction.ask_one(FIND, &[(&name, Type::TEXT)]).await?.try_get(0)?))
}

async fn record_import(
    transaction: &Transaction,
    series: Option<i32>,
    origin: Origin<'_>,
    counts: Counts,
    by: Author<'_>,
) -> Result<(), ServerError> {
    const RECORD: &str = "insert into twofactor.imports
        (series, name, file, sha256, at, who, added, unchanged, conflicts, rejected)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let at = seconds(by.at);
    let [added, unchanged, conflicts, rejected] = [counts.added, counts.unchanged, counts.conflicts, counts.rejected]
        .map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    transaction
        .ask(
            RECORD,
            &[
                (&series, Type::INT4),
                (&origin.series, Type::TEXT),
                (&origin.file, Type::TEXT),
                (&origin.sha256.as_slice(), Type::BYTEA),
                (&at, Type::INT8),
                (&by.who, Type::TEXT),
                (&added, Type::INT8),
                (&unchanged, Type::INT8),
                (&conflicts, Type::INT8),
                (&rejected, Type::INT8),
            ],
        )
        .await?;
    let detail = Some(import_in_words(origin.series, counts));
    record(transaction, by, &[HistoryLine { event: Event::Imported, serial: None, user: None, detail }]).await
}
