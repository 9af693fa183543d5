//! Lines and fields of delimited text.
//!
//! Invariants: a row is a line, also where a quote is left open, so one bad row cannot swallow others; nothing
//! is copied, a field is a slice of the text.

use super::bounds::{LONGEST_FIELD, MOST_COLUMNS};
use super::rejection::Rejection;
use super::seed_encoding;

/// A line of a text, without its line end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'t> {
    /// From 1.
    pub(super) number: usize,
    /// Its beginning, in bytes.
    pub(super) start: usize,
    /// Its content.
    pub(super) content: &'t [u8],
}

/// The lines of a text that can be rows: neither blank nor a comment. They end with LF, CR or both.
#[derive(Debug, Clone)]
pub(super) struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    number: usize,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0, number: 0 }
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = Line<'t>;

    fn next(&mut self) -> Option<Line<'t>> {
        loop {
            let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
            let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
            let (content, end) = rest.split_at(length);
            let line_end = if end.starts_with(b"\r\n") { 2 } else { end.len().min(1) };
            let start = self.at;
            self.at += length + line_end;
            self.number += 1;
            if !is_blank(content) && !is_comment(content) {
                return Some(Line { number: self.number, start, content });
            }
        }
    }
}

/// Nothing but white space and separators, as spreadsheets leave below a table.
fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b',' | b';' | b'|' | b'"' | 0x0b | 0x0c | 0x1a))
}

/// A line that begins with `#`, unless a spreadsheet wrote that for a value it cannot show (`#N/A`, `########`): then the line
/// is a row, and a bad one. So it is where a serial number begins with the mark: no row vanishes.
fn is_comment(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    let Some(rest) = line.strip_prefix(b"#") else { return false };
    let mut fields = rest.split(|byte| matches!(byte, b',' | b';' | b'\t' | b' '));
    let is_row = fields.next().is_some_and(|first| first.iter().any(u8::is_ascii_digit))
        && fields.any(|field| seed_encoding::looks_like_secret(field.trim_ascii()));
    !is_row && !shows_error(line)
}

/// True when a field begins with a spreadsheet's error in the place of a value.
pub(super) fn shows_error(field: &[u8]) -> bool {
    const ERRORS: [&[u8]; 9] =
        [b"#N/A", b"#NAME?", b"#REF!", b"#VALUE!", b"#NUM!", b"#NULL!", b"#DIV/0!", b"#WERT!", b"#BEZUG!"];
    let marks = field.iter().take_while(|byte| **byte == b'#').count();
    let behind = field.get(marks..).unwrap_or_default().first();
    let filled = marks >= 3 && behind.is_none_or(|byte| matches!(byte, b',' | b';' | b'\t' | b'"'));
    filled || ERRORS.iter().any(|error| field.starts_with(error))
}

/// The character between two fields; the same in a whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    /// One comma, semicolon, tab, vertical bar or colon.
    Character(u8),
    /// As many spaces and tabs as there are.
    Spaces,
    /// The same, but one space alone stands inside a field: columns that are aligned.
    Gaps,
}

impl Separator {
    /// The number of lines that are looked at.
    const SAMPLE: usize = 200;

    /// The separator of a file: the one that makes a row with a secret of most of its first lines. Where there is none, the one
    /// they have most of outside quotes. Spaces only where there is no other, as they may also stand inside a secret; a
    /// colon only where all lines have as many.
    pub(super) fn of(lines: Lines<'_>) -> Self {
        let rows = |separator| lines.clone().take(Self::SAMPLE).filter(|line| Self::makes_row(separator, line)).count();
        let characters = [b',', b';', b'\t', b'|'].map(|separator| (Self::Character(separator), 0));
        let characters = characters.map(|(separator, _)| (separator, rows(separator)));
        if let Some((separator, 1..)) = characters.into_iter().rev().max_by_key(|(_, rows)| *rows) {
            return separator;
        }
        let spaced = if Self::are_gaps(lines.clone()) { Self::Gaps } else { Self::Spaces };
        if rows(spaced) > 0 {
            return spaced;
        }
        if Self::are_colons(lines.clone()) {
            return Self::Character(b':');
        }
        Self::most_frequent(lines).unwrap_or(spaced)
    }

    /// True when a line has a field like a secret and one like a serial number.
    fn makes_row(self, line: &Line<'_>) -> bool {
        let Ok(record) = SplitLine::split(line.content, self) else { return false };
        let is_secret = |field: &[u8]| seed_encoding::may_be_secret(field);
        let is_serial = |field: &[u8]| !is_secret(field) && field.len() <= 64 && field.iter().any(u8::is_ascii_digit);
        record.fields().iter().any(|field| is_secret(field)) && record.fields().iter().any(|field| is_serial(field))
    }

