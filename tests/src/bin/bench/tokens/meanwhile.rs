//! Many processes log users in with their fobs while another one imports tokens into the same registry.
//!
//! The fobs count, so that nobody ever waits for a code. Every login is one `pam_start`, one `pam_authenticate`, one
//! `pam_end`, with nothing between them.

use std::fs;
use std::time::Duration;

use twofactor_tests::private_host::Host;

use crate::contestant::Contestant;
use crate::population::User;
use crate::progress;
use crate::statistics::Sample;
use crate::stopwatch::Lap;
use crate::tokens::vendor::{Seeds, Vendor};
use crate::tokens::{Plan, Site};
use crate::worker::{Worker, microseconds};

/// Processes at once.
pub(super) const PROCESSES: usize = 32;

/// Users of a process.
const USERS_EACH: usize = 20;

/// All users this takes.
pub(super) const USERS: usize = PROCESSES * USERS_EACH;

/// How long they log in before the import begins, for comparison.
const BEFORE: Duration = Duration::from_secs(3);

/// What became of them.
#[derive(Debug)]
pub(super) struct Meanwhile {
    /// Logins that were over before the import began.
    pub(super) before: Sample,
    /// Logins of which a part fell into the import.
    pub(super) during: Sample,
    pub(super) refused: usize,
    pub(super) import: Lap,
}

impl Meanwhile {
    /// Measures at `site`, with the users from `first` on.
    pub(super) fn measure(host: &Host, vendor: &Vendor, site: &Site, plan: Plan, first: usize) -> Self {
        progress(&format!("{PROCESSES} processes at once, and an import of {} tokens", plan.meanwhile));
        // Fobs that are in no other file.
        let file = vendor.sealed_file(host, "meanwhile", Seeds::clocks(plan.many..plan.many + plan.meanwhile));
        let start = |process| Worker::start_with_counters(host, &site.0, first + process * USERS_EACH, USERS_EACH);
        let mut workers: Vec<Worker> = (0..PROCESSES).map(start).collect();
        for (process, worker) in workers.iter_mut().enumerate() {
            for user in 0..USERS_EACH {
                worker.accepted_round(host, User(first + process * USERS_EACH + user), &[Contestant::TwoFactor]);
            }
        }
        nix::unistd::sync();

        let end = site.0.folder.join("end");
        for worker in &mut workers {
            worker.order_until(Contestant::TwoFactor, &end);
        }
        std::thread::sleep(BEFORE);
        let import_begins = microseconds();
        let import = site.import(host, vendor, &file, &[]);
        let import_ends = microseconds();
        fs::write(end, "").expect("a file on the disk");

        let (mut before, mut during, mut refused) = (Sample::default(), Sample::default(), 0);
        for reply in workers.iter_mut().flat_map(Worker::replies) {
            let login = reply.login;
            let began = Duration::from_micros(reply.ended).saturating_sub(login.took);
            if login.code != 0 {
                refused += 1;
            } else if reply.ended < import_begins {
                before.add(login.took);
            } else if began < Duration::from_micros(import_ends) {
                during.add(login.took);
            }
        }
        Self { before, during, refused, import }
    }
}
