//! What the program says in the end, as Markdown that also reads well on a terminal.

use std::fmt;
use std::time::Duration;

use crate::contestant::Contestant;
use crate::crowd::{Crowd, LOGINS, PROCESSES};
use crate::durability::{Durability, Survival, Synced};
use crate::machine::Machine;
use crate::series::Series;
use crate::statistics::ratio;

/// Ours at most this part of google-authenticator's median, at every size.
const OF_GOOGLE_AUTHENTICATOR: f64 = 0.6;
/// Our median at the largest size at most this many times that at the smallest.
const OF_THE_SMALLEST: f64 = 1.2;

/// What others may use of the processors, in percent. Whoever builds or copies beside a benchmark does not only slow it
/// down: a module whose sync has to wait for the journal waits for their writes too, and the ratios flatter us.
const MOST_OF_OTHERS: f64 = 5.0;

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) durability: Durability,
    pub(crate) series: Series,
    pub(crate) crowd: Crowd,
}

/// Something we promise, or need in order to show it, and whether this run does.
struct Target {
    promise: String,
    found: String,
    reached: bool,
}

impl Report {
    /// Whether this run shows that we keep all promises.
    pub(crate) fn every_target_is_reached(&self) -> bool {
        self.targets().iter().all(|target| target.reached)
    }

    fn median(&self, users: usize, contestant: Contestant) -> Duration {
        self.series.of(users, contestant).median()
    }

    fn targets(&self) -> Vec<Target> {
        let sizes = self.series.sizes();
        let mut targets = Vec::new();
        for users in &sizes {
            let part =
                ratio(self.median(*users, Contestant::TwoFactor), self.median(*users, Contestant::GoogleAuthenticator));
            targets.push(Target {
                promise: format!("{users} users: our median ≤ {OF_GOOGLE_AUTHENTICATOR} × google-authenticator's"),
                found: format!("{part:.2}"),
                reached: part <= OF_GOOGLE_AUTHENTICATOR,
            });
        }
        if let (Some(smallest), Some(largest)) = (sizes.first(), sizes.last()) {
            let growth =
                ratio(self.median(*largest, Contestant::TwoFactor), self.median(*smallest, Contestant::TwoFactor));
            targets.push(Target {
                promise: format!("our median at {largest} users ≤ {OF_THE_SMALLEST} × that at {smallest}"),
                found: format!("{growth:.2}"),
                reached: growth <= OF_THE_SMALLEST,
            });
        }
        let refused = self.crowd.outcomes[&Contestant::TwoFactor].refused;
        targets.push(Target {
            promise: format!("{PROCESSES} processes at once: we accept every correct login"),
            found: format!("{refused} refused"),
            reached: refused == 0,
        });
        let certain = self.durability.synced[&Contestant::TwoFactor].survival() == Survival::Certain;
        let others = self.series.others * 100.0;
        targets.push(Target {
            promise: format!("the machine was quiet: others used ≤ {MOST_OF_OTHERS} % of its processors"),
            found: format!("{others:.1} %"),
            reached: others <= MOST_OF_OTHERS,
        });
        targets.push(Target {
            promise: "our accepted logins are on disk before we say success".to_owned(),
            found: if certain { "yes" } else { "no" }.to_owned(),
            reached: certain,
        });
        targets
    }

    fn write_machine(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(
            formatter,
            "{}: {}, {} cores, Linux {}, {}",
            machine.date, machine.processor, machine.cores, machine.kernel, machine.system
        )?;
        writeln!(
            formatter,
            "State on {} (overwriting 512 bytes and fdatasync: median {}); users looked up with libnss-cache",
            machine.file_system,
            milliseconds(machine.fdatasync)
        )?;
        for (contestant, version) in &machine.versions {
            writeln!(formatter, "  {contestant:<25} {version}")?;
        }
        Ok(())
    }

    fn write_series(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "One login at a time, pam_start to pam_end; the last column compares medians.\n")?;
        writeln!(formatter, "|  users | module                   | logins |    median |       p99 | of google's |")?;
        writeln!(formatter, "|-------:|:-------------------------|-------:|----------:|----------:|------------:|")?;
        for users in self.series.sizes() {
            let measure = self.median(users, Contestant::GoogleAuthenticator);
            for contestant in Contestant::ALL {
                let sample = self.series.of(users, contestant);
                writeln!(
                    formatter,
                    "| {users:>6} | {contestant:<24} | {:>6} | {:>9} | {:>9} | {:>11.2} |",
                    sample.len(),
                    milliseconds(sample.median()),
                    milliseconds(sample.percentile(99)),
                    ratio(sample.median(), measure),
                )?;
            }
        }
        Ok(())
    }

    fn write_crowd(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let logins = PROCESSES * LOGINS;
        writeln!(
            formatter,
            "{PROCESSES} processes at once, {LOGINS} different users each ({logins} correct logins a module):\n"
        )?;
        writeln!(formatter, "| module                   | refused |    median |       p99 | accepted a second |")?;
        writeln!(formatter, "|:-------------------------|--------:|----------:|----------:|------------------:|")?;
        for (contestant, outcome) in &self.crowd.outcomes {
            writeln!(
                formatter,
                "| {contestant:<24} | {:>7} | {:>9} | {:>9} | {:>17.0} |",
                outcome.refused,
                milliseconds(outcome.times.median()),
                milliseconds(outcome.times.percentile(99)),
                outcome.accepted_per_second,
            )?;
        }
        Ok(())
    }

    fn write_durability(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "What is on disk when a module says success (from its system calls in this run):\n")?;
        for (contestant, synced) in &self.durability.synced {
            let words = match synced.survival() {
                Survival::NothingToKeep => "writes nothing".to_owned(),
                Survival::Certain => format!("the accepted login ({})", counted(*synced)),
                Survival::RenameMayBeLost => format!(
                    "the new file, but not its rename ({}):\n  {:25} after a power cut the old file may stand there, \
                     and the code may be good again",
                    counted(*synced),
                    "",
                ),
                Survival::MayBeLost => "nothing: after a power cut the code may be good again".to_owned(),
            };
            writeln!(formatter, "  {contestant:<25} {words}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_machine(formatter)?;
        writeln!(formatter)?;
        self.write_series(formatter)?;
        writeln!(formatter)?;
        self.write_crowd(formatter)?;
        writeln!(formatter)?;
        self.write_durability(formatter)?;
        writeln!(formatter)?;
        for target in self.targets() {
            let word = if target.reached { "reached" } else { "MISSED " };
            writeln!(formatter, "{word}  {}: {}", target.promise, target.found)?;
        }
        Ok(())
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1_000.0)
}

fn counted(synced: Synced) -> String {
    let plural = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let Synced { files, folders, renames, .. } = synced;
    let (files, folders) = (plural(files, "sync"), plural(folders, "sync"));
    format!("{files} of a file, {folders} of a folder, {}", plural(renames, "rename"))
}
