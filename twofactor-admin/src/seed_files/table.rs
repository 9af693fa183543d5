//! A table of seeds in delimited text: surveyed once, then read row by row.
//!
//! The survey looks at every row and decides what holds for all of them: where the rows begin and end, separator, columns,
//! encoding. Rows are parsed when they are asked for, so a table takes no memory beside its text.

use super::bounds::LONGEST_TITLE;
use super::columns::{Columns, Third};
use super::delimited::{Line, Lines, Separator, SplitLine};
use super::error::ImportError;
use super::headings::{self, Header, Headings};
use super::note::{Aspect, Assumption, Explanation, Note, Part, Unexplained};
use super::offer::{Offered, Stated};
use super::options::{Encoding, Options};
use super::place::Place;
use super::rejection::Rejection;
use super::seed_encoding::{self, Evidence, Verdict};
use twofactor_core::codes::otp::{Kind, Parameters};

/// The facts that hold for all rows of a table.
#[derive(Debug)]
pub(super) struct Table {
    rule: Rule,
    /// The encoding of secrets.
    pub(super) encoding: Encoding,
    /// The beginning of the first row: behind the header.
    pub(super) body: usize,
    /// The number of rows.
    pub(super) rows: usize,
    /// The line of the header.
    header: Option<usize>,
    parts: Vec<Part>,
}

/// The way in which a row is read.
#[derive(Debug, Clone, Copy)]
struct Rule {
    separator: Separator,
    columns: Columns,
    encoding: Encoding,
    /// The beginning and the end of the rows.
    begin: usize,
    end: usize,
    /// The number of lines before them.
    lines_before: usize,
    /// The line of a row that the end of the file cut off.
    cut_off: Option<usize>,
}

/// A row of a table.
pub(super) struct TableRow {
    pub(super) line: usize,
    /// The column that a rejection is about, from 1.
    pub(super) column: Option<usize>,
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
        let Layout { separator, mut columns, headings, header, begin, lines_before, above } = Layout::of(text, &place)?;
        let look = |columns: &Columns| RowSurvey::of(text, begin, lines_before, separator, columns, options);
        let mut survey = look(&columns)?;
        let refined = if header.is_none() { columns.refined(survey.third, options) } else { columns };
        if refined != columns {
            columns = refined;
            survey = look(&columns)?;
        }
        if header.is_some() {
            // A heading says what its column holds, so its values are no riddle.
            survey.third = Third::default();
        }
        if survey.rows == 0 {
            return Err(ImportError::NoRows);
        }
        if survey.widest < 2 {
            return Err(ImportError::NoColumns);
        }
        let named = headings.as_ref().and_then(|headings| headings.encoding);
        let encoding = encoding(&survey.evidence, options, named, &place, notes)?;
        if let Some(line) = above {
            notes.push(Note::Above(place(line)));
        }
        if let Some((_, line)) = survey.tail {
            notes.push(Note::Below(place(line)));
        }
        let unknown = headings.as_ref().map(|headings| headings.unknown.clone()).unwrap_or_default();
        let unnamed = (0..super::bounds::MOST_COLUMNS).filter(|column| survey.unnamed >> column & 1 == 1);
        let unknown = unknown.into_iter().chain(unnamed.map(|column| format!("column {}", column + 1)));
        notes.extend(unknown.map(|name| Note::Unexplained(Unexplained::Column(name))));
        survey.note(encoding, &columns, options, &place, notes);
        hex_text(text, begin, separator, &columns, encoding, notes);
        let width = survey.widest.max(columns.known.min(survey.widest));
        let headed = header.and_then(|(line, start)| {
            let line = Lines::new(text.get(start..)?).next().map(|found| (line, found.content))?;
            Some((line.0, SplitLine::split(line.1, separator).ok()?))
        });
        let part = |column| {
            let number = || format!("column {}", column + 1);
            let name = headed.as_ref().map_or_else(number, |(_, record)| headings::shown(record, column));
            let meant = headings.as_ref().and_then(|headings| headings.meaning(column));
            Part { name, taken_for: columns.meaning(column).or(meant) }
        };
        let parts = (0..width).map(part).collect();
        let end = survey.tail.map_or(text.len(), |(start, _)| start);
        let cut_off = survey.cut_off(text.ends_with(b"\n") || text.ends_with(b"\r"));
        let rule = Rule { separator, columns, encoding, begin, end, lines_before, cut_off };
        let rows = survey.rows;
        Ok(Self { rule, encoding, body: begin, rows, header: header.map(|(line, _)| line), parts })
    }

    /// The explanation of the table; the entry is the caller's to name.
    pub(super) fn explanation(&self) -> Explanation {
        let between = match self.rule.separator {
            Separator::Character(b',') => "commas",
            Separator::Character(b';') => "semicolons",
            Separator::Character(b'|') => "vertical bars",
            Separator::Character(b':') => "colons",
            Separator::Character(_) => "tabs",
            Separator::Spaces => "spaces",
            Separator::Gaps => "several spaces",
        };
        let header = self.header.map_or_else(|| "no header".to_owned(), |line| format!("header in line {line}"));
        Explanation { entry: None, layout: format!("{between} between columns, {header}"), parts: self.parts.clone() }
    }

    /// The rows of the text that was surveyed, in order.
    pub(super) fn rows<'t>(&self, text: &'t [u8], options: &'t Options) -> impl Iterator<Item = TableRow> + 't {
        let (rule, mut record) = (self.rule, SplitLine::empty());
        Lines::new(text.get(rule.begin..rule.end).unwrap_or_default()).map(move |Line { number, start, content }| {
            let line = number + rule.lines_before;
            let token = match rule.cut_off {
                Some(cut) if cut == line => Err(Rejection::CutOff),
                _ => record
                    .refill(content, rule.separator)
                    .and_then(|()| rule.columns.offered(&record, rule.encoding, options)),
            };
            let column = token.as_ref().err().and_then(|why| rule.columns.about(*why)).map(|column| column + 1);
            let start = start + rule.begin;
            TableRow { line, column, start, end: start + content.len(), token }
        })
    }
}

