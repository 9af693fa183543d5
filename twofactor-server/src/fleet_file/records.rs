//! Answers that may be asked for again, wrong codes of each host, and the audit, in the file.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, Row};
use twofactor_core::account::quota::Hourly;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::UserName;
use twofactor_core::store::administration::PastChange;
use zeroize::Zeroizing;

use super::file::{Durable, FleetFile, present, record, seconds};
use crate::answers::judged::Counted;
use crate::counting::counting;
use crate::database::audit::in_words;
use crate::database::tables::hex;
use crate::error::ServerError;
use crate::sealing::seals::{Kind, Sealed};

/// For how long a recorded answer is given again.
const AGAIN: Duration = Duration::from_secs(30);

/// The age at which it is removed.
const OLD: Duration = Duration::from_mins(1);

/// The finding about a question.
pub(crate) struct Known {
    /// The answer that it has got a moment ago.
    pub(crate) answer: Option<Zeroizing<Vec<u8>>>,
    /// Wrong codes from the host that asks, within the last hour.
    pub(crate) wrong_codes: f64,
    /// Other refusals to it within the last hour.
    pub(crate) refused: f64,
    /// Attempts of newcomers at tokens among these.
    pub(crate) newcomers: f64,
}

/// A judged question.
pub(crate) struct Note<'n> {
    /// The host, by its certificate.
    pub(crate) host: &'n str,
    /// The user.
    pub(crate) user: &'n UserName,
    /// The word for the question.
    pub(crate) event: &'n str,
    /// Reason or factor.
    pub(crate) detail: &'n str,
    /// The digest of the question.
    pub(crate) question: &'n [u8],
    /// The answer.
    pub(crate) answer: &'n [u8],
    /// The count that this adds to those of the host.
    pub(crate) counted: Option<Counted>,
    /// It gets a row of the audit, and its answer can be asked for again.
    pub(crate) is_kept: bool,
    /// True for a user whom the host has enrolled without an invitation.
    pub(crate) has_enrolled: bool,
}

impl FleetFile {
    /// Looks a question up. An error where the fleet's hosts have changed since `as_of`: the host may have been revoked.
    pub(crate) fn known(&self, host: &str, as_of: Option<i64>, question: &[u8]) -> Result<Known, ServerError> {
        let now = present()?;
        let since = now.saturating_sub(seconds(AGAIN));
        if as_of.is_some() && as_of != Some(self.changes()?) {
            return Err(ServerError::HostsChanged);
        }
        let (sealed, wrong_codes, refused, newcomers) = self.read(|file| {
            let answer = "select key, sealed from answer where question = ?1 and at > ?2";
            let answer = file.query_row(answer, (question, since), record).optional()?;
            let lately = |count: &str| {
                let counted =
                    file.query_row(&format!("select hour, {count} from quota where host = ?1"), [host], counted_in);
                Ok::<_, rusqlite::Error>(counted.optional()?.map_or(0.0, |counted| lately(counted, now)))
            };
            Ok((
                answer,
                lately("wrong, before")?,
                lately("refused, refused_before")?,
                lately("newcomers, newcomers_before")?,
            ))
        })?;
        let open = |sealed: Sealed| self.seals.open(Kind::Answer, &hex(question), &sealed);
        Ok(Known { answer: sealed.map(open).transpose()?, wrong_codes, refused, newcomers })
    }

    /// True where a host has enrolled as many users as `quota` within the last sixty minutes.
    pub(crate) fn is_over_quota(&self, host: &str, quota: u32) -> Result<bool, ServerError> {
        let now = present()?;
        self.read(|file| {
            let counted = "select hour, users, before from enrolled where host = ?1";
            let counted = file.query_row(counted, [host], counted_in).optional()?;
            Ok(counted.map_or(0.0, |counted| lately(counted, now)) >= f64::from(quota))
        })
    }

