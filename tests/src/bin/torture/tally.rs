//! How long a trial goes on, and what it found.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// The end of a trial: a number of cases, or a time.
pub(crate) enum Budget {
    Cases(u64),
    Until(Instant),
}

impl Budget {
    pub(crate) fn cases(cases: u64) -> Self {
        Self::Cases(cases)
    }

    pub(crate) fn time(time: Duration) -> Self {
        Self::Until(Instant::now() + time)
    }

    /// Whether another case fits after those of `tally`.
    pub(crate) fn allows(&self, tally: &Tally) -> bool {
        match self {
            Self::Cases(cases) => tally.cases < *cases,
            Self::Until(end) => Instant::now() < *end,
        }
    }
}

/// The cases of a trial and their failures.
#[derive(Default)]
pub(crate) struct Tally {
    cases: u64,
    failures: Vec<String>,
    counts: Vec<(&'static str, u64)>,
}

impl Tally {
    /// Counts a case.
    pub(crate) fn case(&mut self) {
        self.cases += 1;
    }

    /// Records a failure with its story unless `holds`.
    pub(crate) fn check(&mut self, holds: bool, story: impl FnOnce() -> String) {
        if !holds {
            self.failures.push(story());
        }
    }

    /// Counts something for the notes of the table: a trial that never lets anyone in has tested nothing.
    pub(crate) fn count(&mut self, what: &'static str) {
        match self.counts.iter_mut().find(|(name, _)| *name == what) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((what, 1)),
        }
    }

    pub(crate) fn cases(&self) -> u64 {
        self.cases
    }

    pub(crate) fn failures(&self) -> usize {
        self.failures.len()
    }

    pub(crate) fn notes(&self) -> String {
        let mut notes = String::new();
        for (what, count) in &self.counts {
            let separator = if notes.is_empty() { "" } else { ", " };
            let _ = write!(notes, "{separator}{count} {what}");
        }
        notes
    }

    /// Prints the first failures whole.
    pub(crate) fn print_failures(&self, trial: &str) {
        for failure in self.failures.iter().take(10) {
            println!("{trial}: {failure}\n");
        }
    }
}
