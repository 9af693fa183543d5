//! The certificates that count, in memory, as the store has them.
//!
//! Invariants: the roll is at most [`FRESH`] old, and has the number of changes as of which it is. The certificates themselves are read
//! again every [`READ_AGAIN`], also while that number stays. The statement that reads an account compares the number, so no account is
//! judged for a host that was revoked before. While the store cannot be asked, no certificate counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex as Turn;
use twofactor_core::config::fleet::names_a_host;
use twofactor_core::host::clock::{Clock as _, SystemClock};

use crate::alarms::Alarms;
use crate::error::ServerError;
use crate::hosts::records::{Entries, Entry};
use crate::hosts::rows::in_words;
use crate::hosts::store::HostStore;
use crate::journal::complain;

/// For so long the store is not asked again whether anything has changed.
const FRESH: Duration = Duration::from_secs(1);

/// For so long the certificates are not read again while the number of changes stays. A program that writes to the database could set the
/// number back after a revocation.
const READ_AGAIN: Duration = Duration::from_secs(10);

/// For so long it is not noted again that a host was heard.
const NOTED: Duration = Duration::from_mins(1);

/// A certificate that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The host.
    pub(crate) host: String,
    /// The groups about whose users it may ask; all where there is none.
    pub(crate) groups: Vec<String>,
    /// Until when, in seconds of Unix time.
    until: u64,
}

/// The certificates that count, by their digest.
pub(crate) struct Roll {
    store: HostStore,
    known: Mutex<Known>,
    renewing: Turn<()>,
    alarms: Alarms,
    /// When it was noted last that a host was heard.
    noted: Mutex<HashMap<String, Instant>>,
}

#[derive(Default)]
struct Known {
    /// When the store was asked last, and its number of changes then.
    asked: Option<(Instant, i64)>,
    /// When the certificates were read.
    read: Option<Instant>,
    standings: HashMap<Vec<u8>, Arc<Standing>>,
}

impl Roll {
    pub(crate) fn new(store: HostStore) -> Self {
        Self {
            store,
            known: Mutex::default(),
            renewing: Turn::default(),
            alarms: Alarms::default(),
            noted: Mutex::default(),
        }
    }

    /// The standing of the certificate with this digest, and the number of changes as of which it is; `None` where it counts no more,
    /// or never did. Its host is noted as heard.
    pub(crate) async fn find(&self, digest: &[u8]) -> Result<Option<(Arc<Standing>, i64)>, ServerError> {
        let found = self.look(digest).await?;
        if let Some((standing, _)) = &found {
            self.note(&standing.host);
        }
        Ok(found)
    }

    /// The same of a host that has not asked.
    pub(crate) async fn look(&self, digest: &[u8]) -> Result<Option<(Arc<Standing>, i64)>, ServerError> {
        let mut found = self.known(digest);
        if found.is_none() {
            let asked = Instant::now();
            let _turn = self.renewing.lock().await;
            found = self.known(digest);
            // Another may have done it in the meantime. A certificate that is not known may have been made a moment ago.
            if found.is_none() && !self.was_asked_since(asked) {
                self.renew().await?;
                found = self.known(digest);
            }
        }
        let now = SystemClock.now()?.seconds();
        Ok(found.filter(|(standing, _)| now < standing.until))
    }

    /// Asks the store before it says anything more.
    pub(crate) fn doubt(&self) {
        if let Some((asked, _)) = &mut self.lock().asked
            && let Some(past) = asked.checked_sub(FRESH)
        {
            *asked = past;
        }
    }

    /// The standing of a certificate, where it is known and the store was asked a moment ago.
    fn known(&self, digest: &[u8]) -> Option<(Arc<Standing>, i64)> {
        let known = self.lock();
        let (_, changes) = known.asked.filter(|(asked, _)| asked.elapsed() < FRESH)?;
        known.standings.get(digest).map(|standing| (Arc::clone(standing), changes))
    }

    fn was_asked_since(&self, time: Instant) -> bool {
        self.lock().asked.is_some_and(|(asked, _)| asked >= time)
    }

    async fn renew(&self) -> Result<(), ServerError> {
        let asked = Instant::now();
        let changes = self.store.changes().await?;
        {
            let mut known = self.lock();
            let is_new = known.read.is_some_and(|read| read.elapsed() < READ_AGAIN);
            if is_new && known.asked.is_some_and(|(_, known)| known == changes) {
                known.asked = Some((asked, changes));
                return Ok(());
            }
        }
        let Entries { changes, all, changed } = self.store.entries().await?;
        for host in changed.iter().filter(|host| self.alarms.is_due(host)) {
            complain(&format!(
                "host {} is not heard: its row in the database, or that of its certificate, was changed by another program; {}",
                in_words(host),
                written_anew(host)
            ));
        }
        let standing = |Entry { digest, host, groups, until }| (digest, Arc::new(Standing { host, groups, until }));
        let standings = all.into_iter().map(standing).collect();
        *self.lock() = Known { asked: Some((asked, changes)), read: Some(asked), standings };
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes in the store that a host was heard, some time later. Its loss is no harm.
    fn note(&self, host: &str) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(host).is_some_and(|noted| noted.elapsed() < NOTED) {
            return;
        }
        noted.insert(host.to_owned(), Instant::now());
        let (store, host) = (self.store.clone(), host.to_owned());
        tokio::spawn(async move { store.note_seen(&host).await });
    }
}

/// The command that writes the row of a host anew. A name that is no host's, which another program has written, stands in no command that
/// root may copy.
fn written_anew(host: &str) -> String {
    if names_a_host(host) {
        format!("twofactor host add {host} --again writes it anew")
    } else {
        "that is no name of a host: look at who may write to the database".to_owned()
    }
}
