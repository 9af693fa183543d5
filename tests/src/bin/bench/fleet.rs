//! The fleet: logins through links and servers on PostgreSQL, all on the processors of this machine, in one run.
//!
//! Most users log in with codes that count, so no user waits for one. The way is the real one: the module's questions at the
//! local socket of `twofactor-link`, TLS to `twofactor-server`, and PostgreSQL with its durability as packaged, on a disk.

mod at_rest;
mod import;
mod links;
mod load;
mod pgbench;
mod report;
mod site;

use std::path::Path;
use std::time::Duration;

use twofactor_tests::private_host::Host;

use crate::machine::Meter;
use crate::progress;
use at_rest::AtRest;
use import::Import;
pub(crate) use links::keep as keep_links;
use load::Outcome;
pub(crate) use load::{enroll, serve as log_in};
use site::Site;

/// The extent of the measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Time of one load.
    pub(crate) seconds: u64,
    /// Loads of each kind, of which the median counts.
    pub(crate) rounds: usize,
    /// Logins of each kind, one at a time.
    pub(crate) at_rest: usize,
    /// Users of the larger store.
    pub(crate) users: usize,
    /// Physical tokens of an import.
    pub(crate) tokens: usize,
    /// Connections that are kept.
    pub(crate) links: usize,
}

impl Plan {
    /// For the report.
    pub(crate) const FULL: Self =
        Self { seconds: 10, rounds: 3, at_rest: 300, users: 1_000_000, tokens: 1_000_000, links: 1_000 };
    /// For work on the benchmark itself.
    pub(crate) const QUICK: Self =
        Self { seconds: 3, rounds: 1, at_rest: 60, users: 50_000, tokens: 20_000, links: 100 };
}

/// Logins at once, spread over the links.
pub(crate) const AT_ONCE: usize = 32;

/// The measurement.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) plan: Plan,
    /// As many as it takes, with few users.
    pub(crate) full: Vec<Outcome>,
    /// The same statement by pgbench, in a second.
    pub(crate) pgbench: f64,
    /// Half as many.
    pub(crate) half: Outcome,
    pub(crate) few_users: AtRest,
    pub(crate) many_users: AtRest,
    /// Memory of a server for each connection that is kept, in bytes.
    pub(crate) of_a_link: u64,
    pub(crate) import: Import,
    pub(crate) others: f64,
}

impl Fleet {
    /// Measures, with everything in a folder below `disk`.
    pub(crate) fn measure(host: &Host, disk: &Path, plan: Plan) -> Self {
        let meter = Meter::start();
        progress("starting PostgreSQL, two servers and four hosts");
        let site = Site::open(host, disk);
        site.load(1);
        progress("logging in through links and servers, as often as it goes");
        let full: Vec<Outcome> = (0..plan.rounds).map(|_| site.load(plan.seconds)).collect();
        progress("updating with pgbench");
        let pgbench = pgbench::updates_in_a_second(&site, plan.seconds);
        let half = median(&full) / 2.0;
        progress("logging in, half as often");
        let half = site.load_at(half, plan.seconds);
        // Some thousand users by now. Right after the start a login took 1.8 ms in the place of 1.6.
        progress("logging in, one at a time");
        let few_users = AtRest::measure(&site, plan.at_rest);
        progress(&format!("adding users: {}", plan.users));
        site.fill(plan.users);
        let many_users = AtRest::measure(&site, plan.at_rest);
        progress("keeping connections");
        let of_a_link = links::memory(&site, plan.links);
        progress(&format!("importing {} tokens", plan.tokens));
        let import = Import::measure(&site, plan.tokens);
        // The work of a program counts as ours once it has ended.
        drop(site);
        let others = meter.others();
        Self { plan, full, pgbench, half, few_users, many_users, of_a_link, import, others }
    }

    /// Accepted logins in a second, as often as it goes.
    pub(crate) fn accepted(&self) -> f64 {
        median(&self.full)
    }
}

fn median(outcomes: &[Outcome]) -> f64 {
    let mut rates: Vec<f64> = outcomes.iter().map(Outcome::accepted_per_second).collect();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// A time in microseconds.
fn microseconds(time: u64) -> Duration {
    Duration::from_micros(time)
}
