//! The servers of the fleet, asked one after the other until one answers.
//!
//! Invariants: a question has one number on all its ways, so a server that has judged it, and whose answer was lost, gives the
//! same answer again: no correct login is refused for that, and none opens a second session. A server in its pause is asked only where no
//! other answers, and only if it was refused at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use twofactor_core::config::fleet::ServerAddress;
use twofactor_core::log::reason::Reason;
use twofactor_core::store::wire::{LinkState, Message, ShownCertificate, WireError};
use zeroize::Zeroizing;

use crate::server::{Failure, Server};
use crate::tls::Tls;

/// The longest that one server may take, and all of them together. The program that has asked waits a little longer. The times of a
/// server (`times.rs` there) fit the first.
const OF_ONE: Duration = Duration::from_secs(5);
const OF_ALL: Duration = Duration::from_secs(10);

/// The number of times that servers are asked a question which fail at once: the first one that was restarted is there again when the last
/// one goes, perhaps in the middle of the question.
const ROUNDS: usize = 4;

/// All servers.
pub(crate) struct Servers {
    all: Vec<Server>,
    tls: Arc<Tls>,
    /// The one that has answered last. It is asked first.
    good: AtomicUsize,
}

impl Servers {
    pub(crate) fn new(addresses: &[ServerAddress], tls: &Arc<Tls>) -> Self {
        let servers = addresses.iter().map(|address| Server::new(address.clone(), Arc::clone(tls))).collect();
        Self { all: servers, tls: Arc::clone(tls), good: AtomicUsize::new(0) }
    }

    /// The certificate that is shown to them, and the servers that are not asked at the moment, each with the reason.
    pub(crate) fn state(&self) -> LinkState {
        let facts = self.tls.facts();
        let certificate = facts.map(|facts| ShownCertificate { serial: facts.serial, until: facts.until });
        let paused = self.all.iter().map(|server| Some((server.address().to_string(), server.paused()?.why)));
        LinkState { certificate, paused: paused.flatten().collect() }
    }

    /// The answer to a question, or the refusal that no server can be asked. A server that answers and cannot judge is passed over.
    pub(crate) fn ask(&self, question: Message) -> Result<Message, WireError> {
        let question = numbered(question)?;
        let until = Instant::now() + OF_ALL;
        let (count, first) = (self.all.len(), self.good.load(Ordering::Relaxed));
        let mut left: Vec<usize> = (0..count).map(|turn| (first + turn) % count).collect();
        let (mut problems, mut unjudged) = (BTreeMap::new(), None);
        for round in 0..ROUNDS {
            let mut again = Vec::new();
            for place in left {
                let Some(server) = self.all.get(place) else { continue };
                match asked(server, &question, round, until) {
                    Ok(answer) => {
                        let answer = Message::read(&answer)?;
                        if !answer.says_that_nothing_was_judged() {
                            self.good.store(place, Ordering::Relaxed);
                            return Ok(answer);
                        }
                        unjudged = Some(answer);
                    }
                    Err(Failure { why, was_at_once }) => {
                        problems.insert(place, why);
                        if was_at_once {
                            again.push(place);
                        }
                    }
                }
            }
            left = again;
        }
        if let Some(answer) = unjudged {
            return Ok(answer);
        }
        let problems: Vec<String> = problems.into_values().collect();
        let problem = format!("no server of the fleet answers: {}", problems.join("; "));
        Ok(Message::refusing(
            Reason::StoreUnavailable,
            &problem,
            "are the servers in [fleet] there? twofactor-server check says more there",
        ))
    }
}

/// The answer of a server. In the first round none that is in its pause is asked.
fn asked(server: &Server, question: &[u8], round: usize, until: Instant) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let now = Instant::now();
    if now >= until {
        // The others have used it up: this one has not failed.
        return Err(server.late("no time was left"));
    }
    match server.paused() {
        Some(failure) if round == 0 => Err(failure),
        _ => server.ask(question, (now + OF_ONE).min(until)),
    }
}

/// The question under a number that no other has.
fn numbered(question: Message) -> Result<Zeroizing<Vec<u8>>, WireError> {
    if question.is_numbered()? {
        return question.line();
    }
    let mut number = [0; 16];
    getrandom::fill(&mut number).map_err(|_| WireError::Ended)?;
    question.numbered(u128::from_be_bytes(number)).line()
}
