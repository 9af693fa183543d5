//! The report on the broker and the weight of the module.

use std::fmt;

use crate::broker::{Broker, Factor, LOCKERS, Way};
use crate::statistics::ratio;
use crate::target::{Target, mebibytes, milliseconds};

/// The module's file has at most so many bytes.
const MODULE_SIZE: u64 = 1_000_000;
/// Loading the module takes at most so many times what pam_unix.so takes.
const OF_PAM_UNIX: f64 = 1.5;
/// A login through the broker takes at most so many times what a direct one takes.
const OF_DIRECT: f64 = 2.0;
/// A login with a token takes at most so many times what one with an app takes.
const OF_AN_APP: f64 = 1.05;
/// An idle broker has at most so much memory, in KiB.
const IDLE_MEMORY: u64 = 3 << 10;

impl Broker {
    /// The targets of the broker and the module.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let loading = ratio(self.module.loading.median(), self.pam_unix.loading.median());
        let token = ratio(self.median(Factor::Token, Way::Direct), self.median(Factor::App, Way::Direct));
        let mut targets = vec![
            Target::new(
                format!("the module's file is ≤ {} kB", MODULE_SIZE / 1_000),
                format!("{} kB", self.module.size / 1_000),
                self.module.size <= MODULE_SIZE,
            ),
            Target::new(
                format!("loading the module: median ≤ {OF_PAM_UNIX} × pam_unix.so's"),
                format!("{loading:.2}"),
                loading <= OF_PAM_UNIX,
            ),
            Target::new(
                format!("a login with a token: median ≤ {OF_AN_APP} × that with an app"),
                format!("{token:.2}"),
                token <= OF_AN_APP,
            ),
        ];
        for factor in Factor::ALL {
            let times = ratio(self.median(factor, Way::Broker), self.median(factor, Way::Direct));
            targets.push(Target::new(
                format!("a login with {factor} through the broker: median ≤ {OF_DIRECT:.1} × a direct one"),
                format!("{times:.2}"),
                times <= OF_DIRECT,
            ));
        }
        let refused = self.lockers.refused;
        targets.push(Target::new(
            format!("lockers of {LOCKERS} users at once: none is refused"),
            format!("{refused} refused"),
            refused == 0,
        ));
        targets.push(Target::new(
            format!("an idle broker has ≤ {} of memory (PSS)", mebibytes(IDLE_MEMORY)),
            mebibytes(self.idle.share),
            self.idle.share <= IDLE_MEMORY,
        ));
        targets.push(Target::quiet("during the work with the broker", self.others));
        targets
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "Size and loading of a module ({} times, taking turns):\n", self.plan.loads)?;
        writeln!(formatter, "| module        |       size | dlopen, median |       p99 |")?;
        writeln!(formatter, "|:--------------|-----------:|---------------:|----------:|")?;
        for (name, weight) in [("pam_twofactor", &self.module), ("pam_unix", &self.pam_unix)] {
            writeln!(
                formatter,
                "| {name:<13} | {:>7} kB | {:>14} | {:>9} |",
                weight.size / 1_000,
                milliseconds(weight.loading.median()),
                milliseconds(weight.loading.percentile(99)),
            )?;
        }
        writeln!(formatter, "\nOne login at a time, directly (a program of root) and through the broker:\n")?;
        writeln!(formatter, "| login with             | logins |    median |       p99 | of the direct one |")?;
        writeln!(formatter, "|:-----------------------|-------:|----------:|----------:|------------------:|")?;
        for factor in Factor::ALL {
            for way in Way::ALL {
                let sample = &self.logins[&(factor, way)];
                writeln!(
                    formatter,
                    "| {:<22} | {:>6} | {:>9} | {:>9} | {:>17.2} |",
                    format!("{factor}, {way}"),
                    sample.len(),
                    milliseconds(sample.median()),
                    milliseconds(sample.percentile(99)),
                    ratio(sample.median(), self.median(factor, Way::Direct)),
                )?;
            }
        }
        let lockers = &self.lockers;
        writeln!(formatter, "\n{LOCKERS} lockers of {LOCKERS} users at once, a broker just started:\n")?;
        writeln!(formatter, "| rounds | refused |    median |       p99 | all answered, median |     worst |")?;
        writeln!(formatter, "|-------:|--------:|----------:|----------:|---------------------:|----------:|")?;
        writeln!(
            formatter,
            "| {:>6} | {:>7} | {:>9} | {:>9} | {:>20} | {:>9} |",
            self.plan.rounds,
            lockers.refused,
            milliseconds(lockers.times.median()),
            milliseconds(lockers.times.percentile(99)),
            milliseconds(lockers.all_answered.median()),
            milliseconds(lockers.all_answered.percentile(100)),
        )?;
        writeln!(formatter, "\nMemory of the broker:\n")?;
        writeln!(formatter, "| after                |      PSS | resident |")?;
        writeln!(formatter, "|:---------------------|---------:|---------:|")?;
        for (name, memory) in [("one login", self.idle), ("32 lockers at once", self.after_lockers)] {
            writeln!(formatter, "| {name:<20} | {:>8} | {:>8} |", mebibytes(memory.share), mebibytes(memory.resident))?;
        }
        Ok(())
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::App => "an app",
            Self::Token => "a token",
        })
    }
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Direct => "direct",
            Self::Broker => "broker",
        })
    }
}
