//! A table of seeds in delimited text: surveyed once, then read row by row.
//!
//! The survey looks at every row and decides what holds for all of them: separator, columns, encoding. Rows are parsed
//! when they are asked for, so a table takes no memory beside its text.

use super::columns::{Columns, Header};
use super::delimited::{Line, Lines, Record, Separator};
use super::error::ImportError;
use super::note::{Aspect, Assumption, Explanation, Note, Part};
use super::offer::{Offered, Rejection, Stated};
use super::seed_encoding::{Encoding, Evidence, Verdict};
use super::{Options, Place};
use crate::otp::{Kind, Parameters};

/// What holds for all rows of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    separator: Separator,
    columns: Columns,
    /// Where the first row begins: behind the header.
    pub(super) body: usize,
    /// How many lines stand before it.
    lines_before: usize,
    /// How secrets are written.
    pub(super) encoding: Encoding,
    /// How many rows there are.
    pub(super) rows: usize,
    /// In how many of them a serial number and something like a secret stand.
    pub(super) usable: usize,
    /// How many columns its widest row has.
    widest: usize,
}

/// A row of a table.
pub(super) struct TableRow {
    pub(super) line: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) token: Result<Offered, Rejection>,
}

impl Table {
    /// Decides what holds for all rows.
    pub(super) fn survey(
        text: &[u8],
        options: &Options,
        place: impl Fn(usize) -> Place,
        notes: &mut Vec<Note>,
    ) -> Result<Self, ImportError> {
        let (separator, columns, first) = layout(text, &place)?;
        let body = text.get(first.start..).unwrap_or_default();
        let mut survey = Survey::default();
        for Line { number, content, .. } in Lines::new(body) {
            survey.see(number + first.lines_before, content, separator, &columns, options);
            if survey.rows > super::MOST_ROWS {
                return Err(ImportError::TooManyRows);
            }
        }
        if survey.rows == 0 {
            return Err(ImportError::NoRows);
        }
        if survey.widest < 2 {
            return Err(ImportError::NoColumns);
        }
        let encoding = match (options.encoding, survey.evidence.verdict()) {
            (Some(encoding), _) | (None, Verdict::Certain(encoding) | Verdict::Nothing(encoding)) => encoding,
            (None, Verdict::ByLength(encoding)) => {
                let other = match encoding {
                    Encoding::Base32 => "hexadecimal, which every secret is as well: --encoding hex",
                    Encoding::Hex => "base32, which every secret is as well: --encoding base32",
                };
                notes.push(Note::Assumed(Assumption::doubtful(Aspect::Encoding, encoding.to_string(), other)));
                encoding
            }
            (None, Verdict::Mixed(hexadecimal, base32)) => {
                return Err(ImportError::MixedEncodings { hexadecimal: place(hexadecimal), base32: place(base32) });
            }
            (None, Verdict::Ambiguous(line)) => return Err(ImportError::AmbiguousEncoding(place(line))),
        };
        survey.note(options, notes);
        let Survey { rows, usable, widest, .. } = survey;
        let First { start: body, lines_before } = first;
        Ok(Self { separator, columns, body, lines_before, encoding, rows, usable, widest })
    }

    /// Whether a line above the rows names the columns.
    pub(super) fn has_header(&self, text: &[u8]) -> bool {
        let above = text.get(..self.body).unwrap_or_default();
        Lines::new(above).any(|line| Separator::declared(line.content).is_none())
    }

    /// How the table was understood; the entry is the caller's to name.
    pub(super) fn explanation(&self) -> Explanation {
        let between = match self.separator {
            Separator::Character(b',') => "commas",
            Separator::Character(b';') => "semicolons",
            Separator::Character(_) => "tabs",
            Separator::Spaces => "spaces",
        };
        let part = |column| Part { name: format!("column {}", column + 1), taken_for: self.columns.meaning(column) };
        Explanation {
            entry: None,
            layout: format!("{between} between columns"),
            parts: (0..self.widest).map(part).collect(),
        }
    }

    /// The rows of the text that was surveyed, in order.
    pub(super) fn rows<'t>(&self, text: &'t [u8], options: &'t Options) -> impl Iterator<Item = TableRow> + 't {
        let table = *self;
        Lines::new(text.get(self.body..).unwrap_or_default()).map(move |Line { number, start, content }| TableRow {
            line: number + table.lines_before,
            start: start + table.body,
            end: start + table.body + content.len(),
            token: Record::split(content, table.separator)
                .and_then(|record| table.columns.offered(&record, table.encoding, options)),
        })
    }
}

/// Where the rows begin.
struct First {
    start: usize,
    lines_before: usize,
}

