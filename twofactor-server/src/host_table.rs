//! The hosts of the fleet in the database: their authority, certificates and join codes.
//!
//! Invariants: a join code is used, the host's earlier certificates end and the new one is noted in one statement. So is each other
//! change. Whatever changes who may ask raises the authority's number of changes, by which every server notices it.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use twofactor_core::host::clock::{Clock as _, SystemClock};

use crate::authority::{Authority, HostCertificate};
use crate::database::{Database, Parameters};
use crate::error::ServerError;
use crate::host_records::{Entry, ListedHost, OF_ONE_HOST, RENEWED_LASTS, TRIES, Tried, TriedCode, WRONG};
use crate::sealing::{Kind, Sealed};

/// The owner of the authority's record.
const OWNER: &str = "authority";

impl Database {
    /// The authority of this store. The first that needs it makes it.
    pub(crate) async fn authority(&self) -> Result<Authority, ServerError> {
        const READ: &str = "select key, sealed from twofactor.authority";
        const MAKE: &str =
            "insert into twofactor.authority (name, key, sealed) values ($1, $2, $3) on conflict do nothing";
        let mut rows = self.ask(READ, &[]).await?;
        if rows.is_empty() {
            let (_, record) = Authority::new(self.seals.store(), SystemClock.now()?)?;
            let sealed = self.seals.seal(Kind::Authority, OWNER, &record)?;
            let made: &Parameters<'_> =
                &[(&OWNER, Type::TEXT), (&sealed.key, Type::INT4), (&sealed.bytes, Type::BYTEA)];
            self.ask(MAKE, made).await?;
            // Another may have been quicker.
            rows = self.ask(READ, &[]).await?;
        }
        let row = rows.first().ok_or_else(|| ServerError::NoConnection("no row came back".to_owned()))?;
        let sealed = Sealed { key: row.try_get(0)?, bytes: row.try_get(1)? };
        Authority::of(self.seals.store(), &self.seals.open(Kind::Authority, OWNER, &sealed)?)
    }

