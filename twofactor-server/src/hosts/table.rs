//! The hosts of the fleet in the database: their authority, certificates and join codes.
//!
//! Invariants: a join code is used, the host's earlier certificates end and the new one is noted in one statement. So is each other
//! change, with its row of the audit, where the row of the host has the proof that was read. A change of the hosts that may ask raises
//! the authority's number of changes, by which every server notices it.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use twofactor_core::host::clock::{Clock as _, SystemClock};

use crate::database::schema::Demands;
use crate::database::tables::{Database, Parameters};
use crate::error::ServerError;
use crate::hosts::authority::{Authority, HostCertificate};
use crate::hosts::records::{
    AGAIN, Entries, Entry, ListedHost, OF_ONE_HOST, RENEWED_LASTS, TRIES, Tried, TriedCode, WRONG,
};
use crate::hosts::rows::{CERTIFICATE_COLUMNS, CertificateRecord, HOST_COLUMNS, HostRecord, Kept, columns};
use crate::sealing::seals::{Kind, Sealed};

/// The owner of the authority's record.
const OWNER: &str = "authority";

/// The number of times that a change is tried beside others of the same host.
const ROUNDS: usize = 8;

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

    /// Notes a host with a join code, in the place of those that it had. False where it is there already (`again` takes that), its row has
    /// changed meanwhile, or the number is taken.
    pub(crate) async fn add_host(
        &self,
        name: &str,
        groups: &[String],
        again: bool,
        (number, digest): (i32, &[u8]),
        lasts: Duration,
        who: &str,
    ) -> Result<bool, ServerError> {
        const ADD: &str = "with old as (
                delete from twofactor.join_code where host = $1 or until < clock_timestamp() - interval '1 day' returning number
            ), host as (
                insert into twofactor.host as h (name, groups, standing, proof)
                select $1, $2, $3, $7 where not exists (select from twofactor.join_code where number = $4)
                on conflict (name) do update set groups = $2, standing = $3, proof = $7, revoked = null,
                    added = case when h.revoked is null then h.added else clock_timestamp() end
                where h.proof = $8
                returning name
            ), change as (
                update twofactor.authority set changes = changes + 1 from host
            ), noted as (
                insert into twofactor.audit (host, name, event, detail, who)
                select name, '', 'host-added', array_to_string($2, ','), $9 from host
            )
            insert into twofactor.join_code (number, host, digest, until)
            select $4, name, $5, clock_timestamp() + make_interval(secs => $6) from host returning number";
        let before = self.host_record(name).await?;
        if !again && before.as_ref().is_some_and(|before| !before.record.is_revoked) {
            return Ok(false);
        }
        let host = HostRecord::added(name, groups, before.as_ref(), SystemClock.now()?);
        let added: &Parameters<'_> = &[
            (&host.name, Type::TEXT),
            (&host.groups, Type::TEXT_ARRAY),
            (&host.standing, Type::INT8),
            (&number, Type::INT4),
            (&digest, Type::BYTEA),
            (&lasts.as_secs_f64(), Type::FLOAT8),
            (&host.proof(&self.seals)?, Type::BYTEA),
            (&before.map(|before| before.proof), Type::BYTEA),
            (&who, Type::TEXT),
        ];
        Ok(!self.ask_repeating(ADD, added).await?.is_empty())
    }

    /// True where a host of this name was added and not revoked.
    pub(crate) async fn has_host(&self, name: &str) -> Result<bool, ServerError> {
        const HAS: &str = "select from twofactor.host where name = $1 and revoked is null";
        Ok(!self.ask(HAS, &[(&name, Type::TEXT)]).await?.is_empty())
    }

    /// Charges a try to the join code of this number, and gives it. Over the limit of wrong ones none is charged: strangers, who
    /// can reach that, use up no code then, and a right one is still good.
    pub(crate) async fn try_code(&self, number: i32) -> Result<Tried, ServerError> {
        const TRY: &str = "with wrong as (
                select wrong >= $3 and wrong_since > clock_timestamp() - interval '1 hour' as many from twofactor.authority
            ), tried as (
                update twofactor.join_code set tries = tries + case when (select many from wrong) then 0 else 1 end
                where number = $1 and tries < $2
                returning host, digest, until > clock_timestamp() as fresh, used is not null as used,
                    case when used > clock_timestamp() - make_interval(secs => $4) then key end as key
            )
            select w.many, t.host, t.digest, t.fresh, t.used, t.key from wrong w left join tried t on true";
        let tried: &Parameters<'_> =
            &[(&number, Type::INT4), (&TRIES, Type::INT4), (&WRONG, Type::INT4), (&AGAIN.as_secs_f64(), Type::FLOAT8)];
        let rows = self.ask_repeating(TRY, tried).await?;
        let Some(row) = rows.first() else { return Ok(Tried { is_over: false, code: None }) };
        let (is_over, host) = (row.try_get(0)?, row.try_get::<_, Option<String>>(1)?);
        let code = |host| {
            let (digest, is_fresh, is_used) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
            Ok::<_, ServerError>(TriedCode { host, digest, is_fresh, is_used, key: row.try_get(5)? })
        };
        Ok(Tried { is_over, code: host.map(code).transpose()? })
    }

    /// Counts a wrong join code.
    pub(crate) async fn count_wrong_code(&self) -> Result<(), ServerError> {
        const COUNT: &str = "update twofactor.authority set
                wrong = case when wrong_since > clock_timestamp() - interval '1 hour' then wrong + 1 else 1 end,
                wrong_since = case when wrong_since > clock_timestamp() - interval '1 hour' then wrong_since
                    else clock_timestamp() end";
        self.ask_repeating(COUNT, &[]).await.map(drop)
    }

    /// Uses a join code for a certificate of the key of which `key` is the digest. The host gets another standing, and its earlier
    /// certificates end. False where the code is used, by another key or too long ago, old or gone, or the host was revoked.
    pub(crate) async fn use_code(
        &self,
        (number, key): (i32, &[u8]),
        name: &str,
        new: &HostCertificate,
    ) -> Result<bool, ServerError> {
        const USE: &str = "with used as (
                update twofactor.join_code c set used = coalesce(c.used, clock_timestamp()), key = $3 from twofactor.host h
                where c.number = $1 and c.host = $2 and h.name = c.host and h.proof = $4
                    and (c.used is null and c.until > clock_timestamp()
                        or c.key = $3 and c.used > clock_timestamp() - make_interval(secs => $5))
                returning c.host
            ), host as (
                update twofactor.host h set standing = $6, proof = $7 from used
                where h.name = used.host and h.proof = $4 returning h.name
            ), old as (
                delete from twofactor.certificate where host in (select name from host)
            ), change as (
                update twofactor.authority set changes = changes + 1 from host
            ), noted as (
                insert into twofactor.audit (host, name, event, detail) select name, '', 'fleet-joined', $9 from host
            )
            insert into twofactor.certificate (digest, host, standing, serial, until, proof)
            select $8, name, $6, $9, to_timestamp($10), $11 from host returning host";
        for _ in 0..ROUNDS {
            let before = self.host_record(name).await?.filter(|before| !before.record.is_revoked);
            let Some(before) = before else { return Ok(false) };
            if !before.is_genuine {
                return Err(ServerError::BrokenSeal(format!("host {name}")));
            }
            let standing = HostRecord::next_standing(Some(&before), SystemClock.now()?);
            let host = HostRecord { standing, ..before.record };
            let certificate = certificate_of(&host, new);
            let until = seconds(certificate.until);
            let used: &Parameters<'_> = &[
                (&number, Type::INT4),
                (&host.name, Type::TEXT),
                (&key, Type::BYTEA),
                (&before.proof, Type::BYTEA),
                (&AGAIN.as_secs_f64(), Type::FLOAT8),
                (&host.standing, Type::INT8),
                (&host.proof(&self.seals)?, Type::BYTEA),
                (&certificate.digest, Type::BYTEA),
                (&certificate.serial, Type::TEXT),
                (&until, Type::FLOAT8),
                (&certificate.proof(&self.seals)?, Type::BYTEA),
            ];
            if !self.ask_repeating(USE, used).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes a certificate in the place of the one with the digest `old`, which ends in a week. Both are for the standing that the
    /// host had when it was looked at: one that is revoked meanwhile has another. False where `old` counts no more, or the host has many.
    pub(crate) async fn renew(&self, host: &str, old: &[u8], new: &HostCertificate) -> Result<bool, ServerError> {
        const RENEW: &str = "with old as (
                update twofactor.certificate c set until = to_timestamp($3), proof = $4 from twofactor.host h
                where c.digest = $1 and c.proof = $2 and h.name = c.host and h.proof = $5 and c.until > clock_timestamp()
                    and (select count(*) from twofactor.certificate o where o.host = h.name and o.until > clock_timestamp()) < $6
                returning c.host
            ), gone as (
                delete from twofactor.certificate c using old
                where c.host = old.host and c.until < clock_timestamp() - interval '1 day'
            ), change as (
                update twofactor.authority set changes = changes + 1 from old
            ), noted as (
                insert into twofactor.audit (host, name, event, detail) select host, '', 'certificate-renewed', $9 from old
            )
            insert into twofactor.certificate (digest, host, standing, serial, until, proof)
            select $7, host, $8, $9, to_timestamp($10), $11 from old returning host";
        for _ in 0..ROUNDS {
            let Some((of, present)) = self.standing(host, old).await? else { return Ok(false) };
            let now = SystemClock.now()?.seconds();
            let record = present.record.clone();
            let ending =
                CertificateRecord { until: record.until.min(now.saturating_add(RENEWED_LASTS.as_secs())), ..record };
            let certificate = certificate_of(&of.record, new);
            let (ends, until) = (seconds(ending.until), seconds(certificate.until));
            let renewed: &Parameters<'_> = &[
                (&old, Type::BYTEA),
                (&present.proof, Type::BYTEA),
                (&ends, Type::FLOAT8),
                (&ending.proof(&self.seals)?, Type::BYTEA),
                (&of.proof, Type::BYTEA),
                (&OF_ONE_HOST, Type::INT8),
                (&certificate.digest, Type::BYTEA),
                (&certificate.standing, Type::INT8),
                (&certificate.serial, Type::TEXT),
                (&until, Type::FLOAT8),
                (&certificate.proof(&self.seals)?, Type::BYTEA),
            ];
            if !self.ask_repeating(RENEW, renewed).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The rows of a host and of a certificate that counts for it.
    async fn standing(
        &self,
        host: &str,
        digest: &[u8],
    ) -> Result<Option<(Kept<HostRecord>, Kept<CertificateRecord>)>, ServerError> {
        const STANDING: &str = concat!(
            "select ",
            columns!(host),
            ", ",
            columns!(certificate),
            " from twofactor.certificate c join twofactor.host h on h.name = c.host and h.standing = c.standing
             where c.digest = $1 and h.name = $2 and h.revoked is null"
        );
        let rows = self.ask(STANDING, &[(&digest, Type::BYTEA), (&host, Type::TEXT)]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let found = (HostRecord::of(row, 0, &self.seals)?, CertificateRecord::of(row, HOST_COLUMNS, &self.seals)?);
        Ok(Some(found).filter(|(host, certificate)| host.is_genuine && certificate.is_genuine))
    }

    /// Ends the certificates and join codes of a host. False where there is none of this name that was not revoked.
    pub(crate) async fn revoke_host(&self, name: &str, who: &str) -> Result<bool, ServerError> {
        const REVOKE: &str = "with host as (
                update twofactor.host set revoked = clock_timestamp(), standing = $3, proof = $4
                where name = $1 and proof = $2 returning name
            ), certificates as (
                delete from twofactor.certificate where host in (select name from host)
            ), codes as (
                delete from twofactor.join_code where host in (select name from host)
            ), change as (
                update twofactor.authority set changes = changes + 1 from host
            ), noted as (
                insert into twofactor.audit (host, name, event, detail, who)
                select name, '', 'host-revoked', '', $5 from host
            )
            select name from host";
        for _ in 0..ROUNDS {
            let before = self.host_record(name).await?;
            let Some(before) = before.filter(|before| !(before.is_genuine && before.record.is_revoked)) else {
                return Ok(false);
            };
            let standing = HostRecord::next_standing(Some(&before), SystemClock.now()?);
            let host = HostRecord { standing, is_revoked: true, ..before.record };
            let revoked: &Parameters<'_> = &[
                (&host.name, Type::TEXT),
                (&before.proof, Type::BYTEA),
                (&host.standing, Type::INT8),
                (&host.proof(&self.seals)?, Type::BYTEA),
                (&who, Type::TEXT),
            ];
            if !self.ask_repeating(REVOKE, revoked).await?.is_empty() {
                return Ok(true);
            }
        }
        Err(ServerError::Contended(ROUNDS))
    }

    /// The number of changes, which rises with each of a host. An error where the store is not for this server any more.
    pub(crate) async fn changes(&self) -> Result<i64, ServerError> {
        const CHANGES: &str = "select (select changes from twofactor.authority), version, oldest_server, oldest_key
            from twofactor.store";
        let rows = self.ask(CHANGES, &[]).await?;
        let Some(row) = rows.first() else { return Ok(-1) };
        Demands::of(row, 1)?.version()?;
        Ok(row.try_get::<_, Option<i64>>(0)?.unwrap_or(-1))
    }

    /// The certificates that hosts may show. Rows without their proof are left out, and named.
    pub(crate) async fn entries(&self) -> Result<Entries, ServerError> {
        const ENTRIES: &str = concat!(
            "select ",
            columns!(host),
            ", ",
            columns!(certificate),
            ", a.changes from twofactor.authority a
             left join (twofactor.certificate c join twofactor.host h
                on h.name = c.host and h.standing = c.standing and h.revoked is null) on true"
        );
        let mut entries = Entries { changes: -1, all: Vec::new(), changed: Vec::new() };
        for row in self.ask(ENTRIES, &[]).await? {
            entries.changes = row.try_get(HOST_COLUMNS + CERTIFICATE_COLUMNS)?;
            if row.try_get::<_, Option<&str>>(0)?.is_none() {
                continue;
            }
            let host = HostRecord::of(&row, 0, &self.seals)?;
            let certificate = CertificateRecord::of(&row, HOST_COLUMNS, &self.seals)?;
            let is_genuine = host.is_genuine && certificate.is_genuine;
            let (HostRecord { name: host, groups, .. }, CertificateRecord { digest, until, .. }) =
                (host.record, certificate.record);
            if is_genuine {
                entries.all.push(Entry { digest, host, groups, until });
            } else {
                entries.changed.push(host);
            }
        }
        Ok(entries)
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
                select serial, issued, until from twofactor.certificate c where c.host = h.name order by c.until desc, c.issued desc limit 1
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

fn certificate_of(host: &HostRecord, new: &HostCertificate) -> CertificateRecord {
    CertificateRecord {
        digest: twofactor_net::certificate::digest(&new.der).to_vec(),
        host: host.name.clone(),
        standing: host.standing,
        serial: new.serial.clone(),
        until: new.until,
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of Unix time are exact for millions of years")]
fn seconds(time: u64) -> f64 {
    time as f64
}