    /// Writes down a judgement.
    pub(crate) fn note(&self, note: &Note<'_>) -> Result<(), ServerError> {
        const COUNT: &str = concat!(
            "insert into quota as q (host, hour, wrong, before, newcomers, newcomers_before, refused, refused_before)
            values (?1, ?2, ?3, 0, ?4, 0, ?5, 0)",
            counting!()
        );
        const ENROLLED: &str = "insert into enrolled (host, hour, users, before) values (?1, ?2, 1, 0)
            on conflict (host) do update set hour = excluded.hour,
                before = case excluded.hour - enrolled.hour when 0 then enrolled.before when 1 then enrolled.users else 0 end,
                users = 1 + case excluded.hour - enrolled.hour when 0 then enrolled.users else 0 end";
        let now = present()?;
        let Note { host, user, event, detail, question, answer, counted, is_kept, has_enrolled } = *note;
        let [wrong, newcomers, refused] = counted.map_or([0; 3], Counted::counts);
        // It may show recovery codes, of which the accounts keep hashes alone.
        let answer = self.seals.seal(Kind::Answer, &hex(question), answer)?;
        self.write(Durable::Soon, |file| {
            file.execute(COUNT, (host, now / 3600, wrong, newcomers, refused))?;
            if has_enrolled {
                file.execute(ENROLLED, (host, now / 3600))?;
            }
            if !is_kept {
                return Ok(());
            }
            let keep = "insert or replace into answer (question, at, key, sealed) values (?1, ?2, ?3, ?4)";
            file.execute(keep, (question, now, answer.key, answer.bytes.as_slice()))?;
            let audit = "insert into audit (at, host, name, event, detail) values (?1, ?2, ?3, ?4, ?5)";
            file.execute(audit, (now, host, user.as_str(), event, detail)).map(drop)
        })
    }

    /// Removes answers that no host can ask for any more, and rows of the audit that are older than so many days.
    pub(crate) fn remove_old(&self, audit_days: u32) -> Result<(), ServerError> {
        // Numbers rise with time, so the rows behind the first that is kept are newer.
        const AUDIT: &str = "delete from audit where number in (
            select number from (select number, at from audit order by number limit 20000) where at < ?1)";
        let now = present()?;
        let first = now.saturating_sub(i64::from(audit_days).saturating_mul(86_400));
        self.write(Durable::Soon, |file| {
            file.execute("delete from answer where at < ?1", [now.saturating_sub(seconds(OLD))])?;
            file.execute(AUDIT, [first]).map(drop)
        })
    }

    /// Rows of the audit behind the one of number `after`, and the number of the last. Those without a word in the log are left out.
    pub(crate) fn audit_after(&self, after: i64) -> Result<Option<(i64, Vec<PastChange>)>, ServerError> {
        const ROWS: &str =
            "select number, at, host, name, event, detail, who from audit where number > ?1 order by number limit 1000";
        let rows: Vec<(i64, Option<PastChange>)> = self.read(|file| {
            let past = |row: &Row<'_>| {
                let at = UnixTime::from_seconds(u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default());
                let text = |column| row.get::<_, String>(column);
                let who: Option<String> = row.get(6)?;
                Ok((row.get(0)?, in_words(at, who, [&text(2)?, &text(3)?, &text(4)?, &text(5)?])))
            };
            file.prepare(ROWS)?.query_map([after], past)?.collect()
        })?;
        let Some((last, _)) = rows.last() else { return Ok(None) };
        let last = *last;
        Ok(Some((last, rows.into_iter().filter_map(|(_, past)| past).collect())))
    }
}

/// A count of an hour and of the one before, in the first three columns.
fn counted_in(row: &Row<'_>) -> rusqlite::Result<Hourly> {
    Ok(Hourly { hour: row.get(0)?, count: row.get(1)?, before: row.get(2)? })
}

#[expect(clippy::cast_precision_loss, reason = "seconds of Unix time are exact for millions of years")]
fn lately(counted: Hourly, now: i64) -> f64 {
    counted.lately(now as f64)
}
