//! The first part: a login with our module and with its peers, with up to 100,000 users, each with an app.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use twofactor_tests::private_host::Host;

use crate::contestant::Contestant;
use crate::crowd::{self, Crowd, LOGINS};
use crate::durability::{Durability, Survival, Synced};
use crate::population::Population;
use crate::progress;
use crate::queue::{self, Queue};
use crate::refusals::{self, Refusals};
use crate::series::Series;
use crate::ssh_keys::SshKeys;
use crate::statistics::ratio;
use crate::target::{Target, milliseconds};

/// Ours at most this part of google-authenticator's median, at every size, alone and among others.
const OF_GOOGLE_AUTHENTICATOR: f64 = 0.5;
/// Our median at the largest size at most this many times that at the smallest.
const OF_THE_SMALLEST: f64 = 1.2;

/// Sixteen logins of one user at once are answered within this time.
const ALL_ANSWERED: Duration = Duration::from_millis(30);

/// The largest difference allowed between the medians of refusals.
const SPREAD: Duration = Duration::from_micros(200);

/// The extent of the measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Numbers of enrolled users.
    sizes: &'static [usize],
    /// Measured logins of every fast module at every size.
    logins: usize,
}

impl Plan {
    /// For the report.
    pub(crate) const FULL: Self = Self { sizes: &[100, 1_000, 10_000, 100_000], logins: 300 };
    /// For somebody who works on the benchmark itself.
    pub(crate) const QUICK: Self = Self { sizes: &[100, 1_000], logins: 60 };
}

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Logins {
    durability: Durability,
    series: Series,
    crowds: Vec<Crowd>,
    queues: Vec<Queue>,
    refusals: Vec<Refusals>,
    ssh_keys: SshKeys,
}

impl Logins {
    /// Measures in folders below `disk`.
    pub(crate) fn measure(host: &Host, disk: &Path, plan: Plan) -> Self {
        let crowd_population =
            Population::make(host, &disk.join("crowd"), crowd::USERS + queue::USERS + refusals::USERS);
        let populations: Vec<Population> = plan
            .sizes
            .iter()
            .map(|size| {
                progress(&format!("enrolling {size} users"));
                Population::make(host, &disk.join(size.to_string()), *size)
            })
            .collect();
        nix::unistd::sync();

        progress("tracing one login of each module");
        let durability = Durability::trace(host, &crowd_population);
        let series = Series::measure(host, &populations, plan.logins);
        nix::unistd::sync();
        let crowds = Crowd::measure(host, &crowd_population);
        let queues = Queue::measure(host, &crowd_population, crowd::USERS);
        let refusals = Refusals::measure(host, &crowd_population, crowd::USERS + queue::USERS);
        let ssh_keys = SshKeys::measure(host, &disk.join("ssh-keys"), plan.logins);
        Self { durability, series, crowds, queues, refusals, ssh_keys }
    }

    fn median(&self, users: usize, contestant: Contestant) -> Duration {
        self.series.of(users, contestant).median()
    }