    /// True when columns are aligned by several spaces, and some field has one space in it: the lines with such gaps have as many
    /// fields each, and what has none is no row.
    fn are_gaps(lines: Lines<'_>) -> bool {
        let (mut fields, mut spaced) = (None, false);
        for line in lines.take(Self::SAMPLE) {
            let Ok(record) = SplitLine::split(line.content, Self::Gaps) else { return false };
            match record.fields().len() {
                1 if Self::Spaces.makes_row(&line) => return false,
                0 | 1 => {}
                count if *fields.get_or_insert(count) != count => return false,
                _ => spaced |= record.fields().iter().any(|field| field.contains(&b' ')),
            }
        }
        fields.is_some() && spaced
    }

    /// True when every line has as many colons as the others, and no blank.
    fn are_colons(lines: Lines<'_>) -> bool {
        let count = |line: &Line<'_>| line.content.split(|byte| *byte == b':').count() - 1;
        let has_blank = |line: &Line<'_>| line.content.trim_ascii().iter().any(|byte| matches!(byte, b' ' | b'\t'));
        let Some(colons) = lines.clone().next().map(|line| count(&line)) else { return false };
        let mut rows = 0;
        let even = lines.take(Self::SAMPLE).all(|line| {
            rows += usize::from(Self::Character(b':').makes_row(&line));
            count(&line) == colons && !has_blank(&line)
        });
        (1..6).contains(&colons) && even && rows > 0
    }

    fn most_frequent(lines: Lines<'_>) -> Option<Self> {
        let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
        for line in lines.take(Self::SAMPLE) {
            let mut quoted = false;
            for byte in line.content {
                if *byte == b'"' {
                    quoted = !quoted;
                } else if !quoted && let Some((_, count)) = counts.iter_mut().find(|(separator, _)| separator == byte) {
                    *count += 1;
                }
            }
        }
        let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
        most.filter(|(_, count)| *count > 0).map(|(separator, _)| Self::Character(separator))
    }

    /// Excel's own first line, which names the separator: `sep=;`.
    pub(super) fn declared(line: &[u8]) -> Option<Self> {
        match line.trim_ascii_end() {
            [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', separator @ (b',' | b';' | b'\t' | b'|')] => {
                Some(Self::Character(*separator))
            }
            _ => None,
        }
    }

    /// The end of the field at the beginning of a text without quotes.
    fn end_in(self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Character(separator) => text.iter().position(|byte| *byte == separator),
            Self::Spaces => text.iter().position(|byte| matches!(byte, b' ' | b'\t')),
            Self::Gaps => text.iter().enumerate().position(|(place, byte)| {
                *byte == b'\t' || (*byte == b' ' && matches!(text.get(place + 1), Some(b' ' | b'\t')))
            }),
        }
    }
}

/// The fields of a line, at most [`MOST_COLUMNS`].
#[derive(Debug, Clone, Copy)]
pub(super) struct SplitLine<'t> {
    fields: [&'t [u8]; MOST_COLUMNS],
    count: usize,
    /// A field lost what a spreadsheet had put around it.
    pub(super) repaired: bool,
}

impl<'t> SplitLine<'t> {
    /// A line without fields.
    pub(super) fn empty() -> Self {
        Self { fields: [&[]; MOST_COLUMNS], count: 0, repaired: false }
    }

    /// Splits a line.
    pub(super) fn split(line: &'t [u8], separator: Separator) -> Result<Self, Rejection> {
        let mut record = Self::empty();
        record.refill(line, separator)?;
        Ok(record)
    }

    /// Splits another line, in the place of the last one: a record is 1 KiB, which is not moved for each of a million rows.
    pub(super) fn refill(&mut self, line: &'t [u8], separator: Separator) -> Result<(), Rejection> {
        (self.count, self.repaired) = (0, false);
        let mut rest = Some(line);
        for place in &mut self.fields {
            let Some(line) = rest else { break };
            let (field, behind) = first_field(line, separator)?;
            if field.len() > LONGEST_FIELD {
                return Err(Rejection::FieldTooLong);
            }
            let bare = unwrapped(field);
            self.repaired |= bare.len() != field.len() || trim_start(line, separator).starts_with(b"=\"");
            *place = bare;
            self.count += 1;
            rest = behind;
        }
        if rest.is_some_and(|rest| !is_blank(rest)) { Err(Rejection::TooManyColumns) } else { Ok(()) }
    }

