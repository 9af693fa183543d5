//! The addresses of a server, looked up by its name.
//!
//! Invariants: a look-up ends in time, also where the resolver hangs, and one of a server at a time is under way. Where none is found, those that
//! were found before are used. The address that was good last comes first.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use twofactor_core::config::fleet::ServerAddress;

/// The addresses of one server.
pub(crate) struct Addresses {
    server: ServerAddress,
    known: Arc<Known>,
}

#[derive(Default)]
struct Known {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    is_looking: bool,
    /// The number of look-ups that have ended, and why the last one has found nothing.
    looks: u64,
    problem: Option<(io::ErrorKind, String)>,
    /// Those that were found last.
    found: Vec<SocketAddr>,
    good: Option<SocketAddr>,
}

impl Addresses {
    pub(crate) fn new(server: ServerAddress) -> Self {
        Self { server, known: Arc::default() }
    }

    pub(crate) fn server(&self) -> &ServerAddress {
        &self.server
    }

    /// The addresses, of which there is one at least.
    pub(crate) fn find(&self, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
        let mut state = self.known.state();
        let before = state.looks;
        if !state.is_looking {
            let (known, ServerAddress { name, port }) = (Arc::clone(&self.known), self.server.clone());
            thread::Builder::new().spawn(move || known.note((name.as_str(), port).to_socket_addrs()))?;
            state.is_looking = true;
        }
        // That of another question will do.
        while state.looks == before {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.known.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.found.is_empty() {
            return Err(match &state.problem {
                Some((kind, problem)) if state.looks > before => io::Error::new(*kind, problem.clone()),
                _ => io::Error::new(io::ErrorKind::TimedOut, "its name is not looked up in time"),
            });
        }
        let mut found = state.found.clone();
        found.sort_by_key(|address| Some(*address) != state.good);
        Ok(found)
    }

    /// Notes the address that was good.
    pub(crate) fn prefer(&self, address: SocketAddr) {
        self.known.state().good = Some(address);
    }
}

impl Known {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, looked_up: io::Result<impl Iterator<Item = SocketAddr>>) {
        let mut state = self.state();
        (state.is_looking, state.looks) = (false, state.looks + 1);
        match looked_up.map(Vec::from_iter) {
            Ok(found) if found.is_empty() => {
                state.problem = Some((io::ErrorKind::NotFound, "the name has no address".to_owned()));
            }
            Ok(found) => state.found = found,
            Err(error) => state.problem = Some((error.kind(), error.to_string())),
        }
        self.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_good_address_comes_first_and_those_of_the_last_look_up_outlast_one_that_finds_none() {
        let addresses = Addresses::new(ServerAddress { name: "no-such-name.invalid".to_owned(), port: 1 });
        let soon = || Instant::now() + Duration::from_secs(30);
        assert!(addresses.find(soon()).is_err());
        let [one, two]: [SocketAddr; 2] = ["127.0.0.1:1", "127.0.0.2:1"].map(|address| address.parse().unwrap());
        addresses.known.state().found = vec![one, two];
        assert_eq!(addresses.find(soon()).unwrap(), [one, two]);
        addresses.prefer(two);
        assert_eq!(addresses.find(soon()).unwrap(), [two, one]);
        // While a look-up does not end.
        addresses.known.state().is_looking = true;
        assert_eq!(addresses.find(Instant::now()).unwrap(), [two, one]);
        addresses.known.state().found.clear();
        assert_eq!(addresses.find(Instant::now()).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
