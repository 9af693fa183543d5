//! The hosts of the fleet in the file: their certificates and join codes.
//!
//! Invariants: a join code is used, the host's earlier certificates end and the new one is noted in one transaction. So is each other
//! change. A change of the hosts that may ask raises the number of changes.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, Row, Transaction};

use twofactor_core::log::record::Event;

use super::file::{Durable, FleetFile, noted, present, seconds};
use crate::error::ServerError;
use crate::hosts::authority::HostCertificate;
use crate::hosts::records::{
    AGAIN, COUNTED, Entries, Entry, FORGOTTEN, ListedHost, OF_ONE_HOST, RENEWED_LASTS, TRIES, Tried, TriedCode, WRONG,
};

impl FleetFile {
    /// Notes a host with a join code, in the place of those that it had. False where it is there already (`again` takes that), or
    /// the number is taken.
    pub(crate) fn add_host(
        &self,
        name: &str,
        groups: &[String],
        again: bool,
        (number, digest): (i32, &[u8]),
        lasts: Duration,
        who: &str,
    ) -> Result<bool, ServerError> {
        let now = present()?;
        self.write(Durable::Now, |file| {
            let is_taken: bool =
                file.query_row("select exists (select 1 from join_code where number = ?1)", [number], |row| {
                    row.get(0)
                })?;
            let known = file
                .query_row("select groups, added, revoked from host where name = ?1", [name], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<i64>>(2)?))
                })
                .optional()?;
            let (groups, added) = match known {
                _ if is_taken => return Ok(false),
                Some((_, _, None)) if !again => return Ok(false),
                // Still one of the fleet: what it was added with stays, unless other groups are named.
                Some((before, added, None)) if groups.is_empty() => (before, added),
                Some((_, added, None)) => (groups.join("\n"), added),
                Some((_, _, Some(_))) | None => (groups.join("\n"), now),
            };
            file.execute(
                "delete from join_code where host = ?1 or until < ?2",
                (name, now.saturating_sub(seconds(FORGOTTEN))),
            )?;
            file.execute(
                "insert into host (name, groups, added) values (?1, ?2, ?3)
                 on conflict (name) do update set groups = excluded.groups, added = excluded.added, revoked = null",
                (name, &groups, added),
            )?;
            changed(file)?;
            file.execute(
                "insert into join_code (number, host, digest, until) values (?1, ?2, ?3, ?4)",
                (number, name, digest, now.saturating_add(seconds(lasts))),
            )?;
            noted(file, now, Some(who), (name, "", Event::HostAdded, &groups.replace('\n', ",")))?;
            Ok(true)
        })
    }

    /// True where a host of this name was added and not revoked.
    pub(crate) fn has_host(&self, name: &str) -> Result<bool, ServerError> {
        const HAS: &str = "select exists (select 1 from host where name = ?1 and revoked is null)";
        self.read(|file| file.query_row(HAS, [name], |row| row.get(0)))
    }

    /// Charges a try to the join code of this number, and gives it. Over the limit of wrong ones none is charged.
    pub(crate) fn try_code(&self, number: i32) -> Result<Tried, ServerError> {
        const MANY: &str = "select wrong >= ?1 and wrong_since > ?2 from store";
        const TRY: &str = "update join_code set tries = tries + ?5 where number = ?1 and tries < ?2
            returning host, digest, until > ?3, used is not null, case when used > ?4 then key end";
        let now = present()?;
        self.write(Durable::Now, |file| {
            let since = now.saturating_sub(seconds(COUNTED));
            let is_over: bool = file.query_row(MANY, (WRONG, since), |row| row.get(0))?;
            let code = |row: &Row<'_>| {
                let (host, digest) = (row.get(0)?, row.get(1)?);
                Ok(TriedCode { host, digest, is_fresh: row.get(2)?, is_used: row.get(3)?, key: row.get(4)? })
            };
            let tried = (number, TRIES, now, now.saturating_sub(seconds(AGAIN)), i32::from(!is_over));
            Ok(Tried { is_over, code: file.query_row(TRY, tried, code).optional()? })
        })
    }

    /// Counts a wrong join code.
    pub(crate) fn count_wrong_code(&self) -> Result<(), ServerError> {
        const COUNT: &str = "update store set wrong = case when wrong_since > ?2 then wrong + 1 else 1 end,
            wrong_since = case when wrong_since > ?2 then wrong_since else ?1 end";
        let now = present()?;
        self.write(Durable::Now, |file| file.execute(COUNT, (now, now.saturating_sub(seconds(COUNTED))))).map(drop)
    }

    /// Uses a join code for a certificate of the key of which `key` is the digest. The host's earlier ones end. False where the code is
    /// used, by another key or too long ago, old or gone, or the host was revoked.
    pub(crate) fn use_code(
        &self,
        (number, key): (i32, &[u8]),
        host: &str,
        new: &HostCertificate,
    ) -> Result<bool, ServerError> {
        const USE: &str = "update join_code set used = coalesce(used, ?3), key = ?4 where number = ?1 and host = ?2
            and (used is null and until > ?3 or key = ?4 and used > ?5)
            and exists (select 1 from host where name = ?2 and revoked is null)";
        let now = present()?;
        self.write(Durable::Now, |file| {
            if file.execute(USE, (number, host, now, key, now.saturating_sub(seconds(AGAIN))))? == 0 {
                return Ok(false);
            }
            file.execute("delete from certificate where host = ?1", [host])?;
            insert(file, host, new, now)?;
            changed(file)?;
            noted(file, now, None, (host, "", Event::FleetJoined, &new.serial))?;
            Ok(true)
        })
    }

    /// Notes a certificate in the place of the one with the digest `old`, which ends in a week. False where that is of no host any
    /// more, or the host has many.
    pub(crate) fn renew(&self, host: &str, old: &[u8], new: &HostCertificate) -> Result<bool, ServerError> {
        const RENEW: &str = "update certificate set until = min(until, ?4)
            where digest = ?1 and host = ?2 and until > ?3
                and exists (select 1 from host where name = ?2 and revoked is null)
                and (select count(*) from certificate where host = ?2 and until > ?3) < ?5";
        let now = present()?;
        let ends = now.saturating_add(seconds(RENEWED_LASTS));
        self.write(Durable::Now, |file| {
            if file.execute(RENEW, (old, host, now, ends, OF_ONE_HOST))? == 0 {
                return Ok(false);
            }
            let gone = now.saturating_sub(seconds(FORGOTTEN));
            file.execute("delete from certificate where host = ?1 and until < ?2", (host, gone))?;
            insert(file, host, new, now)?;
            changed(file)?;
            noted(file, now, None, (host, "", Event::CertificateRenewed, &new.serial))?;
            Ok(true)
        })
    }

    /// Ends the certificates and join codes of a host. False where there is none of this name that was not revoked.
    pub(crate) fn revoke_host(&self, name: &str, who: &str) -> Result<bool, ServerError> {
        let now = present()?;
        self.write(Durable::Now, |file| {
            if file.execute("update host set revoked = ?2 where name = ?1 and revoked is null", (name, now))? == 0 {
                return Ok(false);
            }
            file.execute("delete from certificate where host = ?1", [name])?;
            file.execute("delete from join_code where host = ?1", [name])?;
            changed(file)?;
            noted(file, now, Some(who), (name, "", Event::HostRevoked, ""))?;
            Ok(true)
        })
    }

    /// The number of changes, which rises with each of a host.
    pub(crate) fn changes(&self) -> Result<i64, ServerError> {
        self.read(|file| file.query_row("select changes from store", [], |row| row.get(0)))
    }

    /// The certificates that hosts may show.
    pub(crate) fn entries(&self) -> Result<Entries, ServerError> {
        const ENTRIES: &str = "select c.digest, h.name, h.groups, c.until from certificate c
            join host h on h.name = c.host and h.revoked is null";
        // Read first: a change between the two is noticed by the next look.
        let changes = self.changes()?;
        let entries = self.read(|file| {
            let mut statement = file.prepare(ENTRIES)?;
            let entry = |row: &Row<'_>| {
                let groups: String = row.get(2)?;
                let until = u64::try_from(row.get::<_, i64>(3)?).unwrap_or_default();
                Ok(Entry { digest: row.get(0)?, host: row.get(1)?, groups: lines(&groups), until })
            };
            statement.query_map([], entry)?.collect()
        });
        // No program but the server's own writes here.
        Ok(Entries { changes, all: entries?, changed: Vec::new() })
    }

    /// Notes that a host was heard.
    pub(crate) fn note_seen(&self, name: &str) -> Result<(), ServerError> {
        let now = present()?;
        self.write(Durable::Soon, |file| file.execute("update host set seen = ?2 where name = ?1", (name, now)))
            .map(drop)
    }

    /// All hosts, by their names.
    pub(crate) fn hosts(&self) -> Result<Vec<ListedHost>, ServerError> {
        const HOSTS: &str = "select h.name, h.groups, h.added, h.revoked, h.seen, c.serial, c.issued, c.until,
                (select max(j.until) from join_code j where j.host = h.name and j.used is null and j.until > ?1)
            from host h left join certificate c on c.digest =
                (select n.digest from certificate n where n.host = h.name order by n.until desc, n.issued desc limit 1)
            order by h.name";
        let now = present()?;
        let listed = |row: &Row<'_>| {
            let groups: String = row.get(1)?;
            let some = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(time));
            let certificate: Option<String> = row.get(5)?;
            Ok(ListedHost {
                name: row.get(0)?,
                groups: lines(&groups),
                added: time(row.get(2)?),
                revoked: some(3)?,
                seen: some(4)?,
                certificate: certificate.zip(some(6)?),
                until: some(7)?,
                code: some(8)?,
            })
        };
        self.read(|file| file.prepare(HOSTS)?.query_map([now], listed)?.collect())
    }
}

fn changed(file: &Transaction<'_>) -> rusqlite::Result<()> {
    file.execute("update store set changes = changes + 1", []).map(drop)
}

fn insert(file: &Transaction<'_>, host: &str, new: &HostCertificate, now: i64) -> rusqlite::Result<()> {
    let digest = twofactor_net::certificate::digest(&new.der);
    let until = i64::try_from(new.until).unwrap_or(i64::MAX);
    let insert = "insert into certificate (digest, host, serial, issued, until) values (?1, ?2, ?3, ?4, ?5)";
    file.execute(insert, (digest.as_slice(), host, &new.serial, now, until)).map(drop)
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[expect(clippy::cast_precision_loss, reason = "seconds of Unix time are exact for millions of years")]
fn time(seconds: i64) -> f64 {
    seconds as f64
}
