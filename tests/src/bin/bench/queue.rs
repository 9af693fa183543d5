//! Many logins of one user at the same moment: how long until all of them are answered.
//!
//! All type the same code, so one is accepted and the others are told no, which takes the same work: each waits for the
//! user's lock, counts, judges and puts the outcome on disk.

use std::time::Duration;

use twofactor_tests::private_host::Host;

use crate::contestant::Contestant;
use crate::population::{Population, User};
use crate::progress;
use crate::statistics::Sample;
use crate::worker::{self, Worker};

/// Logins at once of which is promised when all are answered, and many more for comparison.
pub(crate) const SIZES: [usize; 2] = [16, 64];

/// Rounds of each size, each with a user of its own.
pub(crate) const ROUNDS: usize = 20;

/// How many users this takes.
pub(crate) const USERS: usize = ROUNDS * SIZES.len();

/// What became of the rounds of one size.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) size: usize,
    /// From the moment at which all begin until the last one is answered.
    pub(crate) all_answered: Sample,
    /// Rounds in which not exactly one was accepted.
    pub(crate) wrong_rounds: usize,
}

impl Queue {
    /// Measures all sizes with the users from `first` on, of whom nobody has logged in.
    pub(crate) fn measure(host: &Host, population: &Population, first: usize) -> Vec<Self> {
        let sizes = SIZES.into_iter().zip((first..).step_by(ROUNDS));
        sizes.map(|(size, first)| Self::of(host, population, size, first)).collect()
    }

    fn of(host: &Host, population: &Population, size: usize, first: usize) -> Self {
        progress(&format!("{size} logins of one user at once"));
        let mut workers: Vec<Worker> = (0..size).map(|_| Worker::start(host, population, first, ROUNDS)).collect();
        let mut queue = Self { size, all_answered: Sample::default(), wrong_rounds: 0 };
        for user in (first..first + ROUNDS).map(User) {
            nix::unistd::sync();
            let start = within_a_step(worker::microseconds() + 200_000);
            for worker in &mut workers {
                worker.order_at(user, Contestant::TwoFactor, start);
            }
            let replies: Vec<_> = workers.iter_mut().map(Worker::reply).collect();
            let last = replies.iter().map(|reply| reply.ended).max().unwrap_or(start);
            queue.all_answered.add(Duration::from_micros(last.saturating_sub(start)));
            let accepted = replies.iter().filter(|reply| reply.login.code == 0).count();
            queue.wrong_rounds += usize::from(accepted != 1);
        }
        queue
    }
}

/// This moment, or one soon after it at which the codes of all clocks stay the same for a while.
fn within_a_step(moment: u64) -> u64 {
    const STEP: u64 = 30_000_000;
    const A_WHILE: u64 = 1_000_000;
    if moment % STEP > STEP - A_WHILE { moment + A_WHILE } else { moment }
}