/// The encoding of all secrets: as an option says, else the heading, else their characters, else their length.
fn encoding(
    evidence: &Evidence,
    options: &Options,
    named: Option<Encoding>,
    place: impl Fn(usize) -> Place,
    notes: &mut Vec<Note>,
) -> Result<Encoding, ImportError> {
    Ok(match (options.encoding.or(named), evidence.verdict()) {
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
    })
}

/// Notes secrets that are encoded once more when they are decoded, as a look at a few rows tells.
fn hex_text(
    text: &[u8],
    begin: usize,
    separator: Separator,
    columns: &Columns,
    encoding: Encoding,
    notes: &mut Vec<Note>,
) {
    let lines = Lines::new(text.get(begin..).unwrap_or_default()).take(SAMPLE);
    let mut decoded = lines.filter_map(|line| {
        let record = SplitLine::split(line.content, separator).ok()?;
        seed_encoding::decode(columns.secret(&record), encoding).ok()
    });
    if decoded.any(|bytes| seed_encoding::is_encoded_once_more(&bytes)) {
        notes.push(Note::Assumed(Assumption::encoded_twice(encoding.to_string())));
    }
}

/// The beginning of the rows, and the lines above them.
struct Layout {
    separator: Separator,
    columns: Columns,
    headings: Option<Headings>,
    /// The line of the header, and where it begins.
    header: Option<(usize, usize)>,
    begin: usize,
    lines_before: usize,
    /// The last line of what stands above the table.
    above: Option<usize>,
}

/// The number of rows that tell the columns of a table without header.
const SAMPLE: usize = 10;

/// The kind of a line near the beginning of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// It has something like a secret.
    Row,
    /// Letters, and no field that is mostly digits.
    Words,
    /// Anything else: a damaged row, or a date above the table.
    Other,
}

