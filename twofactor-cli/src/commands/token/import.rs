//! `twofactor token import FILE`: a vendor's seed file into the registry.
//!
//! Invariants: every row is judged before one is written; a file with rows that cannot be imported is refused as a
//! whole, unless `--keep-going`. A dry run says the same and changes nothing. Many rows are read one by one, twice: a
//! million of them do not stand in memory.

use std::path::Path;

use serde_json::{Value, json};
use twofactor_admin::seed_files::{Container, Note, Offered, Row, SeedFile};
use twofactor_core::codes::otp::{Kind, Parameters};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{Counts, Finding, NewToken, Origin, Sharing, TokenImport};

use crate::args::tokens::{Import, is_series_name};
use crate::commands::token::rejects::Rejects;
use crate::commands::token::seed_file::{self, Privacy};
use crate::commands::token::{doubts, understanding};
use crate::error::{Failure, MOST_LINES, quoted};
use crate::host::Host;
use crate::journal;
use crate::output::values::{counted, in_hex};
use crate::output::{self, Format, Output, Stream};
use crate::progress::Progress;

pub(super) fn run(arguments: &Import, host: &Host, output: &Output) -> Result<(), Failure> {
    let (seeds, privacy) = seed_file::open(arguments)?;
    if arguments.explain {
        return understanding::show(arguments, &seeds, output);
    }
    if let Some(refusal) = doubts::refusal(&seeds).filter(|_| arguments.strict) {
        return Err(refusal);
    }
    let path = arguments.rejects.as_deref().filter(|_| !arguments.dry_run);
    let mut rejects = path.map(Rejects::create).transpose()?;
    let sysadmin = host.sysadmin()?;
    let mut import = if arguments.dry_run { host.accounts.import_rehearsal()? } else { host.accounts.import()? };
    import.share(arguments.sharing());
    import.expect(seeds.row_count());
    let series = Series::of(arguments, &*import, sysadmin.by().at)?;
    let mut rows = Rows::of(&seeds);
    let (counts, found) = plan(&mut rows, &mut *import, rejects.as_mut(), arguments, output)?;

    let refusal =
        refusal(counts, &found, arguments).or_else(|| doubts::about_secrets(found.twice, &seeds, arguments.strict));
    let fate = match &refusal {
        Some(_) => Fate::Refused,
        None if arguments.dry_run => Fate::Rehearsed,
        None if counts.added == 0 => Fate::NothingNew,
        None => Fate::Imported,
    };
    if fate == Fate::Imported {
        let file = arguments.file.to_string_lossy();
        let origin = Origin { series: &series.name, file: &file, sha256: seeds.sha256() };
        let progress = Progress::new("Writing", seeds.size_hint(), output);
        import.write::<Failure>(origin, counts.rejected, sysadmin.by(), |take| {
            rows.each(&progress, |row| match &row.token {
                Ok(offered) => take(&new_token(offered)),
                Err(_) => Ok(()),
            })
        })?;
        progress.done();
        note(&series, counts);
    }
    let rejects = match (rejects, fate) {
        (Some(rejects), Fate::Imported | Fate::NothingNew) => rejects.keep()?,
        _ => None,
    };
    let mut notes = notes(&seeds, counts, found.weak, privacy, fate, arguments);
    notes.extend(doubts::encoded_twice(found.twice, &seeds));
    if found.kept > 0 {
        let (are, they) = if found.kept == 1 { ("is", "it keeps") } else { ("are", "they keep") };
        let tokens = counted(found.kept, "token");
        let other = "there already with another type, hash, length or period than assumed here";
        notes.push(format!("{tokens} {are} {other}: {they} it; see \"twofactor token show SERIAL\""));
    }
    notes.extend(found.notes.iter().cloned());
    if found.more_notes > 0 {
        notes.push(format!("and {} more whose secrets apps have", counted(found.more_notes, "token")));
    }
    notes.extend(rejects.map(|path| format!("the rows that were not imported are in {}", path.display())));
    let report = Report { fate, arguments, series, counts, found, seeds: &seeds, notes };
    report.show(output)?;
    refusal.map_or(Ok(()), Err)
}

/// The series that the tokens join.
struct Series {
    name: String,
    is_new: bool,
}

impl Series {
    fn of(arguments: &Import, import: &dyn TokenImport, now: UnixTime) -> Result<Self, Failure> {
        Ok(match &arguments.series {
            Some(name) => Self { name: name.clone(), is_new: !import.has_series(name)? },
            None => Self { name: import.free_name(&default_name(&arguments.file, now))?, is_new: true },
        })
    }
}

