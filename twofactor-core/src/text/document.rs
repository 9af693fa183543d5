//! A TOML file read strictly: every key is known, every value has its type and range, and what is wrong is named by
//! line and column together with the nearest known key.
//!
//! The problems of a file are collected, so that a sysadmin sees them at once. Messages never repeat a value: the same
//! reader serves files that hold secrets.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::host::clock::UnixTime;

/// Something wrong at one place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// A sentence without final period.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Reads a file whose root `meaning` understands. The result counts only when nothing was found wrong.
pub fn read<T>(text: &str, meaning: impl FnOnce(Section<'_, '_>) -> Option<T>) -> Result<T, Vec<Problem>> {
    let reader = Reader::new(text);
    let read = reader.parse().and_then(|document| meaning(Section::root(&reader, &document)));
    match (read, reader.into_problems()) {
        (Some(read), problems) if problems.is_empty() => Ok(read),
        (_, problems) => Err(problems),
    }
}

/// Reads what `meaning` looks for out of a file that may be wrong elsewhere, even so that it is not TOML.
pub fn read_leniently<T>(text: &str, meaning: impl FnOnce(Section<'_, '_>) -> Option<T>) -> Option<T> {
    let reader = Reader::new(text);
    let (document, _) = DeTable::parse_recoverable(text);
    meaning(Section::root(&reader, &document))
}

/// The text of a file and what was found wrong with it.
struct Reader<'t> {
    text: &'t str,
    problems: RefCell<Vec<(usize, String)>>,
}

impl<'t> Reader<'t> {
    /// A reader of `text` that has found nothing wrong yet.
    fn new(text: &'t str) -> Self {
        Self { text, problems: RefCell::new(Vec::new()) }
    }

    /// Parses the text. `None` when it is not TOML; the problem is recorded.
    fn parse(&self) -> Option<Spanned<DeTable<'t>>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(table),
            Err(error) => {
                let offset = error.span().map_or(0, |span| span.start);
                self.complain(offset, format!("this is not TOML: {}", error.message()));
                None
            }
        }
    }

    /// Records a problem at a byte offset.
    fn complain(&self, offset: usize, message: impl Into<String>) {
        self.problems.borrow_mut().push((offset, message.into()));
    }

    /// The problems in the order of the file, at most `MOST_PROBLEMS`; empty when the file is good.
    fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(offset, _)| *offset);
        problems.truncate(MOST_PROBLEMS);
        let mut located = Vec::with_capacity(problems.len());
        let (mut line, mut line_start) = (1, 0);
        let mut newlines = self.text.match_indices('\n').map(|(newline, _)| newline).peekable();
        for (offset, message) in problems {
            while let Some(newline) = newlines.next_if(|newline| *newline < offset) {
                line += 1;
                line_start = newline + 1;
            }
            let column = self.text.get(line_start..offset).map_or(0, |before| before.chars().count()) + 1;
            located.push(Problem { line, column, message });
        }
        located
    }
}

/// The most problems that are reported: more are not fixed at once, and every one is a line in the log.
const MOST_PROBLEMS: usize = 20;

/// A table of the file. Every key that is asked for is known; [`Section::finish`] complains about all others.
pub struct Section<'r, 't> {
    reader: &'r Reader<'t>,
    table: &'r DeTable<'t>,
    offset: usize,
    known: RefCell<Vec<&'static str>>,
}

impl<'r, 't> Section<'r, 't> {
    /// The whole file as a section.
    fn root(reader: &'r Reader<'t>, table: &'r Spanned<DeTable<'t>>) -> Self {
        Self::new(reader, table.get_ref(), table.span().start)
    }

    fn new(reader: &'r Reader<'t>, table: &'r DeTable<'t>, offset: usize) -> Self {
        Self { reader, table, offset, known: RefCell::new(Vec::new()) }
    }

