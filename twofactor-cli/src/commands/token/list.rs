//! `twofactor token list`: tokens one by one, as they are read. A million of them never stand in memory.

use std::fmt::Write as _;

use twofactor_core::account::lifecycle::Stage;
use twofactor_core::host::user::{SystemUsers, UserDatabase as _, UserName};
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{TokenError, TokenFilter, TokenView, each_token};

use crate::args::tokens::List;
use crate::commands::token::rendering::{as_json, tinted_stage};
use crate::error::Failure;
use crate::host::Host;
use crate::output::values::{counted, csv_row};
use crate::output::{Format, Output, Pieces, Reader, Screen, Stream, Unwritten, element};

pub(super) fn run(arguments: &List, host: &Host, output: &Output) -> Result<(), Failure> {
    let (filter, owner) = filter(arguments, host)?;
    let form = match output.format() {
        _ if arguments.csv => Form::Csv,
        _ if arguments.json_lines => Form::JsonLines,
        Format::Json => Form::Json,
        Format::Text => Form::Table(Columns::fitting(output.screen(Stream::Results).size.map(|(columns, _)| columns))),
    };
    let mut counts = Counts::default();
    let screen = output.screen(Stream::Results);
    let mut listing = Listing { form, screen, pieces: Pieces::new(), is_empty: true };
    let walked = each_token(&*host.accounts, &filter, |view| {
        counts.count(view.stage);
        match listing.add(&view)? {
            Reader::Here => Ok(()),
            Reader::Gone => Err(Stop::ReaderGone),
        }
    });
    match walked {
        Ok(()) => {}
        Err(Stop::ReaderGone) => return Ok(()),
        Err(Stop::Failure(failure)) => return Err(failure),
    }
    if counts.all() == 0
        && let (Owner::Stranger, Some(typed)) = (owner, &arguments.user)
    {
        return Err(Failure::UnknownUser(typed.clone()));
    }
    listing.finish()?;
    if matches!(form, Form::Table(_)) {
        output.explain(&counts.in_words());
    }
    Ok(())
}

/// The host's knowledge of the user whose tokens are asked for. A user who was deleted may still own some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Known,
    Stranger,
}

fn filter(arguments: &List, host: &Host) -> Result<(TokenFilter, Owner), Failure> {
    let known = arguments.user.as_deref().map(|typed| SystemUsers.canonical(typed)).transpose()?.flatten();
    let (owner, whose) = match (&arguments.user, known) {
        (Some(typed), None) => {
            let name = UserName::new(typed).map_err(|_| Failure::UnknownUser(typed.clone()))?;
            (Some(name), Owner::Stranger)
        }
        (_, known) => (known, Owner::Known),
    };
    if let Some(series) = &arguments.series
        && host.accounts.series(series)?.is_none()
    {
        return Err(TokenError::NoSeries(series.clone()).into());
    }
    let (series, serial) = (arguments.series.clone(), arguments.serial.clone());
    Ok((TokenFilter { series, stage: arguments.state, owner, serial }, whose))
}

/// Why the list ended early.
enum Stop {
    /// It has read what it wanted.
    ReaderGone,
    Failure(Failure),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failure(error.into())
    }
}

impl From<Unwritten> for Stop {
    fn from(error: Unwritten) -> Self {
        Self::Failure(error.into())
    }
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Table(Columns),
    Csv,
    /// One array.
    Json,
    /// One object a line.
    JsonLines,
}

/// A list on its way to its reader.
struct Listing {
    form: Form,
    screen: Screen,
    pieces: Pieces,
    is_empty: bool,
}

impl Listing {
    fn add(&mut self, view: &TokenView) -> Result<Reader, Unwritten> {
        let is_first = std::mem::replace(&mut self.is_empty, false);
        let mut text = match self.form {
            Form::Table(columns) if is_first => columns.header(),
            Form::Csv if is_first => CSV_HEADER.to_owned(),
            Form::Json => if is_first { "[\n" } else { ",\n" }.to_owned(),
            Form::Table(_) | Form::Csv | Form::JsonLines => String::new(),
        };
        match self.form {
            Form::Table(columns) => {
                let mut row = String::new();
                columns.row(&mut row, &cells(view));
                // No serial has a blank, so these are the blanks before the state.
                let state = tinted_stage(view.stage, self.screen);
                text.push_str(&row.replacen(&format!("  {}", view.stage), &format!("  {state}"), 1));
            }
            Form::Csv => csv_row(&mut text, CSV_HEADER, &as_json(view)),
            Form::Json => text.push_str(&element(as_json(view))),
            Form::JsonLines => {
                let _ = writeln!(text, "{}", element(as_json(view)));
            }
        }
        self.pieces.write(&text)
    }

