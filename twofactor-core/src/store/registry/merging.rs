//! A registry that learns of another one, out of a backup.
//!
//! Invariants: a token that is known keeps its status and its owner. One that is missing comes with its owner only where the
//! owner's account comes, too. No watermark falls, and a token that comes counts as used up to now. All of it is one transaction, and finds nothing to do the second time.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::connection::Writer;
use super::error::RegistryError;
use super::failure::failure;
use super::recognition::Burned;
use super::row::{self, COLUMNS};
use super::rows::forget_nothing;
use crate::host::clock::UnixTime;
use crate::host::user::UserName;

/// The statements, in their order. `old` is the registry of the backup, `coming` has the users whose accounts come from it.
const STEPS: &str = "
INSERT INTO main.series (name)
    SELECT name FROM old.series WHERE name NOT IN (SELECT name FROM main.series) ORDER BY id;
INSERT INTO main.burned (seed, watermark) SELECT seed, watermark FROM old.burned WHERE true
    ON CONFLICT (seed) DO UPDATE SET watermark = max(watermark, excluded.watermark);
INSERT INTO main.shared (mark) SELECT mark FROM old.shared WHERE true ON CONFLICT DO NOTHING;
UPDATE main.tokens SET watermark = theirs.watermark FROM old.tokens AS theirs
    WHERE theirs.serial = tokens.serial AND theirs.seed = tokens.seed AND theirs.type = tokens.type
        AND theirs.period IS tokens.period AND theirs.watermark > ifnull(tokens.watermark, -1);
INSERT INTO main.tokens (serial, seed, hmac_key, secret, type, algorithm, digits, period, status, owner, assigned_at,
        first_use, watermark, drift, anchor, vendor, model, issued, series)
    SELECT serial, seed, hmac_key, secret, type, algorithm, digits, period, status,
        iif(owner IN (SELECT name FROM temp.coming), owner, NULL),
        iif(owner IN (SELECT name FROM temp.coming), assigned_at, NULL),
        iif(owner IN (SELECT name FROM temp.coming), first_use, 0), watermark, drift, anchor, vendor, model, issued,
        (SELECT ours.id FROM main.series AS ours, old.series AS theirs
            WHERE theirs.id = missing.series AND ours.name = theirs.name)
    FROM old.tokens AS missing
    WHERE serial NOT IN (SELECT serial FROM main.tokens) AND seed NOT IN (SELECT seed FROM main.tokens) ORDER BY id;
INSERT INTO main.imports (series, name, file, sha256, at, who, added, unchanged, conflicts, rejected)
    SELECT (SELECT ours.id FROM main.series AS ours WHERE ours.name = theirs.name AND theirs.series IS NOT NULL), name, file,
        sha256, at, who, added, unchanged, conflicts, rejected
    FROM old.imports AS theirs WHERE NOT EXISTS (SELECT 1 FROM main.imports AS ours
        WHERE ours.at = theirs.at AND ours.sha256 = theirs.sha256 AND ours.name = theirs.name) ORDER BY id;
INSERT INTO main.history (at, who, event, serial, user, detail)
    SELECT at, who, event, serial, user, detail FROM old.history
    EXCEPT SELECT at, who, event, serial, user, detail FROM main.history;
";

impl Writer {
    /// Takes from the registry at `backup` whatever is missing here, restored at `now`. Gives the number of tokens that came.
    pub(crate) fn merge(
        &mut self,
        backup: &Path,
        coming: &BTreeSet<UserName>,
        now: UnixTime,
    ) -> Result<u64, RegistryError> {
        let path = self.path.clone();
        merge(&mut self.connection, backup, coming, now).map_err(|error| failure(&path, &error))
    }
}

fn merge(
    connection: &mut Connection,
    backup: &Path,
    coming: &BTreeSet<UserName>,
    now: UnixTime,
) -> Result<u64, rusqlite::Error> {
    connection.execute("ATTACH DATABASE ?1 AS old", [backup.to_string_lossy()])?;
    connection.execute_batch("CREATE TEMP TABLE coming (name TEXT PRIMARY KEY)")?;
    {
        let mut insert = connection.prepare("INSERT INTO temp.coming (name) VALUES (?1)")?;
        coming.iter().try_for_each(|user| insert.execute([user.as_str()]).map(drop))?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let last: i64 = transaction.query_row("SELECT ifnull(max(id), 0) FROM main.tokens", [], |row| row.get(0))?;
    transaction.execute_batch(STEPS)?;
    keep_burned(&transaction, last)?;
    forget_nothing(&transaction, last, now)?;
    let came = transaction.query_row("SELECT count(*) FROM main.tokens WHERE id > ?1", [last], |row| row.get(0))?;
    transaction.commit()?;
    connection.execute_batch("DROP TABLE temp.coming; DETACH DATABASE old")?;
    Ok(came)
}

/// Tokens that were deleted here come back as far as they were used.
fn keep_burned(transaction: &Transaction<'_>, last: i64) -> Result<(), rusqlite::Error> {
    let mut burned = Burned::new(transaction)?;
    let query =
        format!("SELECT {COLUMNS} FROM main.tokens WHERE id > ?1 AND secret IS NOT NULL ORDER BY id LIMIT 1000");
    let (mut statement, mut after) = (transaction.prepare(&query)?, last);
    let mut update = transaction.prepare("UPDATE main.tokens SET watermark = ?2 WHERE id = ?1")?;
    loop {
        let portion = statement.query_map([after], row::read)?.collect::<Result<Vec<_>, _>>()?;
        let Some(end) = portion.last().map(|token| token.id) else { return Ok(()) };
        after = end;
        for token in portion {
            let Some(seeds) = token.seeds() else { continue };
            let known = burned.progress(|| seeds)?.watermark;
            if known > token.progress.watermark {
                update.execute(params![token.id, known.map(|step| step.0)])?;
            }
        }
    }
}