impl Sort {
    fn of(record: &SplitLine<'_>) -> Self {
        let fields = || record.fields().iter().filter(|field| !field.is_empty());
        let has_digit = |field: &[u8]| field.iter().any(u8::is_ascii_digit);
        let telling = fields().any(|field| seed_encoding::looks_like_secret(field));
        let possible =
            fields().any(|field| seed_encoding::may_be_secret(field)) && fields().any(|field| has_digit(field));
        if telling || possible {
            return Self::Row;
        }
        let is_number = |field: &[u8]| {
            let digits = field.iter().filter(|byte| byte.is_ascii_digit()).count();
            let others = field.iter().filter(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()).count();
            digits > 0 && digits >= others
        };
        if fields().any(|field| is_number(field)) { Self::Other } else { Self::Words }
    }
}

impl Layout {
    /// That of a table whose header is a comment: `# Serial,Secret,Digits`.
    fn marked(text: &[u8], first: Line<'_>, separator: Separator) -> Option<Self> {
        let is_headed = |line: &[u8]| {
            let record = SplitLine::split(line, separator).ok();
            record.map(|record| headings::read(&record))
        };
        if is_headed(first.content) != Some(Header::None) {
            return None;
        }
        let (mut start, mut found) = (0, None);
        for (index, line) in text.get(..first.start)?.split(|byte| *byte == b'\n').enumerate() {
            if let Some(Header::Columns(headings)) = line.strip_prefix(b"#").and_then(is_headed) {
                found = Some((headings, (index + 1, start + 1)));
            }
            start += line.len() + 1;
        }
        let (headings, header) = found?;
        let columns = Columns::from_headings(&headings);
        Some(Self {
            separator,
            columns,
            headings: Some(headings),
            header: Some(header),
            begin: first.start,
            lines_before: first.number - 1,
            above: None,
        })
    }

    fn of(text: &[u8], place: impl Fn(usize) -> Place) -> Result<Self, ImportError> {
        let mut lines = Lines::new(text);
        let mut first = lines.next().ok_or(ImportError::NoRows)?;
        let declared = Separator::declared(first.content);
        if declared.is_some() {
            first = lines.next().ok_or(ImportError::NoRows)?;
        }
        let rest = text.get(first.start..).unwrap_or_default();
        let separator = declared.unwrap_or_else(|| Separator::of(Lines::new(rest)));
        if let Some(layout) = Self::marked(text, first, separator) {
            return Ok(layout);
        }
        let (mut missing, mut words, mut last_title) = (None, None, None);
        let mut row = None;
        for line in std::iter::once(first).chain(lines.clone()).take(LONGEST_TITLE) {
            let Ok(record) = SplitLine::split(line.content, separator) else { continue };
            match headings::read(&record) {
                Header::Columns(headings) => {
                    let begin = line.start + line.content.len();
                    let next = Lines::new(text.get(begin..).unwrap_or_default()).next().ok_or(ImportError::NoRows)?;
                    // The rest of the header's own line is empty and counts as the first.
                    let lines_before = line.number + next.number - 2;
                    let header = Some((line.number, line.start));
                    let columns = Columns::from_headings(&headings);
                    let begin = begin + next.start;
                    let headings = Some(headings);
                    return Ok(Self { separator, columns, headings, header, begin, lines_before, above: last_title });
                }
                Header::Twice { meaning, first, second } => {
                    return Err(ImportError::TwoColumns { place: place(line.number), meaning, first, second });
                }
                Header::Missing(what) => _ = missing.get_or_insert((line.number, what)),
                Header::None => {}
            }
            match Sort::of(&record) {
                Sort::Row => {
                    row = Some(line);
                    break;
                }
                Sort::Words if record.fields().iter().filter(|field| !field.is_empty()).count() > 1 => {
                    words = Some(line.number);
                }
                _ => {}
            }
            last_title = Some(line.number);
        }
        if let Some((line, missing)) = missing {
            return Err(ImportError::Header { place: place(line), missing });
        }
        // Without a row to be seen below, only a first line of words is a header: anything may be prose.
        let is_header = |line| row.is_some() || line == first.number;
        if let Some(line) = words.filter(|line| is_header(*line)) {
            return Err(ImportError::UnknownHeader(place(line)));
        }
        // A title of one cell is none of the rows; what may be a damaged row is, and says so.
        let mut begin = first;
        if let Some(row) = row {
            let mut above = std::iter::once(first).chain(lines).take_while(|line| line.start <= row.start);
            let is_title = |line: &Line<'_>| {
                line.start < row.start
                    && SplitLine::split(line.content, separator)
                        .is_ok_and(|record| Sort::of(&record) == Sort::Words && record.width() < 2)
            };
            begin = above.find(|line| !is_title(line)).unwrap_or(row);
        }
        let records = Lines::new(text.get(begin.start..).unwrap_or_default());
        let records = records.filter_map(|line| SplitLine::split(line.content, separator).ok());
        let records: Vec<SplitLine<'_>> = records.take(SAMPLE).collect();
        let columns = Columns::from_rows(&records);
        if let Some(column) = columns.misplaced_secrets(&records) {
            return Err(ImportError::Misplaced { place: place(begin.number), column: column + 1 });
        }
        Ok(Self {
            separator,
            columns,
            headings: None,
            header: None,
            begin: begin.start,
            lines_before: begin.number - 1,
            above: (begin.start > first.start).then(|| begin.number - 1),
        })
    }
}

