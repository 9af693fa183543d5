//! Lines of the log that others can cause as often as they like: each is written once in a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most often that the same host is complained about.
const QUIET: Duration = Duration::from_hours(1);

/// The alarms about hosts over their quota, and other lines.
pub(crate) struct Alarms {
    last: Mutex<HashMap<String, Instant>>,
    quiet: Duration,
}

impl Default for Alarms {
    fn default() -> Self {
        Self::each(QUIET)
    }
}

impl Alarms {
    /// Lines that are written once in this time each.
    pub(crate) fn each(quiet: Duration) -> Self {
        Self { last: Mutex::default(), quiet }
    }

    /// True when it is time to complain about this host.
    pub(crate) fn is_due(&self, host: &str) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.get(host).is_none_or(|at| at.elapsed() >= self.quiet);
        if is_due {
            last.insert(host.to_owned(), Instant::now());
        }
        is_due
    }
}