    /// A field; empty when the line has fewer.
    pub(super) fn field(&self, column: usize) -> &'t [u8] {
        self.fields().get(column).copied().unwrap_or_default()
    }

    /// All fields.
    pub(super) fn fields(&self) -> &[&'t [u8]] {
        self.fields.get(..self.count).unwrap_or_default()
    }

    /// The number of fields without empty ones at the end.
    pub(super) fn width(&self) -> usize {
        self.fields().iter().rposition(|field| !field.is_empty()).map_or(0, |last| last + 1)
    }
}

/// A field without what spreadsheets and people put around a number to keep its zeros: `="0012"`, `=T("0012")`, `'0012`,
/// `""0012""`. A formula that is more than that stays as it is, and is no serial number.
fn unwrapped(field: &[u8]) -> &[u8] {
    let bare = match field {
        [b'=', formula @ ..] => literal(formula.trim_ascii()),
        [b'\'', rest @ ..] => Some(rest.strip_suffix(b"'").unwrap_or(rest)),
        // The typographic ones.
        [0xe2, 0x80, 0x98 | 0x99, rest @ ..] => Some(rest.strip_suffix(b"\xe2\x80\x99").unwrap_or(rest)),
        [b'"', ..] => quoted(field),
        _ => return field,
    };
    bare.map_or(field, <[u8]>::trim_ascii)
}

/// The text that a formula is: `"0012"`, `("0012")`, `T("0012")`, with its quotes doubled or not.
fn literal(formula: &[u8]) -> Option<&[u8]> {
    let inside = formula.strip_prefix(b"T").or_else(|| formula.strip_prefix(b"t")).unwrap_or(formula);
    match inside.strip_prefix(b"(") {
        Some(inside) => quoted(inside.strip_suffix(b")")?.trim_ascii()),
        None => quoted(formula),
    }
}

/// The text between quotes, single or doubled.
fn quoted(text: &[u8]) -> Option<&[u8]> {
    let between = |mark: &[u8]| text.strip_prefix(mark)?.strip_suffix(mark).filter(|text| !text.contains(&b'"'));
    between(b"\"\"").or_else(|| between(b"\""))
}

/// The first field of a line, and what stands behind its separator. `None`: it was the last one.
fn first_field(line: &[u8], separator: Separator) -> Result<(&[u8], Option<&[u8]>), Rejection> {
    let line = trim_start(line, separator);
    // Excel's way to keep leading zeros: ="0012".
    let quoted = line.strip_prefix(b"=\"").or_else(|| line.strip_prefix(b"\""));
    let (field, behind) = match quoted {
        None => {
            let end = separator.end_in(line).unwrap_or(line.len());
            let (field, behind) = line.split_at(end);
            (field.trim_ascii(), behind)
        }
        Some(quoted) => {
            let end = closing_quote(quoted).ok_or(Rejection::UnclosedQuote)?;
            let (field, behind) = quoted.split_at(end);
            (field.trim_ascii(), behind.get(1..).unwrap_or_default())
        }
    };
    let spaced = trim_start(behind, separator);
    let blank = matches!(separator, Separator::Spaces | Separator::Gaps);
    if spaced.is_empty() && (blank || behind.is_empty() || quoted.is_some()) {
        return Ok((field, None));
    }
    match (separator, spaced) {
        (Separator::Character(character), [first, rest @ ..]) if *first == character => Ok((field, Some(rest))),
        (Separator::Spaces | Separator::Gaps, rest) if rest.len() < behind.len() => Ok((field, Some(rest))),
        _ => Err(Rejection::TextBehindQuote),
    }
}

/// The end of a quoted field. A doubled quote inside it is a quote; the two are left as they are, because no field that
/// matters may hold one.
fn closing_quote(quoted: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let quote = from + quoted.get(from..)?.iter().position(|byte| *byte == b'"')?;
        if quoted.get(quote + 1) != Some(&b'"') {
            return Some(quote);
        }
        from = quote + 2;
    }
}

