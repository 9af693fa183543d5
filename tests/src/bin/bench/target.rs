//! What we promise, and how figures are written.

use std::fmt;
use std::time::Duration;

/// Something we promise, or need in order to show it, and whether this run does.
#[derive(Debug)]
pub(crate) struct Target {
    promise: String,
    found: String,
    reached: bool,
}

impl Target {
    pub(crate) fn new(promise: impl Into<String>, found: impl Into<String>, reached: bool) -> Self {
        Self { promise: promise.into(), found: found.into(), reached }
    }

    /// What others may use of the processors, in percent. Whoever builds or copies beside a benchmark does not only slow it
    /// down: a module whose sync has to wait for the journal waits for their writes too, and the ratios flatter us.
    pub(crate) fn quiet(what: &str, others: f64) -> Self {
        const MOST: f64 = 5.0;
        let others = others * 100.0;
        let promise = format!("the machine was quiet {what}: others used ≤ {MOST} % of its processors");
        Self::new(promise, format!("{others:.1} %"), others <= MOST)
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.reached
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.reached { "reached" } else { "MISSED " };
        write!(formatter, "{word}  {}: {}", self.promise, self.found)
    }
}

/// `0.470 ms`.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1_000.0)
}

/// `4.31 s`.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Of KiB: `58.1 MiB`.
#[allow(clippy::cast_precision_loss, reason = "a size of memory is far below 2^52 KiB")]
pub(crate) fn mebibytes(kibibytes: u64) -> String {
    format!("{:.1} MiB", kibibytes as f64 / 1_024.0)
}

/// `1,000,000`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
