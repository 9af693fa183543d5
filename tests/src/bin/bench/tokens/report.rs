//! What is said about the registry.

use std::fmt;
use std::time::Duration;

use crate::statistics::{Sample, ratio};
use crate::stopwatch::Lap;
use crate::target::{Target, grouped, mebibytes, milliseconds, seconds};
use crate::tokens::logins::Kind;
use crate::tokens::meanwhile::PROCESSES;
use crate::tokens::{Plan, Tokens};

/// An import takes at most so many times what the reference takes.
const OF_THE_REFERENCE: f64 = 2.0;
/// And at most so much memory, in KiB.
const IMPORT_MEMORY: u64 = 128 << 10;
/// A PSKC document with 50,000 encrypted keys takes at most this; the largest one that is taken, in a dry run, at most twice
/// as long.
const DOCUMENT: Duration = Duration::from_secs(1);
/// A median login among many tokens takes at most so many times what it takes among few.
const OF_FEW: f64 = 1.25;
/// A login during an import takes at most this.
const WORST_LOGIN: Duration = Duration::from_millis(150);
/// A median `show` or `assign` takes at most this.
const SHORT_COMMAND: Duration = Duration::from_millis(15);
/// A list takes at most so much memory, in KiB.
const LIST_MEMORY: u64 = 64 << 10;

impl Tokens {
    /// What is promised of a registry.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let (few, many, meanwhile) = (grouped(self.plan.few), grouped(self.plan.many), grouped(self.plan.meanwhile));
        let Self { imports, documents, logins, commands, .. } = self;

