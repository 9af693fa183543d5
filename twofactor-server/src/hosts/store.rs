//! The hosts of a fleet in the store that the server has: in PostgreSQL, or in the file beside the accounts. The changes of a sysadmin, `who`,
//! stand in the audit.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::database::tables::Database;
use crate::error::ServerError;
use crate::fleet_file::FleetFile;
use crate::hosts::authority::{Authority, HostCertificate};
use crate::hosts::records::{Entries, ListedHost, Tried};
use crate::sealing::seals::Seals;

/// The store of hosts.
#[derive(Clone)]
pub(crate) enum HostStore {
    /// PostgreSQL.
    Database(Arc<Database>),
    /// A file.
    File(Arc<FleetFile>),
}

/// Runs work on a file, which blocks, beside the tasks of the server.
async fn on<T: Send + 'static>(
    file: &Arc<FleetFile>,
    work: impl FnOnce(&FleetFile) -> Result<T, ServerError> + Send + 'static,
) -> Result<T, ServerError> {
    let file = Arc::clone(file);
    spawn_blocking(move || work(&file)).await.unwrap_or(Err(ServerError::BrokenOff))
}

impl HostStore {
    fn seals(&self) -> &Seals {
        match self {
            Self::Database(database) => &database.seals,
            Self::File(file) => &file.seals,
        }
    }

    /// The digest of a join code.
    pub(crate) fn digest_of_code(&self, number: u32, host: &str, secret: &[u8]) -> Result<Vec<u8>, ServerError> {
        self.seals().digest(&[b"join code", &number.to_be_bytes(), host.as_bytes(), secret])
    }

    /// The digest of the key with which a join code is used.
    pub(crate) fn digest_of_key(&self, number: u32, public: &[u8]) -> Result<Vec<u8>, ServerError> {
        self.seals().digest(&[b"key of a join", &number.to_be_bytes(), public])
    }

    /// The authority of this store. The first that needs it makes it.
    pub(crate) async fn authority(&self) -> Result<Authority, ServerError> {
        match self {
            Self::Database(database) => database.authority().await,
            Self::File(file) => on(file, FleetFile::authority).await,
        }
    }

    /// Notes a host with a join code, in the place of those that it had. False where it is there already (`again` takes that), or
    /// the number is taken.
    pub(crate) async fn add_host(
        &self,
        name: &str,
        groups: &[String],
        again: bool,
        (number, digest): (i32, &[u8]),
        lasts: Duration,
        who: &str,
    ) -> Result<bool, ServerError> {
        match self {
            Self::Database(database) => database.add_host(name, groups, again, (number, digest), lasts, who).await,
            Self::File(file) => {
                let (name, groups, digest) = (name.to_owned(), groups.to_vec(), digest.to_vec());
                let who = who.to_owned();
                on(file, move |file| file.add_host(&name, &groups, again, (number, &digest), lasts, &who)).await
            }
        }
    }

    /// True where a host of this name was added and not revoked.
    pub(crate) async fn has_host(&self, name: &str) -> Result<bool, ServerError> {
        match self {
            Self::Database(database) => database.has_host(name).await,
            Self::File(file) => {
                let name = name.to_owned();
                on(file, move |file| file.has_host(&name)).await
            }
        }
    }

    /// Charges a try to the join code of this number, and gives it.
    pub(crate) async fn try_code(&self, number: i32) -> Result<Tried, ServerError> {
        match self {
            Self::Database(database) => database.try_code(number).await,
            Self::File(file) => on(file, move |file| file.try_code(number)).await,
        }
    }

    /// Counts a wrong join code.
    pub(crate) async fn count_wrong_code(&self) -> Result<(), ServerError> {
        match self {
            Self::Database(database) => database.count_wrong_code().await,
            Self::File(file) => on(file, FleetFile::count_wrong_code).await,
        }
    }

    /// Uses a join code for a certificate of the key of which `key` is the digest. The host's earlier ones end. False where the code is
    /// used, by another key or too long ago, old or gone, or the host was revoked.
    pub(crate) async fn use_code(
        &self,
        (number, key): (i32, &[u8]),
        host: &str,
        new: &HostCertificate,
    ) -> Result<bool, ServerError> {
        match self {
            Self::Database(database) => database.use_code((number, key), host, new).await,
            Self::File(file) => {
                let (key, host, new) = (key.to_vec(), host.to_owned(), new.clone());
                on(file, move |file| file.use_code((number, &key), &host, &new)).await
            }
        }
    }

    /// Notes a certificate in the place of the one with the digest `old`, which ends in a week. False where that is of no host any
    /// more, or the host has many.
    pub(crate) async fn renew(&self, host: &str, old: &[u8], new: &HostCertificate) -> Result<bool, ServerError> {
        match self {
            Self::Database(database) => database.renew(host, old, new).await,
            Self::File(file) => {
                let (host, old, new) = (host.to_owned(), old.to_vec(), new.clone());
                on(file, move |file| file.renew(&host, &old, &new)).await
            }
        }
    }

    /// Ends the certificates and join codes of a host. False where there is none of this name that was not revoked.
    pub(crate) async fn revoke_host(&self, name: &str, who: &str) -> Result<bool, ServerError> {
        match self {
            Self::Database(database) => database.revoke_host(name, who).await,
            Self::File(file) => {
                let (name, who) = (name.to_owned(), who.to_owned());
                on(file, move |file| file.revoke_host(&name, &who)).await
            }
        }
    }

    /// The number of changes, which rises with each of a host.
    pub(crate) async fn changes(&self) -> Result<i64, ServerError> {
        match self {
            Self::Database(database) => database.changes().await,
            Self::File(file) => on(file, FleetFile::changes).await,
        }
    }

    /// The certificates that hosts may show.
    pub(crate) async fn entries(&self) -> Result<Entries, ServerError> {
        match self {
            Self::Database(database) => database.entries().await,
            Self::File(file) => on(file, FleetFile::entries).await,
        }
    }

    /// Notes that a host was heard.
    pub(crate) async fn note_seen(&self, name: &str) -> Result<(), ServerError> {
        match self {
            Self::Database(database) => database.note_seen(name).await,
            Self::File(file) => {
                let name = name.to_owned();
                on(file, move |file| file.note_seen(&name)).await
            }
        }
    }

    /// All hosts, by their names.
    pub(crate) async fn hosts(&self) -> Result<Vec<ListedHost>, ServerError> {
        match self {
            Self::Database(database) => database.hosts().await,
            Self::File(file) => on(file, FleetFile::hosts).await,
        }
    }
}
