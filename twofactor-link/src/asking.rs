//! The servers of the fleet, asked one after the other until one answers.
//!
//! Invariants: a question has one number on all its ways, so a server that has judged it, and whose answer was lost, gives the
//! same answer again: no correct login is refused for that, and none opens a second session. A server in its pause is asked only where no
//! other answers, and only if that costs no time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use twofactor_core::config::fleet::ServerAddress;
use twofactor_core::log::reason::Reason;
use twofactor_core::store::wire::{Message, WireError};
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
    servers: Vec<Server>,
    /// The one that has answered last. It is asked first.
    good: AtomicUsize,
}

impl Servers {
    pub(crate) fn new(addresses: &[ServerAddress], tls: &Arc<Tls>) -> Self {
        let servers = addresses.iter().map(|address| Server::new(address.clone(), Arc::clone(tls))).collect();
        Self { servers, good: AtomicUsize::new(0) }
    }

    /// The servers that are not asked at the moment, each with the reason.
    pub(crate) fn paused(&self) -> Vec<(String, String)> {
        let paused = self.servers.iter().map(|server| Some((server.address().to_string(), server.paused()?.why)));
        paused.flatten().collect()
    }

    /// The answer to a question, or the refusal that no server can be asked. A server that answers and cannot judge is passed over.
    pub(crate) fn ask(&self, question: Message) -> Result<Message, WireError> {
        let question = numbered(question)?;
        let (until, first) = (Instant::now() + OF_ALL, self.good.load(Ordering::Relaxed));
        let (mut problems, mut unjudged) = (Vec::new(), None);
        let in_turn = (0..self.servers.len()).map(|turn| (first + turn) % self.servers.len());
        let mut left: Vec<(usize, String)> = in_turn.map(|place| (place, String::new())).collect();
        for round in 0..ROUNDS {
            let mut again = Vec::new();
            for (place, _) in left {
                let Some(server) = self.servers.get(place) else { continue };
                // Where the others have used up the time, this one has not failed.
                if Instant::now() >= until {
                    problems.push(format!("{}: no time was left", server.address()));
                    continue;
                }
                let in_pause = server.paused().filter(|_| round == 0);
                let asked = in_pause.map_or_else(|| server.ask(&question, (Instant::now() + OF_ONE).min(until)), Err);
                match asked {
                    Ok(answer) => {
                        let answer = Message::read(&answer)?;
                        if !answer.says_that_nothing_was_judged() {
                            self.good.store(place, Ordering::Relaxed);
                            return Ok(answer);
                        }
                        unjudged = Some(answer);
                    }
                    Err(Failure { why, was_at_once: true }) if Instant::now() < until => again.push((place, why)),
                    Err(Failure { why, .. }) => problems.push(why),
                }
            }
            left = again;
        }
        if let Some(answer) = unjudged {
            return Ok(answer);
        }
        problems.extend(left.into_iter().map(|(_, why)| why));
        let problem = format!("no server of the fleet answers: {}", problems.join("; "));
        Ok(Message::refusing(
            Reason::StoreUnavailable,
            &problem,
            "are the servers in [fleet] there? twofactor-server check says more there",
        ))
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
