//! Changes of the registry, within one transaction: [`Edit`].
//!
//! Invariants: a dropped edit has changed nothing. The watermark of a seed never falls and is never forgotten: not when
//! a token changes hands, not when it is deleted.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::account::Held;
use crate::account::lifecycle::TokenStatus;
use crate::codes::otp::{Kind, Parameters, Progress, Step};
use crate::codes::secret::Secret;
use crate::codes::token::{Marks, Seeds, Serial};
use crate::host::user::{Uid, UserName};
use crate::log::record::Event;
use crate::store::administration::{Author, Fit};
use crate::store::inventory::{Stored, Twin, mending_in_words, series_deletion_in_words};
use crate::store::registry::connection::Writer;
use crate::store::registry::error::RegistryError;
use crate::store::registry::failure::failure;
use crate::store::registry::look;
use crate::store::registry::recognition::{self, Burned, Twins};
use crate::store::registry::row::{self, COLUMNS};
use crate::text::pairs;

/// A change in the making. Nothing of it happens before [`Edit::commit`].
#[derive(Debug)]
pub(crate) struct Edit<'w> {
    transaction: Transaction<'w>,
    path: &'w Path,
    by: Author<'w>,
    /// The line of the history that is this change's, where it stands there already.
    begun: Option<Begun>,
}

/// An act whose line stands in the history.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(crate) struct Begun {
    line: i64,
    asked_by: Uid,
}

impl Begun {
    /// The act of that line, which a process of `asked_by` asks for.
    pub(super) fn of(line: i64, asked_by: Uid) -> Self {
        Self { line, asked_by }
    }

    /// The number of the line.
    pub(super) fn line(self) -> i64 {
        self.line
    }

    /// The detail of a line: the uid of the process that asks, and the outcome in the form of [`pairs`].
    pub(super) fn detail(asked_by: Uid, outcome: &str) -> String {
        let mut text = String::new();
        pairs::write(&mut text, "asked_by", asked_by);
        text + outcome
    }
}

impl Writer {
    /// Begins a change.
    pub(crate) fn edit<'w>(&'w mut self, by: Author<'w>) -> Result<Edit<'w>, RegistryError> {
        let path = self.path.as_path();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = transaction.map_err(|error| failure(path, &error))?;
        Ok(Edit { transaction, path, by, begun: None })
    }
}

