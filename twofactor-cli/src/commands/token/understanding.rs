//! `--explain`: how a seed file was understood, with its first row as an example. Nothing is imported and no secret is
//! shown.

use std::fmt::Write as _;

use serde_json::{Value, json};
use twofactor_admin::seed_files::{Explanation, Row, SeedFile};
use twofactor_core::codes::otp::Kind;

use crate::args::tokens::Import;
use crate::commands::token::doubts;
use crate::error::Failure;
use crate::output::values::counted;
use crate::output::{Output, Stream, printable, wrapped};

/// The stand-in for a secret.
const MASK: &str = "********";
/// So many columns of a table are shown, and so many characters of a name.
const LONGEST_NAME: usize = 48;

/// Shows how a file was understood.
pub(super) fn show(arguments: &Import, seeds: &SeedFile, output: &Output) -> Result<(), Failure> {
    let width = output.screen(Stream::Results).size.map_or(usize::MAX, |(columns, _)| columns);
    output.report_lines(|| as_text(arguments, seeds, width), || as_json(arguments, seeds))?;
    let refusal = doubts::refusal(seeds).filter(|_| arguments.strict);
    refusal.or_else(|| doubts::about_secrets(twice(seeds), seeds, arguments.strict)).map_or(Ok(()), Err)
}

/// The number of secrets that could be encoded twice. The survey looks at some; this at all.
fn twice(seeds: &SeedFile) -> u64 {
    seeds.rows().map(|row| u64::from(row.token.is_ok_and(|offered| offered.twice))).sum()
}

/// A line of a report: its label and its words, which stay in the second column.
pub(super) fn line(label: &str, words: &str, width: usize) -> String {
    wrapped(&format!("{label:<12}"), words, 0, width) + "\n"
}

fn as_text(arguments: &Import, seeds: &SeedFile, width: usize) -> String {
    let mut text = "how the file is understood; nothing was changed\n".to_owned();
    text += &line("File:", &format!("{} ({})", arguments.file.display(), seeds.form()), width);
    text += &line("Rows:", &seeds.row_count().to_string(), width);
    for explanation in seeds.explanations() {
        let Explanation { entry, layout, parts } = explanation;
        if let Some(entry) = entry {
            text += &line("Entry:", &entry, width);
        }
        text += &line("Layout:", &layout, width);
        let longest = parts.iter().map(|part| part.name.chars().count().min(LONGEST_NAME)).max().unwrap_or_default();
        for part in parts {
            let name = printable(&part.name, LONGEST_NAME);
            text += &line("", &format!("{name:<longest$}  {}", part.taken_for.unwrap_or("(not read)")), usize::MAX);
        }
    }
    for (label, sentence) in doubts::lines(seeds) {
        text += &line(label, &sentence, width);
    }
    text += &doubts::encoded_twice(twice(seeds), seeds).map(|note| line("Note:", &note, width)).unwrap_or_default();
    if let Some(row) = seeds.rows().next() {
        text += &line("Row 1:", &example(&row), width);
    }
    text
}

/// A row in words, with its secret masked.
fn example(row: &Row) -> String {
    let offered = match &row.token {
        Ok(offered) => offered,
        Err(rejection) => return format!("{}: would be refused: {rejection}", row.place),
    };
    let bytes = counted((offered.secret.bits() / 8) as u64, "byte");
    let mut text = format!("{}: token {}, secret {MASK} ({bytes})", row.place, offered.serial);
    let parameters = offered.parameters;
    let (algorithm, digits) = (parameters.algorithm, parameters.digits.count());
    let _ = match parameters.kind {
        Kind::Totp(period) => write!(text, ", TOTP, {algorithm}, {digits} digits, {} s", period.seconds()),
        Kind::Hotp => {
            let counter = offered.counter.unwrap_or_default();
            write!(text, ", HOTP, {algorithm}, {digits} digits, counter {counter}")
        }
    };
    for word in [&offered.vendor, &offered.model].into_iter().flatten() {
        let _ = write!(text, ", {word}");
    }
    text
}

fn as_json(arguments: &Import, seeds: &SeedFile) -> Value {
    let documents: Vec<Value> = seeds
        .explanations()
        .map(|Explanation { entry, layout, parts }| {
            let part = |part: &twofactor_admin::seed_files::Part| json!({ "name": part.name, "taken_for": part.taken_for });
            json!({ "entry": entry.as_deref(), "layout": layout, "columns": parts.iter().map(part).collect::<Vec<_>>() })
        })
        .collect();
    let (assumptions, unexplained) = doubts::as_json(seeds);
    json!({
        "file": arguments.file.to_string_lossy(),
        "form": seeds.form().to_string(),
        "rows": seeds.row_count(),
        "documents": documents,
        "assumptions": assumptions,
        "unexplained": unexplained,
        "example": seeds.rows().next().map(|row| example(&row)),
    })
}