    /// The table `[name]`, when it is there.
    pub fn section(&self, name: &'static str) -> Option<Self> {
        let value = self.value(name)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Self::new(self.reader, table, value.span().start)),
            other => {
                self.wrong_type(value, other, "a table");
                None
            }
        }
    }

    /// Every table of the array `[[name]]`.
    pub fn sections(&self, name: &'static str) -> Vec<Self> {
        let Some(value) = self.value(name) else {
            return Vec::new();
        };
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong_type(value, value.get_ref(), "an array of tables");
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in array {
            match item.get_ref() {
                DeValue::Table(table) => sections.push(Self::new(self.reader, table, item.span().start)),
                other => self.wrong_type(item, other, "a table"),
            }
        }
        sections
    }

    /// A string.
    pub fn string(&self, name: &'static str) -> Option<Found<&'r str>> {
        let value = self.value(name)?;
        self.as_string(value)
    }

    /// A list of strings.
    pub fn strings(&self, name: &'static str) -> Option<Vec<Found<&'r str>>> {
        let value = self.value(name)?;
        match value.get_ref() {
            DeValue::Array(array) => Some(array.iter().filter_map(|item| self.as_string(item)).collect()),
            other => {
                let text = if let DeValue::String(text) = other { text } else { "..." };
                let found = other.type_str();
                let example = printable(text);
                self.complain(value, format!("this must be a list of strings, not {found}, like [\"{example}\"]"));
                None
            }
        }
    }

    /// `true` or `false`.
    pub fn boolean(&self, name: &'static str) -> Option<bool> {
        let value = self.value(name)?;
        match value.get_ref() {
            DeValue::Boolean(boolean) => Some(*boolean),
            other => {
                self.wrong_type(value, other, "true or false");
                None
            }
        }
    }

    /// A whole number within `range`.
    pub fn integer<T>(&self, name: &'static str, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + fmt::Display,
    {
        let value = self.value(name)?;
        let DeValue::Integer(integer) = value.get_ref() else {
            self.wrong_type(value, value.get_ref(), "a whole number");
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let fitting = number.and_then(|number| T::try_from(number).ok()).filter(|number| range.contains(number));
        if fitting.is_none() {
            let (first, last) = (range.start(), range.end());
            self.complain(value, format!("{name} is a whole number from {first} to {last}"));
        }
        fitting
    }

    /// A duration like `"60s"` or `"1h 30m"`, at most `longest`.
    pub fn duration(&self, name: &'static str, longest: Duration) -> Option<Duration> {
        let text = self.string(name)?;
        let parsed = if text.value == "0" { Ok(Duration::ZERO) } else { humantime::parse_duration(text.value) };
        match parsed {
            Ok(duration) if duration <= longest => Some(duration),
            Ok(_) => {
                self.reader.complain(text.offset, format!("{name} is at most {}", humantime::format_duration(longest)));
                None
            }
            Err(_) => {
                self.reader.complain(text.offset, format!("{name} is a duration like \"60s\", \"15m\" or \"24h\""));
                None
            }
        }
    }

    /// The first moment of a day in UTC: `2027-01-31`, without quotes.
    pub fn day(&self, name: &'static str) -> Option<UnixTime> {
        let value = self.value(name)?;
        let day = match value.get_ref() {
            DeValue::Datetime(datetime) if datetime.time.is_none() => datetime.date,
            _ => None,
        };
        let moment = day.and_then(|day| UnixTime::from_rfc3339(&format!("{day}T00:00:00Z")));
        if moment.is_none() {
            self.complain(value, format!("{name} is a day like 2027-01-31, without quotes and time"));
        }
        moment
    }

    /// The line this section begins at, from 1.
    pub fn line(&self) -> usize {
        let before = self.reader.text.get(..self.offset).unwrap_or_default();
        before.matches('\n').count() + 1
    }

    /// One of a fixed set of words.
    pub fn word<T: Copy>(&self, name: &'static str, words: &[(T, &'static str)]) -> Option<Found<T>> {
        let text = self.string(name)?;
        if let Some((meaning, _)) = words.iter().find(|(_, word)| *word == text.value) {
            return Some(Found { value: *meaning, offset: text.offset });
        }
        let all: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
        self.reader
            .complain(text.offset, format!("{name}: \"{}\" is none of {}", printable(text.value), all.join(", ")));
        None
    }

    /// Marks `name` as known although this version does not read it.
    pub fn known(&self, name: &'static str) -> bool {
        self.value(name).is_some()
    }

    /// The value of `name`; complains when it is absent or not understood.
    pub fn required<T>(&self, name: &'static str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.missing(name);
        }
        value
    }

    /// Complains that `name` must be there.
    pub fn missing(&self, name: &'static str) {
        self.reader.complain(self.offset, format!("{name} is missing"));
    }

    /// Records a problem with this section as a whole.
    pub fn complain_here(&self, message: impl Into<String>) {
        self.reader.complain(self.offset, message);
    }

    /// Records a problem with a value that was found.
    pub fn complain_about<T>(&self, found: &Found<T>, message: impl Into<String>) {
        self.reader.complain(found.offset, message);
    }

    /// Complains about every key that was not asked for.
    pub fn finish(self) {
        let known = self.known.into_inner();
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let nearest = known
                .iter()
                .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
                .filter(|(likeness, _)| *likeness > 0.7)
                .max_by(|one, other| one.0.total_cmp(&other.0));
            let message = match nearest {
                Some((_, candidate)) => format!("unknown key {}; did you mean {candidate}?", printable(name)),
                None => format!("unknown key {}; known here: {}", printable(name), known.join(", ")),
            };
            self.reader.complain(key.span().start, message);
        }
    }

    fn value(&self, name: &'static str) -> Option<&'r Spanned<DeValue<'t>>> {
        self.known.borrow_mut().push(name);
        self.table.get(name)
    }

    fn as_string(&self, value: &'r Spanned<DeValue<'t>>) -> Option<Found<&'r str>> {
        match value.get_ref() {
            DeValue::String(text) => Some(Found { value: text.as_ref(), offset: value.span().start }),
            other => {
                self.wrong_type(value, other, "a string in quotes");
                None
            }
        }
    }

    fn wrong_type(&self, at: &Spanned<DeValue<'t>>, found: &DeValue<'t>, wanted: &str) {
        self.complain(at, format!("this must be {wanted}, not {}", found.type_str()));
    }

    fn complain(&self, at: &Spanned<DeValue<'t>>, message: String) {
        self.reader.complain(at.span().start, message);
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Found<T> {
    /// The value.
    pub value: T,
    offset: usize,
}

/// Keys are not secret, but they may hold anything.
fn printable(key: &str) -> String {
    key.chars().take(64).flat_map(char::escape_debug).collect()
}

/// A text as a TOML basic string, in quotes.
pub fn toml_string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            _ if character.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
