//! A table of seeds in delimited text: surveyed once, then read row by row.
//!
//! The survey looks at every row and decides what holds for all of them: separator, columns, encoding. Rows are parsed
//! when they are asked for, so a table takes no memory beside its text.

use super::columns::{Columns, Header};
use super::delimited::{Line, Lines, Record, Separator};
use super::error::ImportError;
use super::note::Note;
use super::offer::{Offered, Rejection};
use super::seed_encoding::{Encoding, Evidence, Verdict};
use super::{Options, Place};

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
                notes.push(Note::EncodingByLength(encoding));
                encoding
            }
            (None, Verdict::Mixed(hexadecimal, base32)) => {
                return Err(ImportError::MixedEncodings { hexadecimal: place(hexadecimal), base32: place(base32) });
            }
            (None, Verdict::Ambiguous(line)) => return Err(ImportError::AmbiguousEncoding(place(line))),
        };
        survey.note(options, notes);
        let Survey { rows, usable, .. } = survey;
        Ok(Self { separator, columns, body: first.start, lines_before: first.lines_before, encoding, rows, usable })
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
            if !options.is_silent() && !self.overruled {
                let stated = columns.stated(&record, options);
                self.overruled = stated.is_ok_and(|stated| stated.settle(options).overruled);
            }
        }
    }

    fn note(&self, options: &Options, notes: &mut Vec<Note>) {
        if self.widest == 2 {
            notes.push(Note::two_columns(options));
        }
        if self.counters {
            notes.push(Note::Counters);
        }
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