/// The file's name without its ending; of standard input the day.
fn default_name(file: &Path, now: UnixTime) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().trim().to_owned());
    let stem = stem.filter(|stem| file != Path::new("-") && is_series_name(stem));
    stem.unwrap_or_else(|| {
        let now = now.to_string();
        format!("import-{}", now.get(..10).unwrap_or(&now))
    })
}

/// Judges every row.
fn plan(
    rows: &mut Rows<'_>,
    import: &mut dyn TokenImport,
    mut rejects: Option<&mut Rejects>,
    arguments: &Import,
    output: &Output,
) -> Result<(Counts, Found), Failure> {
    let seeds = rows.seeds;
    let progress = Progress::new("Reading", seeds.size_hint(), output);
    let mut found = Found::default();
    let mut rejected = 0;
    let counts = import.plan::<Failure>(|judge| {
        rows.each(&progress, |row| {
            let problem = match &row.token {
                Ok(offered) => {
                    found.weak += u64::from(offered.weak);
                    found.twice += u64::from(offered.twice);
                    let finding = judge(&new_token(offered))?;
                    let problem = in_words(&finding, offered);
                    match (finding, problem) {
                        (Finding::OtherThanAssumed(_), problem) => {
                            found.kept += 1;
                            problem
                        }
                        (Finding::OtherParameters(_) | Finding::ParametersTwice(_), problem) => {
                            found.advice.get_or_insert(OTHER_PARAMETERS);
                            problem
                        }
                        (Finding::Shared(_), Some(problem)) if arguments.sharing() == Sharing::Allow => {
                            found.note(problem);
                            None
                        }
                        (finding, problem) => {
                            found.shared += u64::from(matches!(finding, Finding::Shared(_)));
                            problem
                        }
                    }
                }
                Err(rejection) => {
                    rejected += 1;
                    found.advice.get_or_insert_with(|| rejection.hint());
                    Some(rejection.to_string())
                }
            };
            let Some(problem) = problem else { return Ok(()) };
            found.problem(row, problem);
            if let Some(rejects) = &mut rejects {
                rejects.add(row, seeds)?;
            }
            Ok(())
        })
    })?;
    progress.done();
    Ok((Counts { rejected, ..counts }, found))
}

/// Once in so many rows the progress bar is drawn.
const TICK: usize = 4096;

/// So many rows are kept when they have been read once: their tokens take 35 MB.
const FEW: usize = 100_000;

/// The rows of a file, to be gone through twice.
struct Rows<'s> {
    seeds: &'s SeedFile,
    /// Those that were read; empty where there are too many.
    kept: Vec<Row>,
}

impl<'s> Rows<'s> {
    fn of(seeds: &'s SeedFile) -> Self {
        Self { seeds, kept: Vec::new() }
    }

    /// Hands out all rows in order, which a progress bar follows.
    fn each(&mut self, progress: &Progress, mut take: impl FnMut(&Row) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut index = 0_usize;
        let mut take = |row: &Row| {
            if index.is_multiple_of(TICK) {
                progress.reached(row.reached);
            }
            index += 1;
            take(row)
        };
        if !self.kept.is_empty() {
            return self.kept.iter().try_for_each(take);
        }
        if self.seeds.row_count() > FEW {
            return self.seeds.each_row(take);
        }
        self.kept.reserve_exact(self.seeds.row_count());
        for row in self.seeds.rows() {
            take(&row)?;
            self.kept.push(row);
        }
        Ok(())
    }
}

fn new_token(offered: &Offered) -> NewToken<'_> {
    NewToken {
        serial: &offered.serial,
        secret: &offered.secret,
        marks: offered.marks,
        parameters: offered.parameters,
        stated: offered.stated,
        counter: offered.counter,
        drift: offered.drift,
        vendor: offered.vendor.as_deref(),
        model: offered.model.as_deref(),
    }
}

/// The row's conflict with the registry; `None` when there is none.
fn in_words(finding: &Finding, offered: &Offered) -> Option<String> {
    let serial = &offered.serial;
    match finding {
        Finding::New | Finding::Unchanged | Finding::OtherThanAssumed(_) => None,
        Finding::OtherParameters(there) => {
            Some(format!("token {serial} is there already, with {}", differences(*there, offered.parameters)))
        }
        Finding::ParametersTwice(Some(before)) => {
            Some(format!("token {serial} stands in the file before, with {}", differences(*before, offered.parameters)))
        }
        Finding::ParametersTwice(None) => {
            Some(format!("token {serial} stands in the file before, perhaps with another type, hash, length or period"))
        }
        Finding::OtherSecret => Some(format!("token {serial} is there already, with another secret")),
        Finding::OtherSerial(other) => Some(format!("the secret of token {serial} is there already, as token {other}")),
        Finding::Revoked => Some(format!("token {serial} was revoked")),
        Finding::Shared(user) => Some(format!("an app of {user} has the secret of token {serial}")),
        Finding::SerialTwice => Some(format!("token {serial} stands in the file before, with another secret")),
        Finding::SecretTwice => {
            Some(format!("the secret of token {serial} stands in the file before, with another serial"))
        }
    }
}

