//! `twofactor series list|show|delete`: all tokens that came together.

use std::fmt::Write as _;

use serde_json::{Value, json};
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::TokenError;
use twofactor_core::store::administration::{ImportRecord, SeriesSummary};

use crate::args::Series;
use crate::args::tokens::DeleteSeries;
use crate::asking::Asking;
use crate::error::Failure;
use crate::host::{self, Host};
use crate::journal;
use crate::output::values::{counted, day, in_hex};
use crate::output::{self, Cell, Output, Screen, Stream, Tint};

/// Does what was typed behind `series`.
pub(super) fn run(arguments: Series, host: &Host, output: &Output) -> Result<(), Failure> {
    match arguments {
        Series::List => list(host, output),
        Series::Show { series } => {
            let series = known_series(&series, host)?;
            Ok(output.report(|| detailed(&series), || as_json(&series))?)
        }
        Series::Delete(arguments) => delete(&arguments, host, output),
    }
}

fn known_series(name: &str, host: &Host) -> Result<SeriesSummary, Failure> {
    let series = host.accounts.series(name)?;
    Ok(series.ok_or_else(|| TokenError::NoSeries(name.to_owned()))?)
}

fn list(host: &Host, output: &Output) -> Result<(), Failure> {
    let all = host.accounts.all_series()?;
    if all.is_empty() {
        return Ok(output.done(|| "There are no series.\n".to_owned(), || json!([]))?);
    }
    Ok(output.report_whole(|| table(&all, output.screen(Stream::Results)), || all.iter().map(as_json).collect())?)
}

fn table(all: &[SeriesSummary], screen: Screen) -> String {
    let row = |series: &SeriesSummary| {
        let number = |number: u64, tint| Cell::tinted(number.to_string(), if number == 0 { Tint::Plain } else { tint });
        let last = series.imports.last().map_or_else(|| "-".to_owned(), |import| day(import.at));
        [
            series.name.escape_debug().to_string().into(),
            number(series.tokens, Tint::Plain),
            number(series.inventory, Tint::Plain),
            number(series.assigned, Tint::Green),
            number(series.unusable, Tint::Yellow),
            number(series.revoked, Tint::Red),
            last.into(),
        ]
    };
    let header = ["SERIES", "TOKENS", "INVENTORY", "ASSIGNED", "UNUSABLE", "REVOKED", "LAST IMPORT"];
    output::table(header, all.iter().map(row).collect(), [12, 6, 9, 8, 8, 7, 11], screen)
}

fn detailed(series: &SeriesSummary) -> String {
    let mut text = format!("Series:    {}\n", series.name.escape_debug());
    let _ = writeln!(text, "Tokens:    {}", series.tokens);
    let _ = writeln!(text, "Inventory: {}", series.inventory);
    let _ = writeln!(text, "Assigned:  {}", series.assigned);
    let _ = writeln!(text, "Unusable:  {} (disabled or lost)", series.unusable);
    let _ = writeln!(text, "Revoked:   {}", series.revoked);
    for import in &series.imports {
        let _ = writeln!(text, "ImportRecord:    {}, by {}", import.at, import.who.escape_debug());
        let _ = writeln!(text, "           {}", import.file.escape_debug());
        let _ = writeln!(text, "           SHA-256\n           {}", in_hex(&import.sha256));
        let ImportRecord { added, unchanged, conflicts, rejected, .. } = import;
        let _ =
            writeln!(text, "           {added} new, {unchanged} unchanged, {conflicts} conflicts, {rejected} rejected");
    }
    text
}

fn as_json(series: &SeriesSummary) -> Value {
    let import = |import: &ImportRecord| {
        json!({
            "file": import.file,
            "sha256": in_hex(&import.sha256),
            "at": import.at.to_string(),
            "by": import.who,
            "new": import.added,
            "unchanged": import.unchanged,
            "conflicts": import.conflicts,
            "rejected": import.rejected,
        })
    };
    json!({
        "series": series.name,
        "tokens": series.tokens,
        "assigned": series.assigned,
        "unusable": series.unusable,
        "revoked": series.revoked,
        "imports": series.imports.iter().map(import).collect::<Vec<_>>(),
    })
}

fn delete(arguments: &DeleteSeries, host: &Host, output: &Output) -> Result<(), Failure> {
    let name = &arguments.series;
    let series = known_series(name, host)?;
    let shown = name.escape_debug();
    let asking = Asking::unless(&arguments.yes);
    let tokens = counted(series.tokens.saturating_sub(series.revoked), "token");
    asking.confirm(&format!("Delete series {shown} with {tokens}, {} of them assigned? [y/N] ", series.assigned))?;
    host::raise_open_files();
    let sysadmin = host.sysadmin()?;
    let last = arguments.force.last_credential();
    let deleted = asking.act(last, |last| host.accounts.delete_series(name, last, sysadmin.by()))?;
    journal::write(journal::about_series(Event::SeriesDeleted, name).with("tokens", deleted));
    Ok(output.done(
        || format!("Series {shown} is deleted, with {}.\n", counted(deleted as u64, "token")),
        || json!({ "series": name, "tokens": deleted }),
    )?)
}
