//! The import of a vendor's tokens: first all tokens are judged, then all are written, in one transaction.
//!
//! Invariants: nothing is written before every row was judged; a process killed at any moment leaves all of a file or
//! nothing. A dry run is the first half.

use std::borrow::Borrow as _;
use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Statement, TransactionBehavior, params};

use crate::account::lifecycle::TokenStatus;
use crate::codes::otp::{Kind, Parameters, Progress};
use crate::codes::token::Seeds;
use crate::host::trusted::{Folder, Locked};
use crate::log::record::Event;
use crate::store::administration::{Author, Counts, Finding, NewToken, Origin, Sharing};
use crate::store::inventory::{AppSecrets, ImportPlan, Judged, Known, beginning, import_in_words};
use crate::store::registry::change;
use crate::store::registry::connection::{CHANGE_PATIENCE, PATIENCE, Writer};
use crate::store::registry::error::RegistryError;
use crate::store::registry::failure::failure;
use crate::store::registry::look::RegistryReader;
use crate::store::registry::recognition::{self, Burned, Twins};
use crate::store::registry::row;
use crate::store::registry::schema;

/// A file on its way into the registry: [`Intake::plan`] judges every token of the file, then [`Intake::write`] gets the
/// same tokens again, in the same order, and takes the new ones in.
#[derive(Debug)]
pub(crate) struct Intake {
    registry: ImportTarget,
    plan: ImportPlan,
}

#[derive(Debug)]
enum ImportTarget {
    /// To be written to.
    Ours(Writer),
    /// A registry to make when the first token is written. The folder is locked, so no other process makes one
    /// meanwhile.
    NotYet(Locked),
    /// For a dry run; `None` when there is none.
    Theirs(Option<RegistryReader>),
}

impl Intake {
    /// Locks the registry, or the place where it is going to be.
    pub(crate) fn begin(state: Folder, apps: AppSecrets) -> Result<Self, RegistryError> {
        Ok(Self::over(
            match Writer::open_locked(state.lock(CHANGE_PATIENCE)?, PATIENCE)? {
                Ok(writer) => ImportTarget::Ours(writer),
                Err(state) => ImportTarget::NotYet(state),
            },
            apps,
        ))
    }

    /// Changes nothing, ever.
    pub(crate) fn rehearse(state: Option<&Folder>, apps: AppSecrets) -> Result<Self, RegistryError> {
        let reader = state.map(RegistryReader::open).transpose()?.flatten();
        Ok(Self::over(ImportTarget::Theirs(reader), apps))
    }

    fn over(registry: ImportTarget, apps: AppSecrets) -> Self {
        Self { registry, plan: ImportPlan::new(apps) }
    }

    /// Reserves memory for this number of tokens.
    pub(crate) fn expect(&mut self, tokens: usize) {
        self.plan.expect(tokens);
    }

    /// Takes tokens in although users' apps have their secrets, or refuses them.
    pub(crate) fn share(&mut self, sharing: Sharing) {
        self.plan.share(sharing);
    }

    /// Judges every token of a file: `walk` gives each to the function it is given, and learns its relation to the registry.
    /// `None` when it broke off.
    pub(crate) fn plan(&mut self, walk: RegistryWalk<'_, Finding>) -> Result<Option<Counts>, RegistryError> {
        let Self { registry, plan } = self;
        let in_words = |error: rusqlite::Error| registry.failure(&error);
        let mut present = registry.connection().map(Present::new).transpose().map_err(in_words)?;
        let walked = walk(&mut |token| {
            plan.judge(token, |token| match &mut present {
                Some(present) => present.compare(token).map_err(in_words),
                None => Ok(Finding::New),
            })
        });
        Ok(walked.is_continue().then_some(plan.counts()))
    }

    /// True when a series has that name.
    pub(crate) fn has_series(&self, name: &str) -> Result<bool, RegistryError> {
        let Some(connection) = self.registry.connection() else { return Ok(false) };
        let query = "SELECT EXISTS (SELECT 1 FROM series WHERE name = ?1)";
        connection.query_row(query, [name], |row| row.get(0)).map_err(|error| self.registry.failure(&error))
    }