    /// Notes a host with a join code, in the place of those that it had. False where it is there already (`again` takes that), or
    /// the number is taken.
    pub(crate) async fn add_host(
        &self,
        name: &str,
        groups: &[String],
        again: bool,
        code: (i32, &[u8]),
        lasts: Duration,
    ) -> Result<bool, ServerError> {
        const ADD: &str = "with old as (
                delete from twofactor.join_code where host = $1 or until < clock_timestamp() - interval '1 day' returning number
            ), host as (
                insert into twofactor.host as h (name, groups)
                select $1, $2 where not exists (select from twofactor.join_code where number = $4)
                on conflict (name) do update set
                    groups = case when $2 = '{}' and h.revoked is null then h.groups else $2 end, revoked = null,
                    added = case when h.revoked is null then h.added else clock_timestamp() end
                where $3 or h.revoked is not null
                returning name
            ), change as (
                update twofactor.authority set changes = changes + 1 from host
            )
            insert into twofactor.join_code (number, host, digest, until)
            select $4, name, $5, clock_timestamp() + make_interval(secs => $6) from host returning number";
        let (number, digest) = code;
        let added: &Parameters<'_> = &[
            (&name, Type::TEXT),
            (&groups, Type::TEXT_ARRAY),
            (&again, Type::BOOL),
            (&number, Type::INT4),
            (&digest, Type::BYTEA),
            (&lasts.as_secs_f64(), Type::FLOAT8),
        ];
        Ok(!self.ask_repeating(ADD, added).await?.is_empty())
    }

    /// True where a host of this name was added and not revoked.
    pub(crate) async fn has_host(&self, name: &str) -> Result<bool, ServerError> {
        const HAS: &str = "select from twofactor.host where name = $1 and revoked is null";
        Ok(!self.ask(HAS, &[(&name, Type::TEXT)]).await?.is_empty())
    }

    /// Charges a try to the join code of this number, and gives it.
    pub(crate) async fn try_code(&self, number: i32) -> Result<Tried, ServerError> {
        const TRY: &str = "with wrong as (
                select wrong >= $3 and wrong_since > clock_timestamp() - interval '1 hour' as many from twofactor.authority
            ), tried as (
                update twofactor.join_code set tries = tries + 1
                where number = $1 and tries < $2 and not (select many from wrong)
                returning host, digest, until > clock_timestamp() as fresh, used is not null as used
            )
            select w.many, t.host, t.digest, t.fresh, t.used from wrong w left join tried t on true";
        let tried: &Parameters<'_> = &[(&number, Type::INT4), (&TRIES, Type::INT4), (&WRONG, Type::INT4)];
        let rows = self.ask_repeating(TRY, tried).await?;
        let Some(row) = rows.first() else { return Ok(Tried::Unknown) };
        if row.try_get(0)? {
            return Ok(Tried::TooMany);
        }
        let Some(host) = row.try_get(1)? else { return Ok(Tried::Unknown) };
        let (digest, is_fresh, is_used) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        Ok(Tried::Code(TriedCode { host, digest, is_fresh, is_used }))
    }

    /// Counts a wrong join code.
    pub(crate) async fn count_wrong_code(&self) -> Result<(), ServerError> {
        const COUNT: &str = "update twofactor.authority set
                wrong = case when wrong_since > clock_timestamp() - interval '1 hour' then wrong + 1 else 1 end,
                wrong_since = case when wrong_since > clock_timestamp() - interval '1 hour' then wrong_since
                    else clock_timestamp() end";
        self.ask_repeating(COUNT, &[]).await.map(drop)
    }

    /// Uses a join code for a certificate. The host's earlier ones end. False where the code is used, old or gone, or the host was
    /// revoked.
    pub(crate) async fn use_code(&self, number: i32, host: &str, new: &HostCertificate) -> Result<bool, ServerError> {
        const USE: &str = "with used as (
                update twofactor.join_code c set used = clock_timestamp() from twofactor.host h
                where c.number = $1 and c.host = $2 and c.used is null and c.until > clock_timestamp()
                    and h.name = c.host and h.revoked is null
                returning c.host
            ), old as (
                delete from twofactor.certificate where host in (select host from used)
            ), change as (
                update twofactor.authority set changes = changes + 1 from used
            )
            insert into twofactor.certificate (digest, host, serial, until)
            select $3, host, $4, to_timestamp($5) from used returning host";
        let digest = twofactor_net::certificate::digest(&new.der);
        let until = seconds(new.until);
        let used: &Parameters<'_> = &[
            (&number, Type::INT4),
            (&host, Type::TEXT),
            (&digest.as_slice(), Type::BYTEA),
            (&new.serial, Type::TEXT),
            (&until, Type::FLOAT8),
        ];
        Ok(!self.ask_repeating(USE, used).await?.is_empty())
    }

    /// Notes a certificate in the place of the one with the digest `old`, which ends in a week. False where that is of no host any
    /// more, or the host has many.
    pub(crate) async fn renew(&self, host: &str, old: &[u8], new: &HostCertificate) -> Result<bool, ServerError> {
        const RENEW: &str = "with old as (
                update twofactor.certificate c
                set until = least(c.until, clock_timestamp() + make_interval(secs => $3)) from twofactor.host h
                where c.digest = $1 and c.host = $2 and h.name = c.host and h.revoked is null and c.until > clock_timestamp()
                    and (select count(*) from twofactor.certificate o where o.host = $2 and o.until > clock_timestamp()) < $4
                returning c.host
            ), gone as (
                delete from twofactor.certificate where host = $2 and until < clock_timestamp() - interval '1 day'
            ), change as (
                update twofactor.authority set changes = changes + 1 from old
            )
            insert into twofactor.certificate (digest, host, serial, until)
            select $5, host, $6, to_timestamp($7) from old returning host";
        let digest = twofactor_net::certificate::digest(&new.der);
        let until = seconds(new.until);
        let renewed: &Parameters<'_> = &[
            (&old, Type::BYTEA),
            (&host, Type::TEXT),
            (&RENEWED_LASTS.as_secs_f64(), Type::FLOAT8),
            (&OF_ONE_HOST, Type::INT8),
            (&digest.as_slice(), Type::BYTEA),
            (&new.serial, Type::TEXT),
            (&until, Type::FLOAT8),
        ];
        Ok(!self.ask_repeating(RENEW, renewed).await?.is_empty())
    }

    /// Ends the certificates and join codes of a host. False where there is none of this name that was not revoked.
    pub(crate) async fn revoke_host(&self, name: &str) -> Result<bool, ServerError> {
        const REVOKE: &str = "with host as (
                update twofactor.host set revoked = clock_timestamp() where name = $1 and revoked is null returning name
            ), certificates as (
                delete from twofactor.certificate where host in (select name from host)
            ), codes as (
                delete from twofactor.join_code where host in (select name from host)
            ), change as (
                update twofactor.authority set changes = changes + 1 from host
            )
            select name from host";
        Ok(!self.ask_repeating(REVOKE, &[(&name, Type::TEXT)]).await?.is_empty())
    }

    /// The number of changes, which rises with each of a host.
    pub(crate) async fn changes(&self) -> Result<i64, ServerError> {
        let rows = self.ask("select changes from twofactor.authority", &[]).await?;
        rows.first().map_or(Ok(-1), |row| Ok(row.try_get(0)?))
    }

    /// The certificates that hosts may show, and the number of changes up to which they are known.
    pub(crate) async fn entries(&self) -> Result<(i64, Vec<Entry>), ServerError> {
        const ENTRIES: &str = "select a.changes, c.digest, h.name, h.groups, extract(epoch from c.until)::float8
            from twofactor.authority a
            left join (twofactor.certificate c join twofactor.host h on h.name = c.host and h.revoked is null) on true";
        let (mut changes, mut entries) = (-1, Vec::new());
        for row in self.ask(ENTRIES, &[]).await? {
            changes = row.try_get(0)?;
            if let Some(digest) = row.try_get(1)? {
                let (host, groups, until) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
                entries.push(Entry { digest, host, groups, until });
            }
        }
        Ok((changes, entries))
    }

    /// Notes that a host was heard.
    pub(crate) async fn note_seen(&self, name: &str) -> Result<(), ServerError> {
        const SEEN: &str = "update twofactor.host set seen = clock_timestamp() where name = $1";
        self.ask(SEEN, &[(&name, Type::TEXT)]).await.map(drop)
    }

    /// All hosts, by their names.
    pub(crate) async fn hosts(&self) -> Result<Vec<ListedHost>, ServerError> {
        const HOSTS: &str =
            "select h.name, h.groups, extract(epoch from h.added)::float8, extract(epoch from h.revoked)::float8,
                extract(epoch from h.seen)::float8, c.serial, extract(epoch from c.issued)::float8,
                extract(epoch from c.until)::float8,
                (select extract(epoch from max(j.until))::float8 from twofactor.join_code j
                 where j.host = h.name and j.used is null and j.until > clock_timestamp())
            from twofactor.host h
            left join lateral (
                select * from twofactor.certificate c where c.host = h.name order by c.until desc, c.issued desc limit 1
            ) c on true
            order by h.name";
        let listed = |row: &Row| {
            let certificate: Option<String> = row.try_get(5)?;
            Ok(ListedHost {
                name: row.try_get(0)?,
                groups: row.try_get(1)?,
                added: row.try_get(2)?,
                revoked: row.try_get(3)?,
                seen: row.try_get(4)?,
                certificate: certificate.zip(row.try_get(6)?),
                until: row.try_get(7)?,
                code: row.try_get(8)?,
            })
        };
        self.ask(HOSTS, &[]).await?.iter().map(listed).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of Unix time are exact for millions of years")]
fn seconds(time: u64) -> f64 {
    time as f64
}
