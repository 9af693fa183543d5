//! One server: a connection that is kept, and the pause after a failure in which it is not asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use twofactor_core::config::fleet::ServerAddress;
use zeroize::Zeroizing;

use crate::connection::{Connection, in_words};
use crate::tls::Tls;

/// For so long a server is not asked after it has failed. Else each of 200 calls of sudo would wait for it.
const PAUSE: Duration = Duration::from_secs(15);

/// Most connections that are kept for the next question.
const KEPT: usize = 8;

/// One that was silent for longer is not asked: a firewall may have forgotten it without a word.
const IDLE: Duration = Duration::from_mins(1);

/// For so long an answer over a kept connection is waited for. Then there is time left for a new one.
const SOON: Duration = Duration::from_millis(2500);

/// A server, as this host knows it.
pub(crate) struct Server {
    address: ServerAddress,
    tls: Arc<Tls>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// With the time of its last answer.
    kept: Vec<(Connection, Instant)>,
    /// Until then it is not asked, for this reason.
    paused: Option<(Instant, String)>,
}

impl Server {
    pub(crate) fn new(address: ServerAddress, tls: Arc<Tls>) -> Self {
        Self { address, tls, state: Mutex::default() }
    }

    pub(crate) fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// The reason for which it is not asked at the moment.
    pub(crate) fn paused(&self) -> Option<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.paused.as_ref().is_some_and(|(until, _)| Instant::now() >= *until) {
            state.paused = None;
        }
        state.paused.as_ref().map(|(_, why)| why.clone())
    }

    /// Asks, and gives the answer as it came. A connection that was kept may have ended meanwhile: then it is asked once more on a
    /// new one, under the same number.
    pub(crate) fn ask(&self, question: &[u8], deadline: Instant) -> Result<Zeroizing<Vec<u8>>, String> {
        // One with a certificate that was renewed since ends some day.
        let tls = self.tls.config();
        let kept = self.state.lock().unwrap_or_else(PoisonError::into_inner).kept.pop();
        let kept = kept.filter(|(connection, since)| connection.is_with(&tls) && since.elapsed() < IDLE);
        if let Some((mut connection, _)) = kept
            && let Ok(answer) = connection.exchange(question, deadline.min(Instant::now() + SOON))
        {
            self.keep(connection);
            return Ok(answer);
        }
        let asked = Connection::open(&self.address, tls, deadline).and_then(|mut connection| {
            let answer = connection.exchange(question, deadline)?;
            self.keep(connection);
            Ok(answer)
        });
        asked.map_err(|error| {
            let why = format!("{}: {}", self.address, in_words(&error));
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.kept.clear();
            state.paused = Some((Instant::now() + PAUSE, why.clone()));
            why
        })
    }

    fn keep(&self, connection: Connection) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.paused = None;
        if state.kept.len() < KEPT {
            state.kept.push((connection, Instant::now()));
        }
    }
}