/// The result of a look at every row.
#[derive(Default)]
struct RowSurvey {
    evidence: Evidence,
    rows: usize,
    widest: usize,
    /// The lengths of serial numbers that are made of digits.
    shortest_serial: Option<usize>,
    longest_serial: Option<usize>,
    third: Third,
    overruled: bool,
    repaired: bool,
    unsaid: Unsaid,
    /// The columns without heading that hold something, one bit each.
    unnamed: u64,
    /// The beginning of the lines below the table, and the number of the first.
    tail: Option<(usize, usize)>,
    last: Extent,
    others: Extent,
}

/// The least content of some rows.
#[derive(Debug, Clone, Copy, Default)]
struct Extent {
    line: usize,
    rows: usize,
    fields: usize,
    /// The fields up to the last that is not empty.
    held: usize,
    secret: usize,
}

impl RowSurvey {
    /// Looks at all rows from `begin` on.
    fn of(
        text: &[u8],
        begin: usize,
        lines_before: usize,
        separator: Separator,
        columns: &Columns,
        options: &Options,
    ) -> Result<Self, ImportError> {
        let mut survey = Self::default();
        let (mut below, mut record) = (0, SplitLine::empty());
        for Line { number, content, start } in Lines::new(text.get(begin..).unwrap_or_default()) {
            let line = number + lines_before;
            let split = record.refill(content, separator);
            if survey.rows > 0 && split.is_ok() && is_below(&record, columns) {
                survey.tail.get_or_insert((begin + start, line));
                below += 1;
                continue;
            }
            // What looked as if it stood below has a row behind it, so it is a bad row itself.
            survey.rows += 1 + std::mem::take(&mut below);
            survey.tail = None;
            match split {
                Ok(()) => survey.see(line, &record, columns, options),
                // The row says what is wrong with it.
                Err(_) => survey.widest = survey.widest.max(2),
            }
            if survey.rows > super::bounds::MOST_ROWS {
                return Err(ImportError::TooManyRows);
            }
        }
        Ok(survey)
    }