impl Edit<'_> {
    /// The same change, whose line stands in the history.
    pub(super) fn of(self, begun: Begun) -> Self {
        Self { begun: Some(begun), ..self }
    }

    /// The token with that serial.
    pub(crate) fn token(&self, serial: &Serial) -> Result<Option<Stored>, RegistryError> {
        let query = format!("SELECT {COLUMNS} FROM tokens WHERE serial = ?1");
        self.asking(|connection| connection.query_row(&query, [serial.as_str()], row::read).optional())
    }

    /// The tokens of a series that still have their secret, behind the number `after`, a portion of them; empty at the end. `None`
    /// when there is no such series.
    pub(crate) fn portion_of_series(&self, name: &str, after: i64) -> Result<Option<Vec<Stored>>, RegistryError> {
        let Some(series) = self.series_id(name)? else { return Ok(None) };
        let query = format!(
            "SELECT {COLUMNS} FROM tokens WHERE series = ?1 AND id > ?2 AND secret IS NOT NULL ORDER BY id LIMIT 1000"
        );
        self.asking(|connection| {
            let mut statement = connection.prepare(&query)?;
            statement.query_map([series, after], row::read)?.collect::<Result<_, _>>().map(Some)
        })
    }

    /// Forgets the tokens of a series that never had an owner and were never used: they leave nothing to remember.
    /// Gives their number, and the tokens that remain; `None` when there is no such series.
    pub(crate) fn delete_unused(&self, name: &str) -> Result<Option<(usize, Vec<Stored>)>, RegistryError> {
        let Some(series) = self.series_id(name)? else { return Ok(None) };
        let unused =
            "DELETE FROM tokens WHERE series = ?1 AND owner IS NULL AND watermark IS NULL AND status <> 'revoked'";
        self.asking(|connection| {
            let deleted = connection.execute(unused, [series])?;
            let mut statement = connection
                .prepare(&format!("SELECT {COLUMNS} FROM tokens WHERE series = ?1 AND status <> 'revoked'"))?;
            let remaining = statement.query_map([series], row::read)?.collect::<Result<_, _>>()?;
            Ok(Some((deleted, remaining)))
        })
    }

    /// Other tokens with the secret of `token`, or with a secret that HMAC takes for the same key.
    pub(crate) fn twins(&self, token: &Stored) -> Result<Vec<Twin>, RegistryError> {
        let Some(marks) = token.marks() else { return Ok(Vec::new()) };
        let mut twins = self.asking(|connection| Twins::new(connection)?.of(marks))?;
        twins.retain(|twin| twin.id != token.id);
        Ok(twins)
    }

    /// Remembers that an app has this secret or key, too.
    pub(crate) fn note_shared(&self, marks: Marks) -> Result<(), RegistryError> {
        self.asking(|connection| recognition::note_shared(connection, marks.iter()))
    }

    /// Whether an app had the secret of `token`, too, when the second of the two came in.
    pub(crate) fn was_shared(&self, token: &Stored) -> Result<bool, RegistryError> {
        let Some(marks) = token.marks() else { return Ok(false) };
        self.asking(|connection| {
            let mut query = connection.prepare("SELECT EXISTS (SELECT 1 FROM shared WHERE mark = ?1)")?;
            marks.iter().try_fold(false, |found, mark| Ok(found || query.query_row([mark], |row| row.get(0))?))
        })
    }

    fn series_id(&self, name: &str) -> Result<Option<i64>, RegistryError> {
        let query = "SELECT id FROM series WHERE name = ?1";
        self.asking(|connection| connection.query_row(query, [name], |row| row.get(0)).optional())
    }

    /// The physical tokens of `user`, as they stand in the user's own file once this change has happened.
    pub(crate) fn held_by(&self, user: &UserName) -> Result<Vec<Held>, RegistryError> {
        self.asking(|connection| look::held_by(connection, user))
    }

    /// The number of tokens that `user` holds.
    pub(crate) fn held(&self, user: &UserName) -> Result<usize, RegistryError> {
        let query = "SELECT count(*) FROM tokens WHERE owner = ?1";
        self.asking(|connection| connection.query_row(query, [user.as_str()], |row| row.get(0)))
    }

    /// The number of tokens of `user` that open sessions.
    pub(crate) fn usable(&self, user: &UserName) -> Result<usize, RegistryError> {
        let query = "SELECT count(*) FROM tokens WHERE owner = ?1 AND status = 'good'";
        self.asking(|connection| connection.query_row(query, [user.as_str()], |row| row.get(0)))
    }

    /// The number of tokens ever taken from `user`, from the history.
    pub(crate) fn taken_from(&self, user: &UserName) -> Result<usize, RegistryError> {
        let query = "SELECT count(*) FROM history WHERE user = ?1 AND event IN ('unassigned', 'revoked', 'deleted')";
        self.asking(|connection| connection.query_row(query, [user.as_str()], |row| row.get(0)))
    }

    /// Gives a token to `user`, whose first login with it may be further out.
    pub(crate) fn assign(&self, token: &Stored, user: &UserName) -> Result<(), RegistryError> {
        let change = "UPDATE tokens SET owner = ?2, assigned_at = ?3, first_use = 1 WHERE id = ?1";
        self.changing(change, params![token.id, user.as_str(), self.by.at.seconds()])?;
        self.record(Event::Assigned, Some(&token.serial), Some(user.as_str()), None)
    }

    /// Takes a token back. `progress` is how far its owner took it.
    pub(crate) fn unassign(&self, token: &Stored, progress: Progress) -> Result<(), RegistryError> {
        let change = "UPDATE tokens SET owner = NULL, assigned_at = NULL, first_use = 0 WHERE id = ?1";
        self.changing(change, params![token.id])?;
        self.advance(token, progress)?;
        self.record(Event::Unassigned, Some(&token.serial), token.owner.as_deref(), None)
    }

    /// Writes down what stands against a token.
    pub(crate) fn set_status(&self, token: &Stored, status: TokenStatus, event: Event) -> Result<(), RegistryError> {
        self.changing("UPDATE tokens SET status = ?2 WHERE id = ?1", params![token.id, status.word()])?;
        self.record(event, Some(&token.serial), token.owner.as_deref(), None)
    }

    /// Ends a token for good: its secret is wiped, its serial stays known and its secret recognised. `progress` is how far
    /// its owner took it.
    pub(crate) fn revoke(&self, token: &Stored, progress: Progress) -> Result<(), RegistryError> {
        self.burn(token, progress)?;
        let change = "UPDATE tokens SET status = ?2, secret = NULL, owner = NULL, assigned_at = NULL, first_use = 0 \
                      WHERE id = ?1";
        self.changing(change, params![token.id, TokenStatus::Revoked.word()])?;
        self.record(Event::Revoked, Some(&token.serial), token.owner.as_deref(), None)
    }

    /// Forgets a token, but not how far its seed was used.
    pub(crate) fn delete(&self, token: &Stored, progress: Progress) -> Result<(), RegistryError> {
        self.burn(token, progress)?;
        self.changing("DELETE FROM tokens WHERE id = ?1", params![token.id])?;
        self.record(Event::Deleted, Some(&token.serial), token.owner.as_deref(), None)
    }

    /// Forgets a series. What is left of it are revoked tokens, which stay known: they must not come back with the next file.
    pub(crate) fn delete_series(&self, name: &str, tokens: usize) -> Result<(), RegistryError> {
        let orphan = "UPDATE tokens SET series = NULL WHERE series = (SELECT id FROM series WHERE name = ?1)";
        self.changing(orphan, params![name])?;
        self.changing("DELETE FROM series WHERE name = ?1", params![name])?;
        let (event, detail) = series_deletion_in_words(name, tokens);
        self.record(event, None, None, Some(&detail))
    }

    /// Records the progress that two consecutive codes have shown.
    pub(crate) fn resynchronize(&self, token: &Stored, progress: Progress) -> Result<(), RegistryError> {
        self.advance(token, progress)?;
        self.changing("UPDATE tokens SET first_use = 0 WHERE id = ?1", params![token.id])?;
        let mut detail = String::new();
        pairs::write(&mut detail, "drift", progress.drift);
        self.record(Event::Resynced, Some(&token.serial), token.owner.as_deref(), Some(&detail))
    }

    /// Keeps how far a seed was used, for when it comes back.
    fn burn(&self, token: &Stored, progress: Progress) -> Result<(), RegistryError> {
        let (Some(seeds), Some(Step(watermark))) = (token.seeds(), progress.watermark) else { return Ok(()) };
        let change = "INSERT INTO burned (seed, watermark) VALUES (?1, ?2) \
                      ON CONFLICT (seed) DO UPDATE SET watermark = max(watermark, excluded.watermark)";
        seeds.iter().try_for_each(|seed| self.changing(change, params![seed.to_string(), watermark]))
    }

    /// Gives a token other parameters, and its secret as it should have been read. How far it was used as what it was taken
    /// for is kept, should it be taken for that again; as what it is now it begins where `progress` or an earlier life
    /// has led it. Gives another token with the same secret, when there is one; nothing is changed then.
    pub(crate) fn mend(
        &self,
        token: &Stored,
        used: Progress,
        secret: &Secret,
        parameters: Parameters,
        progress: Progress,
    ) -> Result<Option<Serial>, RegistryError> {
        let marks = Marks::of(secret, parameters.algorithm);
        let twins = self.asking(|connection| Twins::new(connection)?.of(marks))?;
        if let Some(twin) = twins.into_iter().find(|twin| twin.id != token.id) {
            return Ok(Some(twin.serial));
        }
        self.burn(token, used)?;
        let seeds = Seeds::of(secret, parameters);
        let burned = self.asking(|connection| Burned::new(connection)?.progress(|| seeds))?;
        let same =
            if token.seeds().is_some_and(|before| before.key() == seeds.key()) { used } else { Progress::default() };
        let progress = progress.latest(same).latest(burned);
        let period = match parameters.kind {
            Kind::Totp(period) => Some(period.seconds()),
            Kind::Hotp => None,
        };
        let change = "UPDATE tokens SET secret = ?2, seed = ?3, type = ?4, algorithm = ?5, digits = ?6, period = ?7, \
                      hmac_key = ?8 WHERE id = ?1";
        let values = params![
            token.id,
            secret.expose(),
            marks.secret(),
            parameters.kind.name(),
            parameters.algorithm.name(),
            parameters.digits.count(),
            period,
            marks.key(),
        ];
        self.changing(change, values)?;
        let change = "UPDATE tokens SET watermark = ?2, drift = ?3, anchor = ?4 WHERE id = ?1";
        let watermark = progress.watermark.map(|step| step.0);
        self.changing(change, params![token.id, watermark, progress.drift, progress.anchor])?;
        Ok(None)
    }

    /// Writes into the history that so many tokens of a series were mended, and what fitted.
    pub(crate) fn record_mending(&self, series: &str, tokens: usize, fit: &Fit) -> Result<(), RegistryError> {
        let (event, detail) = mending_in_words(series, tokens, fit);
        self.record(event, None, None, Some(&detail))
    }

    /// Makes it happen.
    pub(crate) fn commit(self) -> Result<(), RegistryError> {
        self.transaction.commit().map_err(|error| failure(self.path, &error))
    }

    /// Raises the watermark to that of a user's state.
    pub(crate) fn advance(&self, token: &Stored, progress: Progress) -> Result<(), RegistryError> {
        let progress = token.progress.latest(progress);
        let change = "UPDATE tokens SET watermark = ?2, drift = ?3, anchor = ?4 WHERE id = ?1";
        let watermark = progress.watermark.map(|step| step.0);
        self.changing(change, params![token.id, watermark, progress.drift, progress.anchor])
    }

    /// Writes the outcome of an act into its line.
    pub(super) fn end(&self, begun: Begun, outcome: &str) -> Result<(), RegistryError> {
        let detail = Begun::detail(begun.asked_by, outcome);
        self.changing("UPDATE history SET detail = ?2 WHERE id = ?1", params![begun.line, detail])
    }

    pub(super) fn record(
        &self,
        event: Event,
        serial: Option<&Serial>,
        user: Option<&str>,
        detail: Option<&str>,
    ) -> Result<(), RegistryError> {
        match self.begun {
            Some(begun) => self.end(begun, detail.unwrap_or_default()),
            None => self.asking(|connection| record(connection, self.by, event, serial, user, detail)),
        }
    }

    pub(super) fn changing(&self, change: &str, values: impl rusqlite::Params) -> Result<(), RegistryError> {
        self.asking(|connection| connection.execute(change, values).map(drop))
    }

    pub(super) fn asking<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, RegistryError> {
        ask(&self.transaction).map_err(|error| failure(self.path, &error))
    }
}

/// Adds a line to the history. `detail` is in the form of [`pairs`].
pub(super) fn record(
    connection: &Connection,
    by: Author<'_>,
    event: Event,
    serial: Option<&Serial>,
    user: Option<&str>,
    detail: Option<&str>,
) -> Result<(), rusqlite::Error> {
    let values = params![by.at.seconds(), by.who, event.word(), serial.map(Serial::as_str), user, detail];
    let add = "INSERT INTO history (at, who, event, serial, user, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    connection.execute(add, values).map(drop)
}
