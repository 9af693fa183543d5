//! One login after the other: all modules, all sizes, taking turns.

use std::collections::BTreeMap;

use twofactor_tests::private_host::Host;

use crate::contestant::Contestant;
use crate::machine::Meter;
use crate::population::{Population, User};
use crate::progress;
use crate::statistics::Sample;
use crate::worker::Worker;

/// The measured times by number of users and module.
#[derive(Debug)]
pub(crate) struct Series {
    cells: BTreeMap<(usize, Contestant), Sample>,
    /// The part of the processors that programs of others used meanwhile.
    pub(crate) others: f64,
}

impl Series {
    /// Measures `logins` logins in every cell, those of [`Contestant::stride`] fewer.
    pub(crate) fn measure(host: &Host, populations: &[Population], logins: usize) -> Self {
        let meter = Meter::start();
        let mut lanes: Vec<Lane<'_>> =
            populations.iter().map(|population| Lane::new(host, population, logins)).collect();
        progress("every user's first login, not measured");
        for round in 0..logins {
            for lane in &mut lanes {
                lane.warm_up(host, round);
            }
        }
        let mut series = Self { cells: BTreeMap::new(), others: 0.0 };
        for round in 0..logins {
            if round % 50 == 0 {
                progress(&format!("logging in, round {} of {logins}", round + 1));
            }
            for lane in &mut lanes {
                lane.round(host, round, &mut series);
            }
        }
        // Only of processes that have ended it is known what they used.
        drop(lanes);
        series.others = meter.others();
        series
    }

    /// The times of one cell.
    pub(crate) fn of(&self, users: usize, contestant: Contestant) -> &Sample {
        &self.cells[&(users, contestant)]
    }

    /// The sizes measured, smallest first.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        let mut sizes: Vec<usize> = self.cells.keys().map(|(users, _)| *users).collect();
        sizes.dedup();
        sizes
    }
}

/// One size.
struct Lane<'p> {
    population: &'p Population,
    /// How many different users log in.
    users: usize,
    worker: Worker,
}

impl<'p> Lane<'p> {
    fn new(host: &Host, population: &'p Population, logins: usize) -> Self {
        let users = logins.min(population.size);
        Self { population, users, worker: Worker::start(host, population, 0, users) }
    }

    fn warm_up(&mut self, host: &Host, round: usize) {
        if round < self.users {
            self.worker.accepted_round(host, User(round), &self.contestants(round));
        }
    }

    fn round(&mut self, host: &Host, round: usize, series: &mut Series) {
        for reply in self.worker.accepted_round(host, User(round % self.users), &self.contestants(round)) {
            let cell = series.cells.entry((self.population.size, reply.contestant)).or_default();
            cell.add(reply.login.took);
        }
    }

    /// Who takes part in a round, beginning with another one each time.
    fn contestants(&self, round: usize) -> Vec<Contestant> {
        let mut all = Contestant::ALL;
        all.rotate_left(round % Contestant::ALL.len());
        all.into_iter().filter(|contestant| round.is_multiple_of(contestant.stride(self.population.size))).collect()
    }
}
