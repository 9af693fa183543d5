//! The report on the fleet.

use std::fmt;

use super::{AT_ONCE, Fleet};
use crate::statistics::ratio;
use crate::target::{Target, grouped, mebibytes, milliseconds, seconds};

/// Accepted logins in a second.
const ACCEPTED: f64 = 2_000.0;
/// The slowest of a hundred logins at half the load, in milliseconds.
const P99: u128 = 30;
/// A login takes at most so many times what a local one takes.
const OF_LOCAL: f64 = 3.0;
/// With many users it takes at most so many times what it takes with few.
const OF_FEW: f64 = 1.25;
/// An import takes at most so many times what `COPY` of the same rows takes.
const OF_COPY: f64 = 3.0;
/// Memory of a connection that is kept, in bytes.
const OF_A_LINK: u64 = 64 << 10;

impl Fleet {
    /// The targets of the fleet.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let refused: usize = self.full.iter().chain([&self.half]).map(|outcome| outcome.refused).sum();
        let of_local = ratio(self.few_users.fleet.median(), self.few_users.local.median());
        let of_few = ratio(self.many_users.fleet.median(), self.few_users.fleet.median());
        let of_copy = ratio(self.import.ours.took, self.import.copy);
        vec![
            Target::new(
                format!("accepted logins through links and two servers: ≥ {ACCEPTED} a second"),
                format!("{:.0}", self.accepted()),
                self.accepted() >= ACCEPTED,
            ),
            Target::new(
                format!("half as many: p99 ≤ {P99} ms"),
                milliseconds(self.half.p99),
                self.half.p99.as_millis() <= P99,
            ),
            Target::new("under load no correct code is refused", format!("{refused} refused"), refused == 0),
            Target::new(
                format!("a login of the fleet at rest: median ≤ {OF_LOCAL} × a local one"),
                format!("{of_local:.2}"),
                of_local <= OF_LOCAL,
            ),
            Target::new(
                format!("with {} users: median ≤ {OF_FEW} × with few", grouped(self.plan.users)),
                format!("{of_few:.2}"),
                of_few <= OF_FEW,
            ),
            Target::new(
                format!("memory of a server for a link that is kept: ≤ {} KiB", OF_A_LINK >> 10),
                format!("{:.1} KiB", kibibytes(self.of_a_link)),
                self.of_a_link <= OF_A_LINK,
            ),
            Target::new(
                format!("an import of {} tokens: ≤ {OF_COPY} × COPY of the same rows", grouped(self.plan.tokens)),
                format!("{of_copy:.2}"),
                of_copy <= OF_COPY,
            ),
            Target::quiet("during the work of the fleet", self.others),
        ]
    }
}

impl fmt::Display for Fleet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "A fleet: links of 4 hosts, 2 servers and PostgreSQL, with the users, on this machine.\n")?;
        writeln!(
            formatter,
            "| logins                          | accepted a second |     median |        p99 | refused |"
        )?;
        writeln!(
            formatter,
            "|:--------------------------------|------------------:|-----------:|-----------:|--------:|"
        )?;
        let half = [("half as many", &self.half)];
        let full = self.full.iter().map(|outcome| ("as many as it takes", outcome));
        for (name, outcome) in full.chain(half) {
            writeln!(
                formatter,
                "| {:<31} | {:>17.0} | {:>10} | {:>10} | {:>7} |",
                format!("{name}, {AT_ONCE} at once"),
                outcome.accepted_per_second(),
                milliseconds(outcome.median),
                milliseconds(outcome.p99),
                outcome.refused
            )?;
        }
        writeln!(formatter, "\nThe same update by pgbench, {AT_ONCE} clients: {:.0} a second", self.pgbench)?;
        writeln!(
            formatter,
            "\n| one login at a time, libpam to libpam |  local, median |  fleet, median |  fleet, p99 |"
        )?;
        writeln!(
            formatter,
            "|:--------------------------------------|---------------:|---------------:|------------:|"
        )?;
        let many = format!("{} users", grouped(self.plan.users));
        for (name, times) in [("few users", &self.few_users), (many.as_str(), &self.many_users)] {
            writeln!(
                formatter,
                "| {name:<37} | {:>14} | {:>14} | {:>11} |",
                milliseconds(times.local.median()),
                milliseconds(times.fleet.median()),
                milliseconds(times.fleet.percentile(99)),
            )?;
        }
        writeln!(
            formatter,
            "\nImport of {} tokens into PostgreSQL: {}, {} of memory; COPY of the same rows: {}",
            grouped(self.plan.tokens),
            seconds(self.import.ours.took),
            mebibytes(self.import.ours.peak),
            seconds(self.import.copy)
        )?;
        writeln!(
            formatter,
            "\nMemory of a server for each of {} kept links: {:.1} KiB",
            self.plan.links,
            kibibytes(self.of_a_link)
        )
    }
}

#[allow(clippy::cast_precision_loss, reason = "a size of memory is far below 2^52 bytes")]
fn kibibytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0
}
