//! Hosts over their quota, for the log: each is complained about once in a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most often that the same host is complained about.
const QUIET: Duration = Duration::from_hours(1);

/// The alarms about hosts over their quota.
#[derive(Default)]
pub(crate) struct Alarms(Mutex<HashMap<String, Instant>>);

impl Alarms {
    /// True when it is time to complain about this host.
    pub(crate) fn is_due(&self, host: &str) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.get(host).is_none_or(|at| at.elapsed() >= QUIET);
        if is_due {
            last.insert(host.to_owned(), Instant::now());
        }
        is_due
    }
}
