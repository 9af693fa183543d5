//! Many processes at once, each logging users of its own in.

use std::collections::BTreeMap;
use std::time::Duration;

use twofactor_tests::private_host::Host;

use crate::contestant::Contestant;
use crate::population::{Population, User};
use crate::progress;
use crate::statistics::Sample;
use crate::worker::{self, Worker};

/// How many users this takes.
pub(crate) const USERS: usize = 1_000;

/// Processes at once: as many as the comparison with google-authenticator is about, and the twice of it.
pub(crate) const SIZES: [usize; 2] = [16, 32];

/// Users a process logs in, once each.
pub(crate) const LOGINS: usize = 20;

/// What became of a module's crowd.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) times: Sample,
    pub(crate) refused: usize,
    pub(crate) accepted_per_second: f64,
}

/// What became of all.
#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) processes: usize,
    pub(crate) outcomes: BTreeMap<Contestant, Outcome>,
}

impl Crowd {
    /// Lets each module's crowd in, one module after the other. Each size has users of its own.
    pub(crate) fn measure(host: &Host, population: &Population) -> Vec<Self> {
        let [few, _] = SIZES;
        SIZES.into_iter().zip([0, few * LOGINS]).map(|(size, first)| Self::of(host, population, size, first)).collect()
    }

    fn of(host: &Host, population: &Population, processes: usize, first: usize) -> Self {
        progress(&format!("{processes} processes at once"));
        let start = |process| Worker::start(host, population, first + process * LOGINS, LOGINS);
        let mut workers: Vec<Worker> = (0..processes).map(start).collect();
        for (process, worker) in workers.iter_mut().enumerate() {
            for user in 0..LOGINS {
                worker.accepted_round(host, User(first + process * LOGINS + user), &Contestant::ALL);
            }
        }
        let outcomes = Contestant::ALL.map(|contestant| (contestant, outcome(&mut workers, contestant)));
        Self { processes, outcomes: outcomes.into() }
    }
}

fn outcome(workers: &mut [Worker], contestant: Contestant) -> Outcome {
    nix::unistd::sync();
    // Late enough for all of them to be told before it comes.
    let start = worker::microseconds() + 200_000;
    for worker in workers.iter_mut() {
        worker.order_all(contestant, start);
    }
    let mut outcome = Outcome::default();
    let (mut last, mut accepted) = (start, 0_u32);
    for worker in workers {
        for _ in 0..LOGINS {
            let reply = worker.reply();
            last = last.max(reply.ended);
            outcome.times.add(reply.login.took);
            if reply.login.code == 0 {
                accepted += 1;
            } else {
                outcome.refused += 1;
            }
        }
    }
    outcome.accepted_per_second = f64::from(accepted) / Duration::from_micros(last - start).as_secs_f64();
    outcome
}