/// The way out where one side says otherwise how codes are made.
const OTHER_PARAMETERS: &str = "--type, --algorithm, --digits and --period say what is right; \
                                \"twofactor token probe SERIAL\" finds it out and corrects a series";

/// The differences between two sets of parameters: `8 digits, 60 s, not 6 digits, 30 s`.
fn differences(there: Parameters, here: Parameters) -> String {
    let pairs = [
        (said_of(there.kind), said_of(here.kind)),
        (there.algorithm.name().to_owned(), here.algorithm.name().to_owned()),
        (format!("{} digits", there.digits.count()), format!("{} digits", here.digits.count())),
    ];
    let (there, here): (Vec<_>, Vec<_>) = pairs.into_iter().filter(|(there, here)| there != here).unzip();
    format!("{}, not {}", there.join(", "), here.join(", "))
}

fn said_of(kind: Kind) -> String {
    match kind {
        Kind::Totp(period) => format!("TOTP of {} s", period.seconds()),
        Kind::Hotp => "HOTP".to_owned(),
    }
}

/// Remarks about the rows. Only the first problems are kept.
#[derive(Debug, Default)]
struct Found {
    weak: u64,
    /// Tokens whose secrets were probably encoded twice.
    twice: u64,
    /// Tokens that were refused because users' apps have their secrets.
    shared: u64,
    /// Tokens that are there, with other parameters than those assumed for the file.
    kept: u64,
    /// Remarks on rows that were accepted.
    notes: Vec<String>,
    more_notes: u64,
    /// The way out for the first row that cannot be read or contradicts another in its parameters.
    advice: Option<&'static str>,
    problems: Vec<(String, String)>,
    more: u64,
}

impl Found {
    fn note(&mut self, note: String) {
        if self.notes.len() < MOST_LINES {
            self.notes.push(note);
        } else {
            self.more_notes += 1;
        }
    }

    fn problem(&mut self, row: &Row, problem: String) {
        if self.problems.len() < MOST_LINES {
            let column = row.column.map(|column| format!(", column {column}")).unwrap_or_default();
            self.problems.push((format!("{}{column}", row.place), problem));
        } else {
            self.more += 1;
        }
    }
}

impl Found {
    /// The problems to show, and how many more there are. The same of every row is said once.
    fn shown(&self) -> (&[(String, String)], u64) {
        let first = self.problems.first();
        let all_alike = self.problems.iter().all(|(_, problem)| first.is_some_and(|(_, other)| other == problem));
        let shown = if all_alike { self.problems.get(..1).unwrap_or_default() } else { &self.problems };
        (shown, self.more + (self.problems.len() - shown.len()) as u64)
    }
}

/// Why nothing is imported; `None` when something is.
fn refusal(counts: Counts, found: &Found, arguments: &Import) -> Option<Failure> {
    let Counts { added, unchanged, conflicts, rejected } = counts;
    let (good, bad) = (added + unchanged, conflicts + rejected);
    let refused = bad > 0 && (!arguments.keep_going || good == 0);
    refused.then_some(Failure::RowsRefused { conflicts, rejected, good, shared: found.shared, advice: found.advice })
}

fn note(series: &Series, counts: Counts) {
    let record = journal::about_series(Event::Imported, &series.name).with("new", counts.added);
    let record = record.with("unchanged", counts.unchanged).with("conflicts", counts.conflicts);
    journal::write(record.with("rejected", counts.rejected));
}