/// Drops the white space that is no separator; where spaces separate, all of it.
fn trim_start(line: &[u8], separator: Separator) -> &[u8] {
    let blank = |byte: u8| byte == b' ' || (byte == b'\t' && separator != Separator::Character(b'\t'));
    let end = line.iter().position(|byte| !blank(*byte)).unwrap_or(line.len());
    line.get(end..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Separator = Separator::Character(b',');

    fn fields(line: &str, separator: Separator) -> Vec<String> {
        let record = SplitLine::split(line.as_bytes(), separator).unwrap();
        record.fields().iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect()
    }

    #[test]
    fn lines_end_with_lf_cr_or_both_and_keep_their_numbers() {
        let text = b"a,1\r\n\r\n# no\rb,2\n;;;\nc,3\x1a";
        let lines: Vec<_> = Lines::new(text).map(|line| (line.number, line.start, line.content)).collect();
        assert_eq!(lines, [(1, 0, &b"a,1"[..]), (4, 12, b"b,2"), (6, 20, b"c,3\x1a")]);
    }

    #[test]
    fn what_a_spreadsheet_cannot_show_is_no_comment() {
        let lines = |text: &str| Lines::new(text.as_bytes()).count();
        for row in ["#N/A,AB", "#NAME?,AB", "########,AB", "###;AB"] {
            assert_eq!(lines(row), 1, "{row}");
        }
        for comment in ["# by hand", "#7700,AB", "## part 2", "#"] {
            assert_eq!(lines(comment), 0, "{comment}");
        }
    }

    #[test]
    fn the_separator_is_the_one_that_stands_outside_quotes() {
        let separator = |text: &str| Separator::of(Lines::new(text.as_bytes()));
        assert_eq!(separator("1234,ABCD EFGH"), COMMA);
        assert_eq!(separator("1234;ACME, Inc.;totp;ABCD"), Separator::Character(b';'));
        assert_eq!(separator("1234;\"a, b, c, d\";totp"), Separator::Character(b';'));
        assert_eq!(separator("1234\tABCD"), Separator::Character(b'\t'));
        assert_eq!(separator("1234   ABCD"), Separator::Spaces);
        assert_eq!(Separator::declared(b"sep=;"), Some(Separator::Character(b';')));
    }

    #[test]
    fn fields_are_trimmed_unquoted_and_may_be_empty() {
        assert_eq!(fields(" 12 , AB CD ,", COMMA), ["12", "AB CD", ""]);
        assert_eq!(fields("\"12\" , \"a,b\"", COMMA), ["12", "a,b"]);
        for quoted in [
            "=\"0012\"",
            "\"=\"\"0012\"\"\"",
            "\"\"\"0012\"\"\"",
            "=T(\"0012\")",
            "\"=T(\"\"0012\"\")\"",
            "=(\"0012\")",
            "= \"0012\"",
            "'0012",
            "\"'0012\"",
            "'0012'",
            "\u{2019}0012",
            "\" =\"\"0012\"\" \"",
        ] {
            assert_eq!(fields(&format!("{quoted},AB"), COMMA), ["0012", "AB"], "{quoted}");
        }
        for formula in ["=0012", "=A1&B2", "=SUM(A1)"] {
            assert_eq!(fields(&format!("{formula},AB"), COMMA), [formula, "AB"], "it is left as it is");
        }
        assert_eq!(fields("\"say \"\"hi\"\"\",x", COMMA), ["say \"\"hi\"\"", "x"]);
        assert_eq!(fields("12\t\tx", Separator::Character(b'\t')), ["12", "", "x"]);
        assert_eq!(fields("  12 \t AB  ", Separator::Spaces), ["12", "AB"]);
        assert_eq!(fields("\"1 2\" AB", Separator::Spaces), ["1 2", "AB"]);
    }

    #[test]
    fn a_quote_left_open_spoils_its_own_line_only() {
        let split = |line: &str| SplitLine::split(line.as_bytes(), COMMA).unwrap_err();
        assert_eq!(split("\"12,AB"), Rejection::UnclosedQuote);
        assert_eq!(split("\"12\"x,AB"), Rejection::TextBehindQuote);
        assert_eq!(split(&format!("12,{}", "A".repeat(1025))), Rejection::FieldTooLong);
    }

    #[test]
    fn the_width_counts_to_the_last_field_that_holds_something() {
        let width = |line: &str| SplitLine::split(line.as_bytes(), COMMA).unwrap().width();
        assert_eq!(width("a,b"), 2);
        assert_eq!(width("a,b,,,"), 2);
        assert_eq!(width("a,,c,"), 3);
        assert_eq!(width(&"x,".repeat(MOST_COLUMNS)), MOST_COLUMNS);
        assert_eq!(SplitLine::split("x,".repeat(100).as_bytes(), COMMA).unwrap_err(), Rejection::TooManyColumns);
    }
}