/// Separator, columns, and where the rows begin.
fn layout<'t>(text: &'t [u8], place: impl Fn(usize) -> Place) -> Result<(Separator, Columns, First), ImportError> {
    let mut lines = Lines::new(text);
    let mut line = lines.next().ok_or(ImportError::NoRows)?;
    let declared = Separator::declared(line.content);
    if declared.is_some() {
        line = lines.next().ok_or(ImportError::NoRows)?;
    }
    let at_line = |line: Line<'_>| First { start: line.start, lines_before: line.number - 1 };
    let rest = text.get(line.start..).unwrap_or_default();
    let separator = declared.unwrap_or_else(|| Separator::of(Lines::new(rest)));
    let records = |rest: &'t [u8]| Lines::new(rest).filter_map(move |line| Record::split(line.content, separator).ok());
    let header = Record::split(line.content, separator).map_or(Header::None, |record| Columns::from_header(&record));
    match header {
        Header::Columns(columns) => {
            let first = lines.next().ok_or(ImportError::NoRows)?;
            Ok((separator, columns, at_line(first)))
        }
        Header::Missing(missing) => Err(ImportError::Header { place: place(line.number), missing }),
        Header::None => Ok((separator, Columns::from_rows(records(rest).take(SAMPLE)), at_line(line))),
    }
}

/// How many rows are looked at to tell the columns of a table without header.
const SAMPLE: usize = 10;

/// What a look at every row found.
#[derive(Default)]
struct Survey {
    evidence: Evidence,
    rows: usize,
    usable: usize,
    widest: usize,
    /// The lengths of serial numbers that are made of digits.
    shortest_serial: Option<usize>,
    longest_serial: Option<usize>,
    counters: bool,
    overruled: bool,
    unsaid: Unsaid,
}

impl Survey {
    fn see(&mut self, line: usize, content: &[u8], separator: Separator, columns: &Columns, options: &Options) {
        self.rows += 1;
        let Ok(record) = Record::split(content, separator) else { return };
        let width = record.width();
        self.widest = self.widest.max(width);
        let serial = columns.serial(&record);
        if self.evidence.see(columns.secret(&record), line) && !serial.is_empty() {
            self.usable += 1;
        }
        if !serial.is_empty() && serial.iter().all(u8::is_ascii_digit) {
            self.shortest_serial = Some(self.shortest_serial.map_or(serial.len(), |length| length.min(serial.len())));
            self.longest_serial = self.longest_serial.max(Some(serial.len()));
        }
        if width > 2 {
            self.counters |= options.kind.is_none() && columns.counts_in_third(&record);
        }
        // What is wrong about it, the row will say.
        let Ok(stated) = columns.stated(&record, options) else { return };
        let settled = stated.settle(options);
        self.overruled |= settled.overruled;
        self.unsaid.see(stated, settled.parameters.kind);
    }

    fn note(&self, options: &Options, notes: &mut Vec<Note>) {
        if self.counters {
            let other = "a period: --type totp --period SECONDS";
            notes.push(Note::Assumed(Assumption::doubtful(Aspect::Counter, "the third column", other)));
        }
        self.unsaid.note(options, notes);
        if self.overruled {
            notes.push(Note::Overruled);
        }
        if let (Some(shortest), Some(longest)) = (self.shortest_serial, self.longest_serial)
            && shortest != longest
        {
            notes.push(Note::SerialLengths(shortest, longest));
        }
    }
}

/// What at least one row does not state, one bit an aspect.
#[derive(Debug, Default)]
pub(super) struct Unsaid(u8);

impl Unsaid {
    const TYPE: u8 = 1;
    const HASH: u8 = 2;
    const DIGITS: u8 = 4;
    const PERIOD: u8 = 8;
    const COUNTER: u8 = 16;

    pub(super) fn see(&mut self, stated: Stated, kind: Kind) {
        let mut mark = |unsaid: bool, bit| self.0 |= if unsaid { bit } else { 0 };
        mark(stated.kind.is_none(), Self::TYPE);
        mark(stated.algorithm.is_none(), Self::HASH);
        mark(stated.digits.is_none(), Self::DIGITS);
        mark(kind != Kind::Hotp && stated.period.is_none(), Self::PERIOD);
        mark(kind == Kind::Hotp && stated.counter.is_none(), Self::COUNTER);
    }

    pub(super) fn note(&self, options: &Options, notes: &mut Vec<Note>) {
        let Parameters { algorithm, digits, .. } = Stated::default().settle(options).parameters;
        let mut assume = |bit, option: bool, what, taken: String| {
            if self.0 & bit != 0 && !option {
                notes.push(Note::Assumed(Assumption::usual(what, taken)));
            }
        };
        assume(Self::TYPE, options.kind.is_some(), Aspect::Type, "TOTP".to_owned());
        assume(Self::HASH, options.algorithm.is_some(), Aspect::Hash, algorithm.to_string());
        assume(Self::DIGITS, options.digits.is_some(), Aspect::Digits, format!("{} digits", digits.count()));
        assume(Self::PERIOD, options.period.is_some(), Aspect::Period, "30 s".to_owned());
        assume(Self::COUNTER, false, Aspect::Counter, "from counter 0".to_owned());
    }
}
