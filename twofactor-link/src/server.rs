//! One server: the connections that are kept, and the pause after a failure in which it is not asked. A server that has shown its
//! certificate and is late with the answer to one question has not failed: what holds that question up may be its user alone.
//!
//! Invariants: a rush of logins opens no more connections than [`AT_ONCE`]. The others wait for their turn, within their time. A server
//! whose failure took a login's time is not asked in its pause. One that was refused at once may be: that costs no time.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use twofactor_core::config::fleet::ServerAddress;
use zeroize::Zeroizing;

use crate::addresses::Addresses;
use crate::connection::{Connection, in_words};
use crate::tls::Tls;

/// For so long a server is not asked after it has failed. Else each of 200 calls of sudo would wait for it.
const PAUSE: Duration = Duration::from_secs(15);

/// A failure within this time may be met again by each login.
const NO_TIME: Duration = Duration::from_secs(1);

/// Most connections that are kept for the next question.
const KEPT: usize = 8;

/// Most questions that it is asked at once. A server judges fewer of one host at a time.
const AT_ONCE: usize = 32;

/// One that was silent for longer is closed: a firewall may have forgotten it without a word.
const IDLE: Duration = Duration::from_mins(1);

/// For so long an answer over a kept connection is waited for. Then there is time left for a new one. The times of a server
/// (`times.rs` there) fit this one.
const SOON: Duration = Duration::from_millis(2500);

/// A server, as this host knows it.
pub(crate) struct Server {
    addresses: Addresses,
    tls: Arc<Tls>,
    state: Mutex<State>,
    /// A question has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    kept: Kept<Connection>,
    /// Until then it is not asked, for this failure.
    paused: Option<(Instant, Failure)>,
    /// The questions that it is asked.
    asked: usize,
}

/// Connections for the next questions, each with the time of its last answer, which rises.
struct Kept<C>(Vec<(C, Instant)>);

/// The reason for which a server has not answered.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// In words.
    pub(crate) why: String,
    /// It has refused or ended the connection at once, as a server does that is restarted: to ask it again takes no time.
    pub(crate) was_at_once: bool,
}

/// A question that is asked, until it has ended.
struct Turn<'s>(&'s Server);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().asked -= 1;
        // All of them: one whose time is over takes no turn.
        self.0.ended.notify_all();
    }
}

impl Server {
    pub(crate) fn new(address: ServerAddress, tls: Arc<Tls>) -> Self {
        Self { addresses: Addresses::new(address), tls, state: Mutex::default(), ended: Condvar::new() }
    }

    pub(crate) fn address(&self) -> &ServerAddress {
        self.addresses.server()
    }

    /// The failure for which it is not asked at the moment.
    pub(crate) fn paused(&self) -> Option<Failure> {
        self.state().paused()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until fewer questions than [`AT_ONCE`] are asked, or the server is found not to answer them.
    fn turn(&self, deadline: Instant) -> Result<Turn<'_>, Failure> {
        let mut state = self.state();
        while state.asked >= AT_ONCE {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.late("too many questions wait for it"));
            }
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            if let Some(why) = state.paused() {
                return Err(why);
            }
        }
        state.asked += 1;
        Ok(Turn(self))
    }

    /// Asks, and gives the answer as it came. A connection that was kept may have ended meanwhile: then it is asked once more on a
    /// new one, under the same number.
    pub(crate) fn ask(&self, question: &[u8], deadline: Instant) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let _turn = self.turn(deadline)?;
        // One with a certificate that was renewed since ends some day.
        let tls = self.tls.config();
        let kept = self.state().kept.take(Instant::now()).filter(|connection| connection.is_with(&tls));
        if let Some(mut connection) = kept
            && let Ok(answer) = connection.exchange(question, deadline.min(Instant::now() + SOON))
        {
            self.keep(connection);
            return Ok(answer);
        }
        let began = Instant::now();
        let opened = Connection::open(&self.addresses, &tls, deadline);
        let mut connection = opened.map_err(|error| self.pause(&error, began))?;
        match connection.exchange(question, deadline) {
            Ok(answer) => {
                self.keep(connection);
                Ok(answer)
            }
            Err(error) if is_late(&error) => Err(self.late("it does not answer in time")),
            Err(error) => Err(self.pause(&error, began)),
        }
    }

    /// The failure of a question alone.
    pub(crate) fn late(&self, why: &str) -> Failure {
        Failure { why: format!("{}: {why}", self.address()), was_at_once: false }
    }

    /// Asks it no more for a while after a connection that began then, and gives the failure.
    fn pause(&self, error: &io::Error, began: Instant) -> Failure {
        let why = format!("{}: {}", self.address(), in_words(error));
        let failure = Failure { why, was_at_once: is_refusal(error) && began.elapsed() < NO_TIME };
        let mut state = self.state();
        state.kept = Kept::default();
        state.paused = Some((Instant::now() + PAUSE, failure.clone()));
        failure
    }

    fn keep(&self, connection: Connection) {
        let mut state = self.state();
        state.paused = None;
        state.kept.keep(connection, Instant::now());
    }
}

impl<C> Default for Kept<C> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<C> Kept<C> {
    /// The connection that was used last.
    fn take(&mut self, now: Instant) -> Option<C> {
        self.close_idle(now);
        self.0.pop().map(|(connection, _)| connection)
    }

    /// Keeps one that has answered now.
    fn keep(&mut self, connection: C, now: Instant) {
        self.close_idle(now);
        if self.0.len() < KEPT {
            self.0.push((connection, now));
        }
    }

    fn close_idle(&mut self, now: Instant) {
        self.0.retain(|(_, since)| now.saturating_duration_since(*since) < IDLE);
    }
}

impl State {
    fn paused(&mut self) -> Option<Failure> {
        if self.paused.as_ref().is_some_and(|(until, _)| Instant::now() >= *until) {
            self.paused = None;
        }
        self.paused.as_ref().map(|(_, failure)| failure.clone())
    }
}

/// True where the time was over, and the connection is as it was. A socket says the second.
fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

/// True where the machine is there and no server listens or goes on with the connection.
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn connections_that_were_silent_for_a_minute_are_closed_when_another_is_taken_or_kept() {
        let (opened, began) = (Rc::new(()), Instant::now());
        let after = |seconds| began + Duration::from_secs(seconds);
        let open = || Rc::strong_count(&opened) - 1;
        let mut kept = Kept::default();
        for seconds in [0, 1, 30] {
            kept.keep(Rc::clone(&opened), after(seconds));
        }
        let taken = kept.take(after(60));
        assert!(taken.is_some());
        assert_eq!(open(), 2, "the one of 1 s, and the one that was taken");
        kept.keep(taken.unwrap(), after(61));
        assert_eq!(open(), 1);
        assert!(kept.take(after(121)).is_none());
        assert_eq!(open(), 0);
        for _ in 0..2 * KEPT {
            kept.keep(Rc::clone(&opened), after(122));
        }
        assert_eq!(open(), KEPT);
    }
}