    /// Writes the new ones of the tokens that were judged, in one transaction. `walk` gives them again in the same order to
    /// the function it is given; `None` when it broke off. A rehearsal writes nothing.
    pub(crate) fn write(
        self,
        origin: Origin<'_>,
        rejected: u64,
        by: Author<'_>,
        walk: RegistryWalk<'_, ()>,
    ) -> Result<Option<Counts>, RegistryError> {
        let judged = self.plan.judged(rejected);
        let counts = judged.counts;
        let written = match self.registry {
            ImportTarget::Ours(mut writer) => write(judged, &mut writer.connection, &writer.path, origin, by, walk),
            ImportTarget::NotYet(state) => {
                schema::make(state.borrow(), |connection, path| write(judged, connection, path, origin, by, walk))
            }
            ImportTarget::Theirs(_) => Ok(()),
        };
        match written {
            Ok(()) => Ok(Some(counts)),
            Err(WriteStop::BrokenOff) => Ok(None),
            Err(WriteStop::Registry(error)) => Err(error),
        }
    }
}

/// Walks over the tokens of a file and gives each to the function it is given, until it breaks off.
type RegistryWalk<'w, T> =
    &'w mut dyn FnMut(&mut dyn FnMut(&NewToken<'_>) -> Result<T, RegistryError>) -> ControlFlow<()>;

/// The reason for which nothing was written.
enum WriteStop {
    BrokenOff,
    Registry(RegistryError),
}

impl From<RegistryError> for WriteStop {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

/// Writes a file that was judged.
fn write(
    judged: Judged,
    connection: &mut Connection,
    path: &Path,
    origin: Origin<'_>,
    by: Author<'_>,
    walk: RegistryWalk<'_, ()>,
) -> Result<(), WriteStop> {
    let in_words = |error: rusqlite::Error| failure(path, &error);
    // The one row that is referred to is made in the same transaction; it need not be looked up for every token.
    connection.pragma_update(None, "foreign_keys", false).map_err(in_words)?;
    let behavior = TransactionBehavior::Immediate;
    let transaction = connection.transaction_with_behavior(behavior).map_err(in_words)?;
    let index = SeedIndex::prepare(&transaction).map_err(in_words)?;
    let series = (judged.counts.added > 0).then(|| series_id(&transaction, origin.series)).transpose();
    let series = series.map_err(in_words)?;
    let mut insertion = Insertion::new(&transaction, judged.seeds.len(), series, by).map_err(in_words)?;
    let (mut news, mut seeds) = (judged.news.into_iter(), judged.seeds.into_iter());
    let walked = walk(&mut |token| {
        if news.next() == Some(true)
            && let Some(seed) = seeds.next()
        {
            insertion.insert(token, seed).map_err(in_words)?;
        }
        Ok(())
    });
    if walked.is_break() {
        return Err(WriteStop::BrokenOff);
    }
    insertion.complete().map_err(in_words)?;
    drop((insertion, news, seeds));
    index.complete(&transaction).map_err(in_words)?;
    recognition::note_shared(&transaction, judged.shared).map_err(in_words)?;
    record_import(&transaction, series, origin, judged.counts, by).map_err(in_words)?;
    transaction.commit().map_err(in_words)?;
    Ok(())
}

impl ImportTarget {
    fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Ours(writer) => Some(&writer.connection),
            Self::NotYet(_) => None,
            Self::Theirs(reader) => reader.as_ref().map(|reader| &reader.connection),
        }
    }

    fn failure(&self, error: &rusqlite::Error) -> RegistryError {
        match self {
            Self::Ours(writer) => failure(&writer.path, error),
            Self::NotYet(_) => failure(Path::new(super::file_names::FILE), error),
            Self::Theirs(reader) => {
                failure(reader.as_ref().map_or(Path::new(super::file_names::FILE), |reader| &reader.path), error)
            }
        }
    }
}

/// The tokens that are there.
struct Present<'c> {
    by_serial: Statement<'c>,
    twins: Twins<'c>,
    /// Most files meet an empty registry.
    is_empty: bool,
}