    pub(crate) fn targets(&self) -> Vec<Target> {
        let sizes = self.series.sizes();
        let mut targets = Vec::new();
        for users in &sizes {
            let part =
                ratio(self.median(*users, Contestant::TwoFactor), self.median(*users, Contestant::GoogleAuthenticator));
            let promise = format!("{users} users: our median ≤ {OF_GOOGLE_AUTHENTICATOR} × google-authenticator's");
            targets.push(Target::new(promise, format!("{part:.2}"), part <= OF_GOOGLE_AUTHENTICATOR));
        }
        if let (Some(smallest), Some(largest)) = (sizes.first(), sizes.last()) {
            let growth =
                ratio(self.median(*largest, Contestant::TwoFactor), self.median(*smallest, Contestant::TwoFactor));
            let promise = format!("our median at {largest} users ≤ {OF_THE_SMALLEST} × that at {smallest}");
            targets.push(Target::new(promise, format!("{growth:.2}"), growth <= OF_THE_SMALLEST));
        }
        if let Some(Crowd { processes, outcomes }) = self.crowds.first() {
            let [ours, google] =
                [Contestant::TwoFactor, Contestant::GoogleAuthenticator].map(|contestant| &outcomes[&contestant].times);
            let part = ratio(ours.median(), google.median());
            let promise = format!(
                "{processes} processes at once: our median ≤ {OF_GOOGLE_AUTHENTICATOR} × google-authenticator's"
            );
            targets.push(Target::new(promise, format!("{part:.2}"), part <= OF_GOOGLE_AUTHENTICATOR));
        }
        for Crowd { processes, outcomes } in &self.crowds {
            let refused = outcomes[&Contestant::TwoFactor].refused;
            let promise = format!("{processes} processes at once: we accept every correct login");
            targets.push(Target::new(promise, format!("{refused} refused"), refused == 0));
        }
        if let Some(queue) = self.queues.first() {
            let promise = format!("{} logins of one user at once: all answered within 30 ms (median)", queue.size);
            let median = queue.all_answered.median();
            let kept = median <= ALL_ANSWERED && queue.wrong_rounds == 0;
            targets.push(Target::new(promise, milliseconds(median), kept));
        }
        for refusals in &self.refusals {
            let spread = refusals.spread();
            let promise = format!("medians of refusals differ by ≤ 0.2 ms, {}", refusals.setting.name());
            targets.push(Target::new(promise, milliseconds(spread), spread <= SPREAD));
        }
        let found = format!("{:.2}", self.ssh_keys.ratio());
        targets.push(Target::new(
            "a login by a security key of ssh ≤ 1 × one with a code",
            found,
            self.ssh_keys.costs_no_more(),
        ));
        targets.push(Target::quiet("during the logins", self.series.others));
        let certain = self.durability.synced[&Contestant::TwoFactor].survival() == Survival::Certain;
        let found = if certain { "yes" } else { "no" };
        targets.push(Target::new("our accepted logins are on disk before we say success", found, certain));
        targets
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

    fn write_crowd(crowd: &Crowd, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let processes = crowd.processes;
        let logins = processes * LOGINS;
        writeln!(
            formatter,
            "{processes} processes at once, {LOGINS} different users each ({logins} correct logins a module):\n"
        )?;
        writeln!(formatter, "| module                   | refused |    median |       p99 | accepted a second |")?;
        writeln!(formatter, "|:-------------------------|--------:|----------:|----------:|------------------:|")?;
        for (contestant, outcome) in &crowd.outcomes {
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

    fn write_queues(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "Logins of one user at once, all with the same code, until all are answered ({} rounds each):\n",
            queue::ROUNDS
        )?;
        writeln!(formatter, "| logins | rounds without one winner |    median |     worst |")?;
        writeln!(formatter, "|-------:|--------------------------:|----------:|----------:|")?;
        for queue in &self.queues {
            writeln!(
                formatter,
                "| {:>6} | {:>25} | {:>9} | {:>9} |",
                queue.size,
                queue.wrong_rounds,
                milliseconds(queue.all_answered.median()),
                milliseconds(queue.all_answered.percentile(100)),
            )?;
        }
        Ok(())
    }

    fn write_refusals(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for refusals in &self.refusals {
            writeln!(formatter, "Refusals, without libpam's delay, by their reason ({}):\n", refusals.setting.name())?;
            writeln!(formatter, "| reason            | refusals |    median |       p90 |")?;
            writeln!(formatter, "|:------------------|---------:|----------:|----------:|")?;
            for (kind, sample) in &refusals.kinds {
                writeln!(
                    formatter,
                    "| {:<17} | {:>8} | {:>9} | {:>9} |",
                    kind.name(),
                    sample.len(),
                    milliseconds(sample.median()),
                    milliseconds(sample.percentile(90)),
                )?;
            }
            writeln!(formatter)?;
        }
        Ok(())
    }

    fn write_ssh_keys(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "Through the service of sshd, by turns; the last column compares medians.\n")?;
        writeln!(formatter, "| login                    | logins |    median |       p99 | of the first |")?;
        writeln!(formatter, "|:-------------------------|-------:|----------:|----------:|-------------:|")?;
        for (login, sample) in [("with a code", &self.ssh_keys.code), ("by a security key of ssh", &self.ssh_keys.key)]
        {
            writeln!(
                formatter,
                "| {login:<24} | {:>6} | {:>9} | {:>9} | {:>12.2} |",
                sample.len(),
                milliseconds(sample.median()),
                milliseconds(sample.percentile(99)),
                ratio(sample.median(), self.ssh_keys.code.median()),
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

impl fmt::Display for Logins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_series(formatter)?;
        writeln!(formatter)?;
        for crowd in &self.crowds {
            Self::write_crowd(crowd, formatter)?;
            writeln!(formatter)?;
        }
        self.write_queues(formatter)?;
        writeln!(formatter)?;
        self.write_refusals(formatter)?;
        self.write_ssh_keys(formatter)?;
        writeln!(formatter)?;
        self.write_durability(formatter)
    }
}

fn counted(synced: Synced) -> String {
    let plural = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let Synced { files, folders, renames, .. } = synced;
    let (files, folders) = (plural(files, "sync"), plural(folders, "sync"));
    format!("{files} of a file, {folders} of a folder, {}", plural(renames, "rename"))
}