        let part = ratio(imports.ours.median(), imports.reference.median());
        let growth = ratio(logins.of(Kind::FobAmongMany).median(), logins.of(Kind::FobAmongFew).median());
        let worst = self.meanwhile.during.percentile(100);
        let refused = self.meanwhile.refused;
        let mut targets = vec![
            Target::new(
                format!("importing {many} tokens takes ≤ {OF_THE_REFERENCE} × 7z and sqlite3 .import"),
                format!("{part:.2}"),
                part <= OF_THE_REFERENCE,
            ),
            within_memory(&format!("importing {many} tokens"), IMPORT_MEMORY, imports.peak),
            within("importing PSKC with encrypted keys", DOCUMENT, documents.encrypted.median()),
            within("reading the most elements that are taken", 2 * DOCUMENT, documents.elements.median()),
            within("reading the most iterations that are taken", 2 * DOCUMENT, documents.iterations.median()),
            Target::new(
                "an import leaves no write-ahead log behind",
                format!("{} bytes", imports.log),
                imports.log == 0,
            ),
            Target::new(
                format!("a login with a fob among {many} tokens: median ≤ {OF_FEW} × that among {few}"),
                format!("{growth:.2}"),
                growth <= OF_FEW,
            ),
            Target::new(
                format!(
                    "{PROCESSES} processes during an import of {meanwhile} tokens: worst login ≤ {} ms",
                    WORST_LOGIN.as_millis()
                ),
                milliseconds(worst),
                worst <= WORST_LOGIN,
            ),
            Target::new("and every correct login is accepted", format!("{refused} refused"), refused == 0),
        ];
        for (command, sample) in [("show", &commands.show), ("assign", &commands.assign)] {
            targets.push(Target::new(
                format!("token {command} among {many} tokens: median ≤ {} ms", SHORT_COMMAND.as_millis()),
                milliseconds(sample.median()),
                sample.median() <= SHORT_COMMAND,
            ));
        }
        for (option, lap) in &commands.lists {
            let command = format!("token list {option}");
            targets.push(within_memory(&format!("{} of {many} tokens", command.trim_end()), LIST_MEMORY, lap.peak));
        }
        targets.push(Target::quiet("during the work with tokens", self.others));
        targets
    }

    fn write_imports(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { many, repetitions, .. } = self.plan;
        let imports = &self.imports;
        writeln!(
            formatter,
            "{} tokens from a zip file, AES-256, taking turns {repetitions} times; median:\n",
            grouped(many)
        )?;
        writeln!(formatter, "| import                                    |   median |    worst | of the reference |")?;
        writeln!(formatter, "|:------------------------------------------|---------:|---------:|-----------------:|")?;
        let reference = imports.reference.median();
        for (name, sample) in [
            ("twofactor token import", &imports.ours),
            ("7z x -so into sqlite3 .import (reference)", &imports.reference),
            ("the same with a write-ahead log", &imports.reference_with_log),
        ] {
            let (median, worst) = (sample.median(), seconds(sample.percentile(100)));
            let part = ratio(median, reference);
            writeln!(formatter, "| {name:<41} | {:>8} | {worst:>8} | {part:>16.2} |", seconds(median))?;
        }
        writeln!(
            formatter,
            "\nOurs had at most {} of memory. Its registry is {} on disk, and its write-ahead log {} bytes.",
            mebibytes(imports.peak),
            mebibytes(imports.registry / 1_024),
            imports.log
        )
    }

    fn write_documents(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let documents = &self.documents;
        writeln!(formatter, "PSKC documents; the last two are the largest that are taken, in a dry run.\n")?;
        writeln!(formatter, "| import                                    |   median |    worst | peak memory |")?;
        writeln!(formatter, "|:------------------------------------------|---------:|---------:|------------:|")?;
        let keys = format!("{} keys, encrypted with AES", grouped(documents.keys));
        for (name, sample, peak) in [
            (keys.as_str(), &documents.encrypted, mebibytes(documents.peak)),
            ("2,500,000 elements", &documents.elements, String::new()),
            ("1,000,000 iterations of PBKDF2", &documents.iterations, String::new()),
        ] {
            let (median, worst) = (seconds(sample.median()), seconds(sample.percentile(100)));
            writeln!(formatter, "| {name:<41} | {median:>8} | {worst:>8} | {peak:>11} |")?;
        }
        Ok(())
    }

    fn write_logins(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "One login at a time, pam_start to pam_end; the last column compares medians.\n")?;
        writeln!(
            formatter,
            "| login with                            | logins |    median |       p99 | of the first |"
        )?;
        writeln!(
            formatter,
            "|:--------------------------------------|-------:|----------:|----------:|-------------:|"
        )?;
        let first = self.logins.of(Kind::FobAmongFew).median();
        for kind in Kind::ALL {
            let name = match kind {
                Kind::FobAmongFew => format!("a fob, {} tokens", grouped(self.plan.few)),
                Kind::FobAmongMany => format!("a fob, {} tokens", grouped(self.plan.many)),
                Kind::App => "an app, no registry".to_owned(),
                Kind::GoogleAuthenticator => "an app, pam_google_authenticator".to_owned(),
            };
            let sample = self.logins.of(kind);
            writeln!(
                formatter,
                "| {name:<37} | {:>6} | {:>9} | {:>9} | {:>12.2} |",
                sample.len(),
                milliseconds(sample.median()),
                milliseconds(sample.percentile(99)),
                ratio(sample.median(), first),
            )?;
        }
        Ok(())
    }

    fn write_meanwhile(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meanwhile = &self.meanwhile;
        writeln!(
            formatter,
            "{PROCESSES} processes at once log in with fobs, {} tokens in the registry; another one imports {} more:\n",
            grouped(self.plan.many),
            grouped(self.plan.meanwhile)
        )?;
        writeln!(formatter, "| logins            | accepted |    median |       p99 |      worst |")?;
        writeln!(formatter, "|:------------------|---------:|----------:|----------:|-----------:|")?;
        for (name, sample) in [("before the import", &meanwhile.before), ("during the import", &meanwhile.during)] {
            writeln!(
                formatter,
                "| {name} | {:>8} | {:>9} | {:>9} | {:>10} |",
                sample.len(),
                milliseconds(sample.median()),
                milliseconds(sample.percentile(99)),
                milliseconds(sample.percentile(100)),
            )?;
        }
        writeln!(
            formatter,
            "\n{} refused. That import, on a machine this busy, took {}.",
            meanwhile.refused,
            seconds(meanwhile.import.took)
        )
    }

    fn write_commands(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "The whole process, {} tokens in the registry:\n", grouped(self.plan.many))?;
        writeln!(formatter, "| command                               | runs |    median |      worst | peak memory |")?;
        writeln!(formatter, "|:--------------------------------------|-----:|----------:|-----------:|------------:|")?;
        for (name, sample) in
            [("token show SERIAL", &self.commands.show), ("token assign SERIAL USER", &self.commands.assign)]
        {
            write_short(formatter, name, sample)?;
        }
        for (option, lap) in &self.commands.lists {
            write_long(formatter, format!("token list {option}").trim_end(), *lap)?;
        }
        let name = format!("token assign --from, {} new owners", grouped(self.plan.few));
        write_long(formatter, &name, self.assigning)
    }
}

fn write_short(formatter: &mut fmt::Formatter<'_>, name: &str, sample: &Sample) -> fmt::Result {
    let (median, worst) = (milliseconds(sample.median()), milliseconds(sample.percentile(100)));
    writeln!(formatter, "| {name:<37} | {:>4} | {median:>9} | {worst:>10} | {:>11} |", sample.len(), "")
}

fn write_long(formatter: &mut fmt::Formatter<'_>, name: &str, lap: Lap) -> fmt::Result {
    let (took, peak) = (seconds(lap.took), mebibytes(lap.peak));
    writeln!(formatter, "| {name:<37} | {:>4} | {took:>9} | {:>10} | {peak:>11} |", 1, "")
}

fn within(what: &str, most: Duration, took: Duration) -> Target {
    Target::new(format!("{what} takes ≤ {} s", most.as_secs()), seconds(took), took <= most)
}

fn within_memory(what: &str, most: u64, peak: u64) -> Target {
    Target::new(format!("{what} takes ≤ {} MiB of memory", most >> 10), mebibytes(peak), peak <= most)
}

impl fmt::Display for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_imports(formatter)?;
        writeln!(formatter)?;
        self.write_documents(formatter)?;
        writeln!(formatter)?;
        self.write_logins(formatter)?;
        writeln!(formatter)?;
        self.write_meanwhile(formatter)?;
        writeln!(formatter)?;
        self.write_commands(formatter)
    }
}
