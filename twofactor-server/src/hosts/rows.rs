//! The rows of hosts and certificates, each with its proof: a keyed digest of what it says, by a secret of the servers.
//!
//! Invariants: a row whose proof is another one opens nothing, and it is said. A certificate counts for one standing of its host. Each
//! revocation and each joining makes another standing, so no certificate from before it counts after it, whenever its row was written.

use subtle::ConstantTimeEq as _;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use twofactor_core::config::fleet::names_a_host;
use twofactor_core::host::clock::UnixTime;

use crate::database::tables::Database;
use crate::error::ServerError;
use crate::sealing::seals::Seals;

/// A host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostRecord {
    /// Its name.
    pub(crate) name: String,
    /// The groups about whose users it may ask; all where there is none.
    pub(crate) groups: Vec<String>,
    /// The number of its standing, which only rises.
    pub(crate) standing: i64,
    /// It may ask nothing.
    pub(crate) is_revoked: bool,
}

/// A certificate of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertificateRecord {
    /// Its digest.
    pub(crate) digest: Vec<u8>,
    /// The host.
    pub(crate) host: String,
    /// The standing of the host for which it counts.
    pub(crate) standing: i64,
    /// Its number.
    pub(crate) serial: String,
    /// Until when, in seconds of Unix time.
    pub(crate) until: u64,
}

/// A record as it stands in the database.
#[derive(Debug, Clone)]
pub(crate) struct Kept<T> {
    pub(crate) record: T,
    /// The proof beside it.
    pub(crate) proof: Vec<u8>,
    /// That is the one of the record.
    pub(crate) is_genuine: bool,
}

/// The number of columns of each.
pub(crate) const HOST_COLUMNS: usize = 5;
pub(crate) const CERTIFICATE_COLUMNS: usize = 6;

/// The columns of a host `h` and of a certificate `c`, as they are read here.
macro_rules! columns {
    (host) => {
        "h.name, h.groups, h.standing, h.revoked is not null, h.proof"
    };
    (certificate) => {
        "c.digest, c.host, c.standing, c.serial, extract(epoch from c.until)::int8, c.proof"
    };
}
pub(crate) use columns;

impl HostRecord {
    /// The proof of its row.
    pub(crate) fn proof(&self, seals: &Seals) -> Result<Vec<u8>, ServerError> {
        let (standing, is_revoked) = (self.standing.to_be_bytes(), [u8::from(self.is_revoked)]);
        let mut parts: Vec<&[u8]> = vec![b"host", self.name.as_bytes(), &standing, &is_revoked];
        parts.extend(self.groups.iter().map(String::as_bytes));
        seals.digest(&parts)
    }

    /// The host of a row in which the columns begin at `first`.
    pub(crate) fn of(row: &Row, first: usize, seals: &Seals) -> Result<Kept<Self>, ServerError> {
        let (name, groups) = (row.try_get(first)?, row.try_get(first + 1)?);
        let record = Self { name, groups, standing: row.try_get(first + 2)?, is_revoked: row.try_get(first + 3)? };
        let proof = record.proof(seals)?;
        Ok(Kept::beside(record, row.try_get(first + 4)?, &proof))
    }

    /// The host that is added. Where it is one already, its certificates count until it joins again.
    pub(crate) fn added(name: &str, groups: &[String], before: Option<&Kept<Self>>, now: UnixTime) -> Self {
        let groups = groups.to_vec();
        match before {
            Some(Kept { record, is_genuine: true, .. }) if !record.is_revoked => {
                Self { groups: if groups.is_empty() { record.groups.clone() } else { groups }, ..record.clone() }
            }
            _ => Self { name: name.to_owned(), groups, standing: Self::next_standing(before, now), is_revoked: false },
        }
    }

    /// A standing above `before`, also above one that a row without a proof claims to have had.
    pub(crate) fn next_standing(before: Option<&Kept<Self>>, now: UnixTime) -> i64 {
        let present = i64::try_from(now.seconds()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        before.map_or(present, |before| present.max(before.record.standing.saturating_add(1)))
    }
}

impl CertificateRecord {
    /// The proof of its row.
    pub(crate) fn proof(&self, seals: &Seals) -> Result<Vec<u8>, ServerError> {
        let (standing, until) = (self.standing.to_be_bytes(), self.until.to_be_bytes());
        let Self { digest, host, serial, .. } = self;
        seals.digest(&[b"certificate", digest, host.as_bytes(), &standing, serial.as_bytes(), &until])
    }

    /// The certificate of a row in which the columns begin at `first`.
    pub(crate) fn of(row: &Row, first: usize, seals: &Seals) -> Result<Kept<Self>, ServerError> {
        let (digest, host, standing) = (row.try_get(first)?, row.try_get(first + 1)?, row.try_get(first + 2)?);
        let until = u64::try_from(row.try_get::<_, i64>(first + 4)?).unwrap_or_default();
        let record = Self { digest, host, standing, serial: row.try_get(first + 3)?, until };
        let proof = record.proof(seals)?;
        Ok(Kept::beside(record, row.try_get(first + 5)?, &proof))
    }
}

impl<T> Kept<T> {
    fn beside(record: T, proof: Vec<u8>, right: &[u8]) -> Self {
        let is_genuine = bool::from(proof.ct_eq(right));
        Self { record, proof, is_genuine }
    }
}

/// The name in a row that another program may have written: in quotes and with its characters escaped where it is no name of a host.
pub(crate) fn in_words(host: &str) -> String {
    if names_a_host(host) { host.to_owned() } else { format!("{host:?}") }
}

impl Database {
    /// The row of a host.
    pub(crate) async fn host_record(&self, name: &str) -> Result<Option<Kept<HostRecord>>, ServerError> {
        const HOST: &str = concat!("select ", columns!(host), " from twofactor.host h where h.name = $1");
        let rows = self.ask(HOST, &[(&name, Type::TEXT)]).await?;
        rows.first().map(|row| HostRecord::of(row, 0, &self.seals)).transpose()
    }

    /// The rows of hosts and certificates without their proof, each in words.
    pub(crate) async fn changed_hosts(&self) -> Result<Vec<String>, ServerError> {
        const HOSTS: &str = concat!("select ", columns!(host), " from twofactor.host h order by h.name");
        const CERTIFICATES: &str =
            concat!("select ", columns!(certificate), " from twofactor.certificate c order by c.host, c.serial");
        let mut changed = Vec::new();
        for row in self.ask(HOSTS, &[]).await? {
            let Kept { record, is_genuine, .. } = HostRecord::of(&row, 0, &self.seals)?;
            changed.extend((!is_genuine).then(|| format!("host {}", in_words(&record.name))));
        }
        for row in self.ask(CERTIFICATES, &[]).await? {
            let Kept { record, is_genuine, .. } = CertificateRecord::of(&row, 0, &self.seals)?;
            changed.extend(
                (!is_genuine).then(|| {
                    format!("certificate {} of host {}", record.serial.escape_debug(), in_words(&record.host))
                }),
            );
        }
        Ok(changed)
    }
}