    fn see(&mut self, line: usize, record: &SplitLine<'_>, columns: &Columns, options: &Options) {
        let (width, count) = (record.width(), record.fields().len());
        self.widest = self.widest.max(width);
        self.repaired |= record.repaired;
        let serial = columns.serial(record);
        let length = self.evidence.see(columns.secret(record), line);
        self.others.add(self.last);
        self.last = Extent { line, rows: 1, fields: count, held: width, secret: length };
        if !serial.is_empty() && serial.iter().all(u8::is_ascii_digit) {
            self.shortest_serial = Some(self.shortest_serial.map_or(serial.len(), |length| length.min(serial.len())));
            self.longest_serial = self.longest_serial.max(Some(serial.len()));
        }
        if width > columns.known || columns.unnamed != 0 {
            for (column, field) in record.fields().iter().enumerate() {
                let nameless = column >= columns.known || columns.unnamed >> column & 1 == 1;
                self.unnamed |= u64::from(nameless && !field.is_empty()) << column;
            }
        }
        if width > 2 {
            self.third.see(record);
        }
        // What is wrong about it, the row will say.
        let Ok(stated) = columns.stated(record, options) else { return };
        let settled = stated.settle(options);
        self.overruled |= settled.overruled;
        self.unsaid.see(stated, settled.parameters.kind);
    }

    fn note(
        &self,
        encoding: Encoding,
        columns: &Columns,
        options: &Options,
        place: impl Fn(usize) -> Place,
        notes: &mut Vec<Note>,
    ) {
        let lengths = self.evidence.lengths.in_bytes(encoding);
        self.unsaid.note_table(columns, self.third, &lengths, options, notes);
        if self.overruled {
            notes.push(Note::Overruled);
        }
        if self.repaired {
            notes.push(Note::Unquoted);
        }
        if self.evidence.written_out && encoding == Encoding::Hex {
            notes.push(Note::WrittenOut);
        }
        if let [(usual, _), (other, line), ..] = lengths[..] {
            notes.push(Note::SecretLengths(usual, other, place(line)));
        }
        if let (Some(shortest), Some(longest)) = (self.shortest_serial, self.longest_serial)
            && shortest != longest
        {
            notes.push(Note::SerialLengths(shortest, longest));
        }
    }

    /// The line of the last row when the file ends within it: no line end, and less in it than in any other row.
    fn cut_off(&self, ends_with_line: bool) -> Option<usize> {
        let (last, others) = (self.last, self.others);
        // A cut behind a separator leaves an empty field.
        let empty = last.held < last.fields && last.held < others.held;
        let shorter = last.fields < others.fields || empty || last.secret < others.secret;
        (!ends_with_line && self.tail.is_none() && others.rows > 0 && shorter).then_some(last.line)
    }
}

impl Extent {
    fn add(&mut self, row: Self) {
        if self.rows == 0 {
            *self = row;
        } else {
            self.rows += row.rows;
            self.fields = self.fields.min(row.fields);
            self.held = self.held.min(row.held);
            self.secret = self.secret.min(row.secret);
        }
    }
}

/// True when a line is none of the rows because of what people and programs write below a table: no secret, and either the
/// word for a total in one of the languages of headings, or a sentence alone.
fn is_below(record: &SplitLine<'_>, columns: &Columns) -> bool {
    const TOTALS: [&str; 30] = [
        "total",
        "totals",
        "sum",
        "subtotal",
        "grand",
        "count",
        "rows",
        "records",
        "summe",
        "gesamt",
        "gesamtsumme",
        "gesamtanzahl",
        "anzahl",
        "somme",
        "nombre",
        "suma",
        "cantidad",
        "totale",
        "somma",
        "quantità",
        "totaal",
        "som",
        "aantal",
        "合計",
        "計",
        "総数",
        "end",
        "ende",
        "eof",
        "fin",
    ];
    // Of `3 tokens`.
    const COUNTED: [&str; 12] = [
        "token", "tokens", "rows", "records", "pcs", "pieces", "stück", "zeilen", "jetons", "unidades", "pezzi",
        "stuks",
    ];
    let secret = columns.secret(record);
    if seed_encoding::may_be_secret(secret) || secret.len() >= 16 {
        return false;
    }
    let mut fields = record.fields().iter().filter(|field| !field.is_empty());
    let Some(first) = fields.next() else { return false };
    let text = super::characters::words(first).to_lowercase();
    let mut words = text.split(|letter: char| !letter.is_alphabetic());
    let word = words.next().unwrap_or_default();
    let alone = fields.next().is_none();
    let is_count = alone && words.all(|word| word.is_empty() || COUNTED.contains(&word)) && word.is_empty();
    let is_sentence = alone && text.split_whitespace().filter(|word| word.len() > 2).count() > 1;
    TOTALS.contains(&word) || ((is_count || is_sentence) && text.chars().any(char::is_alphabetic))
}