impl<'c> Present<'c> {
    fn new(connection: &'c Connection) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            by_serial: connection
                .prepare(&format!("SELECT seed, status, {} FROM tokens WHERE serial = ?1", row::PARAMETERS))?,
            twins: Twins::new(connection)?,
            is_empty: connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM tokens)", [], |row| row.get(0))?,
        })
    }

    fn compare(&mut self, token: &NewToken<'_>) -> Result<Finding, rusqlite::Error> {
        if self.is_empty {
            return Ok(Finding::New);
        }
        let row = self.by_serial.query_row([token.serial.as_str()], |row| {
            Ok((row.get(0)?, row::status(row, 1)?, row::parameters(row, 2)?))
        });
        let present: Option<(i64, TokenStatus, Parameters)> = row.optional()?;
        if let Some((seed, status, parameters)) = present {
            let has_same_secret = seed == token.marks.secret();
            return Ok(Known { has_same_secret, status, parameters }.compare(token));
        }
        let other = self.twins.of(token.marks)?.into_iter().next();
        Ok(other.map_or(Finding::New, |other| Finding::OtherSerial(other.serial)))
    }
}

/// Puts tokens into the registry, some at once: to begin and end a statement takes as long as three rows.
struct Insertion<'c> {
    many: Batch<'c>,
    single: Batch<'c>,
    burned: Burned<'c>,
    /// The number of tokens still to come.
    left: usize,
}

/// A statement that inserts so many rows.
struct Batch<'c> {
    insert: Statement<'c>,
    /// For every row what is bound already: most tokens have it in common.
    bound: Vec<Option<(Parameters, Progress)>>,
    filled: usize,
}

/// So many tokens are inserted at once.
const TOGETHER: usize = 16;

impl<'c> Insertion<'c> {
    fn new(
        connection: &'c Connection,
        tokens: usize,
        series: Option<i64>,
        by: Author<'_>,
    ) -> Result<Self, rusqlite::Error> {
        let batch = |rows| Batch::new(connection, rows, series, by);
        Ok(Self { many: batch(TOGETHER)?, single: batch(1)?, burned: Burned::new(connection)?, left: tokens })
    }

    fn insert(&mut self, token: &NewToken<'_>, seed: i64) -> Result<(), rusqlite::Error> {
        let burned = self.burned.progress(|| Seeds::of(token.secret, token.parameters))?;
        let batch = if self.many.filled > 0 || self.left >= TOGETHER { &mut self.many } else { &mut self.single };
        self.left = self.left.saturating_sub(1);
        batch.insert(token, seed, beginning(token).latest(burned))
    }

    /// Makes sure that no token waits for others.
    fn complete(&self) -> Result<(), rusqlite::Error> {
        match self.many.filled {
            0 => Ok(()),
            waiting => Err(rusqlite::Error::StatementChangedRows(waiting)),
        }
    }
}

impl<'c> Batch<'c> {
    /// The parameters of all rows, and of each.
    const COMMON: usize = 3;
    const OF_A_ROW: usize = 13;

    fn new(
        connection: &'c Connection,
        rows: usize,
        series: Option<i64>,
        by: Author<'_>,
    ) -> Result<Self, rusqlite::Error> {
        let row = |row: usize| {
            let first = Self::COMMON + row * Self::OF_A_ROW + 1;
            let own: Vec<String> = (first..first + Self::OF_A_ROW).map(|number| format!("?{number}")).collect();
            format!("({}, ?1, ?2, ?3, 0)", own.join(", "))
        };
        let rows: Vec<String> = (0..rows).map(row).collect();
        let mut insert = connection.prepare(&format!("{INSERT} {}", rows.join(", ")))?;
        insert.raw_bind_parameter(1, series)?;
        insert.raw_bind_parameter(2, by.at.seconds())?;
        insert.raw_bind_parameter(3, TokenStatus::Good.word())?;
        Ok(Self { insert, bound: vec![None; rows.len()], filled: 0 })
    }