/// The assumptions and oddities.
fn notes(seeds: &SeedFile, counts: Counts, weak: u64, privacy: Privacy, fate: Fate, arguments: &Import) -> Vec<String> {
    // A command names the file where it is one.
    let named = |note: &Note| match note {
        Note::Owners(..) if arguments.file != Path::new("-") => {
            note.to_string().replace(" FILE ", &format!(" {} ", quoted(&arguments.file.to_string_lossy())))
        }
        note => note.to_string(),
    };
    // Without one token the file may be anything, and nothing is known about seeds.
    let has_seeds = counts.added + counts.unchanged + counts.conflicts > 0;
    let told = |note: &&Note| !note.is_doubt() && (has_seeds || !note.is_about_secrecy());
    let mut notes: Vec<String> = seeds.notes().iter().filter(told).map(named).collect();
    // Of a zip file the core has said it, entry by entry.
    let in_the_clear = seeds.form().container == Container::Plain && seeds.is_in_the_clear();
    let file = arguments.file.display();
    let travelled = format!("{file} is not encrypted: the seeds travelled in the clear, and others can read it");
    match (privacy, fate) {
        _ if !in_the_clear || !has_seeds || arguments.file == Path::new("-") => {}
        (Privacy::Private, Fate::Rehearsed | Fate::Refused) => {}
        (Privacy::Readable, Fate::Rehearsed | Fate::Refused) => {
            notes.push(format!("{travelled}: chmod 600 {}", quoted(&arguments.file.to_string_lossy())));
        }
        (Privacy::Readable, Fate::Imported | Fate::NothingNew) => notes.push(format!("{travelled}: remove it")),
        (Privacy::Private, Fate::Imported | Fate::NothingNew) => {
            notes.push(format!("{file} is not encrypted: remove it"));
        }
    }
    if weak > 0 {
        let have = if weak == 1 { "has" } else { "have" };
        notes.push(format!("{} {have} fewer than 128 bits, the least to use", counted(weak, "secret")));
    }
    notes
}

/// The end of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Imported,
    NothingNew,
    Rehearsed,
    Refused,
}

/// The report of an import; that of a dry run is the same.
struct Report<'a> {
    fate: Fate,
    arguments: &'a Import,
    series: Series,
    counts: Counts,
    found: Found,
    seeds: &'a SeedFile,
    notes: Vec<String>,
}

impl Report<'_> {
    fn show(&self, output: &Output) -> Result<(), Failure> {
        if output.format() == Format::Text {
            let (shown, more) = self.found.shown();
            for (place, problem) in shown {
                output::complaint(&format!("{place}: {problem}"));
            }
            if more > 0 {
                output::complaint(&format!("and {more} more"));
            }
        }
        let width = output.screen(Stream::Results).size.map_or(usize::MAX, |(columns, _)| columns);
        Ok(output.report_lines(|| self.as_text(width), || self.as_json())?)
    }

    fn heading(&self) -> String {
        match self.fate {
            _ if self.arguments.dry_run => "dry run: nothing was changed".to_owned(),
            Fate::Imported => format!("imported {}", counted(self.counts.added, "token")),
            Fate::NothingNew => "nothing new".to_owned(),
            Fate::Refused | Fate::Rehearsed => "nothing was imported".to_owned(),
        }
    }

    fn as_text(&self, width: usize) -> String {
        let Counts { added, unchanged, conflicts, rejected } = self.counts;
        let mut text = format!("{}\n", self.heading());
        let mut line = |label: &str, words: &str| text += &understanding::line(label, words, width);
        line("File:", &format!("{} ({})", self.arguments.file.display(), self.seeds.form()));
        line("SHA-256:", &in_hex(&self.seeds.sha256()));
        if added > 0 {
            let new = if self.series.is_new { "new" } else { "there already" };
            line("Series:", &format!("{} ({new})", self.series.name));
        }
        line("New:", &added.to_string());
        line("Unchanged:", &unchanged.to_string());
        line("Conflicts:", &conflicts.to_string());
        line("Rejected:", &rejected.to_string());
        for (label, sentence) in doubts::lines(self.seeds) {
            line(label, &sentence);
        }
        for note in &self.notes {
            line("Note:", note);
        }
        text
    }

    fn as_json(&self) -> Value {
        let (assumptions, unexplained) = doubts::as_json(self.seeds);
        let problem = |(place, problem): &(String, String)| json!({ "place": place, "problem": problem });
        json!({
            "imported": self.fate == Fate::Imported,
            "dry_run": self.arguments.dry_run,
            "file": self.arguments.file.to_string_lossy(),
            "form": self.seeds.form().to_string(),
            "sha256": in_hex(&self.seeds.sha256()),
            "series": (self.counts.added > 0).then_some(self.series.name.as_str()),
            "new": self.counts.added,
            "unchanged": self.counts.unchanged,
            "conflicts": self.counts.conflicts,
            "rejected": self.counts.rejected,
            "assumptions": assumptions,
            "unexplained": unexplained,
            "notes": self.notes,
            "problems": self.found.problems.iter().map(problem).collect::<Vec<_>>(),
            "more_problems": self.found.more,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_named_after_its_file() {
        let now = UnixTime::from_seconds(1_795_300_074);
        assert_eq!(default_name(Path::new("/root/tokens.zip"), now), "tokens");
        for nameless in ["-", "/", "a\nb.csv"] {
            assert_eq!(default_name(Path::new(nameless), now), "import-2026-11-21", "{nameless:?}");
        }
    }
}