/// The properties that at least one row does not state, one bit each.
#[derive(Debug, Default)]
pub(super) struct Unsaid(u8);

impl Unsaid {
    const TOTP: u8 = 1;
    const HOTP: u8 = 2;
    const HASH: u8 = 4;
    const DIGITS: u8 = 8;
    const PERIOD: u8 = 16;
    const COUNTER: u8 = 32;

    pub(super) fn see(&mut self, stated: Stated, kind: Kind) {
        let is_hotp = kind == Kind::Hotp;
        let mut mark = |unsaid: bool, bit| self.0 |= if unsaid { bit } else { 0 };
        mark(stated.kind.is_none(), if is_hotp { Self::HOTP } else { Self::TOTP });
        mark(stated.algorithm.is_none(), Self::HASH);
        mark(stated.digits.is_none(), Self::DIGITS);
        mark(!is_hotp && stated.period.is_none(), Self::PERIOD);
        mark(is_hotp && stated.counter.is_none(), Self::COUNTER);
    }

    /// The same for rows that are no table.
    pub(super) fn note(&self, lengths: &[(usize, usize)], options: &Options, notes: &mut Vec<Note>) {
        self.note_table(&Columns::default(), Third::default(), lengths, options, notes);
    }

    fn note_table(
        &self,
        columns: &Columns,
        third: Third,
        lengths: &[(usize, usize)],
        options: &Options,
        notes: &mut Vec<Note>,
    ) {
        let says = |bit| self.0 & bit != 0;
        let mut assume = |assumption| notes.push(Note::Assumed(assumption));
        if options.kind.is_none() {
            if says(Self::TOTP) {
                assume(Assumption::usual(Aspect::Type, "TOTP"));
            }
            if says(Self::HOTP) {
                let (taken, other) = match () {
                    () if third.may_be_length() => (
                        "HOTP, with its counter in the third column",
                        "TOTP, with the length of a code there: write the header serial,secret,digits above",
                    ),
                    () if third.is_counter() => {
                        ("HOTP, with its counter in the third column", "TOTP, with a period there: --type totp")
                    }
                    () if columns.names_kinds() => {
                        ("HOTP where a row names no type, as OATH CSV has it", "TOTP: --type totp")
                    }
                    () => ("HOTP where a row has a counter and no period", "TOTP: --type totp"),
                };
                assume(Assumption::doubtful(Aspect::Type, taken, other));
            }
            if third.is_period() && !columns.names_kinds() {
                let other = "the counter of a HOTP token: --type hotp";
                assume(Assumption::doubtful(Aspect::Period, "the third column", other));
            }
        }
        let Parameters { algorithm, digits, .. } = Stated::default().settle(options).parameters;
        if says(Self::HASH) && options.algorithm.is_none() {
            let length = |bytes| lengths.iter().any(|(length, _)| *length == bytes);
            let other = match () {
                () if length(32) => Some("SHA256, as some secrets have 32 bytes: --algorithm SHA256"),
                () if length(64) => Some("SHA512, as some secrets have 64 bytes: --algorithm SHA512"),
                () => None,
            };
            let could_be = other.map(str::to_owned);
            assume(Assumption { what: Aspect::Hash, taken: algorithm.to_string(), could_be });
        }
        if says(Self::DIGITS) && options.digits.is_none() {
            assume(Assumption::usual(Aspect::Digits, format!("{} digits", digits.count())));
        }
        if says(Self::PERIOD) && options.period.is_none() {
            assume(Assumption::usual(Aspect::Period, "30 s"));
        }
        if says(Self::COUNTER) {
            assume(Assumption::usual(Aspect::Counter, "from counter 0"));
        }
    }
}