    fn insert(&mut self, token: &NewToken<'_>, seed: i64, progress: Progress) -> Result<(), rusqlite::Error> {
        let first = Self::COMMON + self.filled * Self::OF_A_ROW;
        self.insert.raw_bind_parameter(first + 1, token.serial.as_str())?;
        self.insert.raw_bind_parameter(first + 2, seed)?;
        self.insert.raw_bind_parameter(first + 3, token.secret.expose())?;
        self.insert.raw_bind_parameter(first + 4, token.vendor)?;
        self.insert.raw_bind_parameter(first + 5, token.model)?;
        self.insert.raw_bind_parameter(first + 6, token.marks.key())?;
        let common = Some((token.parameters, progress));
        if let Some(bound) = self.bound.get_mut(self.filled).filter(|bound| **bound != common) {
            *bound = common;
            self.bind(first, token.parameters, progress)?;
        }
        self.filled += 1;
        if self.filled == self.bound.len() {
            self.filled = 0;
            self.insert.raw_execute()?;
        }
        Ok(())
    }

    fn bind(&mut self, first: usize, parameters: Parameters, progress: Progress) -> Result<(), rusqlite::Error> {
        let period = match parameters.kind {
            Kind::Totp(period) => Some(period.seconds()),
            Kind::Hotp => None,
        };
        self.insert.raw_bind_parameter(first + 7, parameters.kind.name())?;
        self.insert.raw_bind_parameter(first + 8, parameters.algorithm.name())?;
        self.insert.raw_bind_parameter(first + 9, parameters.digits.count())?;
        self.insert.raw_bind_parameter(first + 10, period)?;
        self.insert.raw_bind_parameter(first + 11, progress.watermark.map(|step| step.0))?;
        self.insert.raw_bind_parameter(first + 12, progress.drift)?;
        self.insert.raw_bind_parameter(first + 13, progress.anchor)
    }
}

/// The order in which the index of secrets is filled; secrets come in random order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SeedIndex {
    /// With every token: it has others already.
    Alongside,
    /// After all tokens, sorted.
    Afterwards,
}

impl SeedIndex {
    fn prepare(connection: &Connection) -> Result<Self, rusqlite::Error> {
        let is_empty = connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM tokens)", [], |row| row.get(0))?;
        if is_empty {
            connection.execute_batch(schema::DROP_SEED_INDEX)?;
        }
        let (index, cache) = if is_empty { (Self::Afterwards, ONE_INDEX) } else { (Self::Alongside, TWO_INDEXES) };
        connection.pragma_update(None, "cache_size", cache)?;
        Ok(index)
    }

    fn complete(self, connection: &Connection) -> Result<(), rusqlite::Error> {
        if self == Self::Afterwards {
            connection.pragma_update(None, "cache_size", NO_INDEX)?;
            connection.execute_batch(schema::MAKE_SEED_INDEX)?;
        }
        Ok(())
    }
}

fn series_id(connection: &Connection, name: &str) -> Result<i64, rusqlite::Error> {
    connection.execute("INSERT INTO series (name) VALUES (?1) ON CONFLICT (name) DO NOTHING", [name])?;
    connection.query_row("SELECT id FROM series WHERE name = ?1", [name], |row| row.get(0))
}

fn record_import(
    connection: &Connection,
    series: Option<i64>,
    origin: Origin<'_>,
    counts: Counts,
    by: Author<'_>,
) -> Result<(), rusqlite::Error> {
    let values = params![
        series,
        origin.series,
        origin.file,
        origin.sha256,
        by.at.seconds(),
        by.who,
        counts.added,
        counts.unchanged,
        counts.conflicts,
        counts.rejected,
    ];
    connection.execute(RECORD_IMPORT, values)?;
    let detail = import_in_words(origin.series, counts);
    change::record(connection, by, Event::Imported, None, None, Some(&detail))
}

/// Sizes of the cache, in KiB, as negative numbers: room for indexes of a million tokens that are filled in random order.
/// Serials mostly come in order, and sorting a million secrets' digests takes 50 MB of its own.
const TWO_INDEXES: i64 = -40_960;
const ONE_INDEX: i64 = -8_192;
const NO_INDEX: i64 = -2_048;

const INSERT: &str = "INSERT INTO tokens (serial, seed, secret, vendor, model, hmac_key, type, algorithm, digits, period, \
                      watermark, drift, anchor, series, issued, status, first_use) VALUES";

const RECORD_IMPORT: &str = "INSERT INTO imports (series, name, file, sha256, at, who, added, unchanged, conflicts, \
                             rejected) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