    fn finish(mut self) -> Result<(), Unwritten> {
        let end = match (self.form, self.is_empty) {
            (Form::Json, true) => "[]\n",
            (Form::Json, false) => "\n]\n",
            (Form::Csv, true) => CSV_HEADER,
            (Form::Table(_) | Form::JsonLines, _) | (Form::Csv, false) => "",
        };
        let _ = self.pieces.write(end)?;
        self.pieces.finish()
    }
}

/// The widths of the columns. A list that is not collected cannot look at its widest cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    widths: [usize; 5],
    cut: Cut,
}

/// The fate of a value that is wider than its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// It is cut: on a terminal, where lines must not break.
    Wide,
    /// It stands as it is: for scripts.
    Nothing,
}

const NAMES: [&str; 6] = ["SERIAL", "STATE", "USER", "SERIES", "TYPE", "LAST ACCEPTED"];

/// With two blanks between them and a time of 20 characters at the end: 80 columns.
const NARROW: [usize; 5] = [14, 9, 12, 11, 4];

impl Columns {
    /// For a screen of so many columns; `None` is no screen.
    fn fitting(columns: Option<usize>) -> Self {
        let Some(columns) = columns else { return Self { widths: NARROW, cut: Cut::Nothing } };
        let [serial, state, user, series, kind] = NARROW;
        let share = columns.saturating_sub(80) / 3;
        Self { widths: [serial + share, state, user + share, series + share, kind], cut: Cut::Wide }
    }

    fn header(self) -> String {
        let mut text = String::new();
        self.row(&mut text, &NAMES.map(str::to_owned));
        text
    }

    fn row(self, text: &mut String, cells: &[String; 6]) {
        for (cell, width) in cells.iter().zip(self.widths) {
            let length = cell.chars().count();
            if length > width && self.cut == Cut::Wide {
                text.extend(cell.chars().take(width - 1));
                text.push('…');
            } else {
                text.push_str(cell);
                text.extend(std::iter::repeat_n(' ', width.saturating_sub(length)));
            }
            text.push_str("  ");
        }
        text.push_str(&cells[5]);
        text.push('\n');
    }
}

fn cells(view: &TokenView) -> [String; 6] {
    let token = view;
    let optional = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), |text| text.escape_debug().to_string());
    let last = match (&view.problem, view.last_accepted) {
        (Some(_), _) => "unknown".to_owned(),
        (None, Some(at)) => at.to_string(),
        (None, None) if token.owner.is_some() => "never".to_owned(),
        (None, None) => "-".to_owned(),
    };
    [
        token.serial.to_string(),
        view.stage.to_string(),
        optional(token.owner.as_ref().map(UserName::as_str)),
        optional(token.series.as_deref()),
        token.parameters.kind.name().to_owned(),
        last,
    ]
}

/// The names of JSON, in one line.
const CSV_HEADER: &str = "serial,state,user,series,type,algorithm,digits,period,drift,near_misses,assigned_at,\
                          last_accepted,issued,vendor,model,problem,uid\n";

/// The number of tokens in each state.
#[derive(Debug, Default)]
struct Counts([u64; Stage::ALL.len()]);

impl Counts {
    fn count(&mut self, stage: Stage) {
        for ((known, _), count) in Stage::ALL.into_iter().zip(&mut self.0) {
            *count += u64::from(known == stage);
        }
    }

    fn all(&self) -> u64 {
        self.0.iter().sum()
    }

    /// `3 tokens: 2 inventory, 1 active`.
    fn in_words(&self) -> String {
        let stages = Stage::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0);
        let stages: Vec<String> = stages.map(|((_, word), count)| format!("{count} {word}")).collect();
        match stages.as_slice() {
            [] => "no tokens".to_owned(),
            stages => format!("{}: {}", counted(self.all(), "token"), stages.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(columns: Columns) -> String {
        let cells = ["12345678901234567890", "inventory", "alice", "-", "totp", "2026-11-21T22:27:54Z"];
        let mut text = String::new();
        columns.row(&mut text, &cells.map(str::to_owned));
        text
    }

    #[test]
    fn a_row_fits_a_terminal_of_80_columns() {
        let row = row(Columns::fitting(Some(80)));
        assert_eq!(row.trim_end().chars().count(), 80, "{row}");
        assert!(row.starts_with("1234567890123…  inventory  alice "), "{row}");
        assert!(Columns::fitting(Some(80)).header().chars().count() <= 81);
    }

    #[test]
    fn a_wide_terminal_and_a_script_see_whole_values() {
        assert!(row(Columns::fitting(Some(132))).starts_with("12345678901234567890 "));
        assert!(row(Columns::fitting(None)).starts_with("12345678901234567890  inventory"));
    }

    #[test]
    fn counts_name_what_is_there() {
        let mut counts = Counts::default();
        assert_eq!(counts.in_words(), "no tokens");
        counts.count(Stage::Active);
        assert_eq!(counts.in_words(), "1 token: 1 active");
        counts.count(Stage::Inventory);
        counts.count(Stage::Inventory);
        assert_eq!(counts.in_words(), "3 tokens: 2 inventory, 1 active");
    }
}
