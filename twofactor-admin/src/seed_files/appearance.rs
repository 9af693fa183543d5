//! The looks of an entry of a zip file, before and however it is read: a list of seeds, perhaps a damaged one, or a text
//! in which few lines could be rows.
//!
//! Invariants: a damaged list looks like a list, so it is refused with its reason and never ignored; a letter with an
//! example, a licence or a sum is none.

use zeroize::Zeroizing;

use super::bounds::LONGEST_TITLE;
use super::characters;
use super::delimited::{Lines, Separator, SplitLine};
use super::headings::{self, Header};
use super::seed_encoding;

/// So many bytes of a text are looked at.
const LOOKED_AT: usize = 128 << 10;
/// A shorter number may be one of an order, or a date.
const SHORTEST_SERIAL: usize = 9;
/// So many rows are no number of an order or a licence.
const MANY: usize = 4;

/// The looks of a text.
#[derive(Debug, Clone, Default)]
pub(super) struct Appearance {
    /// The lines that could be rows, perhaps damaged ones.
    pub(super) rows: usize,
    /// The lines that are neither a row nor the header.
    others: usize,
    has_header: bool,
    is_named_table: bool,
    /// A word of it says that it is about codes or secrets.
    pub(super) names_secrets: bool,
    shapes: Vec<RowForm>,
}

/// The form of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RowForm {
    separator: Separator,
    fields: usize,
    /// The column of something like a secret, and its length.
    secret: usize,
    length: usize,
    /// The number of digits of a serial number that has nothing else.
    digits: Option<usize>,
}

impl RowForm {
    /// Of a line that has something like a secret and something like a serial number. Both may be damaged.
    fn of(record: &SplitLine<'_>, separator: Separator) -> Option<Self> {
        let fields = record.fields();
        let secret = fields.iter().position(|field| is_like_secret(field))?;
        let mut others = fields.iter().enumerate().filter(|(column, _)| *column != secret).map(|(_, field)| field);
        let serial = others.find(|field| field.iter().any(u8::is_ascii_digit) && field.len() <= 64)?;
        let length = fields.get(secret)?.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
        let digits = serial.iter().all(u8::is_ascii_digit).then_some(serial.len());
        Some(Self { separator, fields: record.width(), secret, length, digits })
    }

    fn is_like(self, other: Self) -> bool {
        let as_long = self.length.abs_diff(other.length) <= 2;
        let same_columns = self.fields == other.fields && self.secret == other.secret;
        // A number beside a secret as long as the other's is a row, whatever separates the two; one as long as the other's
        // number also with other columns behind.
        let is_serial = self.digits >= Some(SHORTEST_SERIAL) && self.digits == other.digits;
        let are_numbers = self.digits.is_some() && other.digits.is_some();
        let same_numbers = as_long && are_numbers && (same_columns || is_serial);
        // Where spaces separate, any two words have the same columns.
        let form = |shape: Self| Self { length: 0, digits: shape.digits.map(|_| 0), ..shape };
        let same_form = form(self) == form(other);
        same_numbers || (same_form && (as_long || self.separator != Separator::Spaces))
    }
}

/// One word of letters and digits as long as a secret, or groups of one: also with a character that is wrong in it. Of
/// digits alone it is as long as no serial number.
fn is_like_secret(field: &[u8]) -> bool {
    let is_word =
        field.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'));
    let mixed = field.iter().any(u8::is_ascii_digit) && field.iter().any(u8::is_ascii_alphabetic);
    let digits = field.iter().filter(|byte| byte.is_ascii_digit()).count();
    (is_word && (mixed && field.len() >= 16 || digits >= 32)) || seed_encoding::looks_like_secret(field)
}

impl Appearance {
    /// Looks at the beginning of a text.
    pub(super) fn of(name: &str, bytes: &[u8]) -> Self {
        let is_cut = bytes.len() > LOOKED_AT;
        let start = bytes.get(..LOOKED_AT).unwrap_or(bytes);
        let Ok(mut text) = characters::text(Zeroizing::new(start.to_vec())) else { return Self::default() };
        characters::even_spaces(&mut text);
        if is_cut && let Some(end) = text.iter().rposition(|byte| *byte == b'\n') {
            text.truncate(end);
        }
        let is_named_table = name
            .rsplit_once('.')
            .is_some_and(|(_, ending)| ["csv", "tsv", "tab"].iter().any(|table| ending.eq_ignore_ascii_case(table)));
        let usual = Separator::of(Lines::new(&text));
        let separators = [usual, Separator::Character(b'|'), Separator::Character(b':')];
        let names_secrets = ["secret", "otp"]
            .iter()
            .any(|word| text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes())));
        let looks =
            separators.map(|separator| Self { is_named_table, names_secrets, ..Self::separated(&text, separator) });
        looks.into_iter().rev().max_by_key(|look| look.rows).unwrap_or_default()
    }

    fn separated(text: &[u8], separator: Separator) -> Self {
        let mut look = Self::default();
        let mut header = None;
        for (index, line) in Lines::new(text).enumerate() {
            let record = SplitLine::split(line.content, separator);
            let Ok(record) = record else {
                look.others += 1;
                continue;
            };
            let shape = RowForm::of(&record, separator);
            if header.is_none() && shape.is_none() && index < LONGEST_TITLE && headings::read(&record) != Header::None {
                header = Some(record.width());
                continue;
            }
            match shape {
                Some(shape) => {
                    look.rows += 1;
                    if look.shapes.len() < MANY && !look.shapes.contains(&shape) {
                        look.shapes.push(shape);
                    }
                }
                // Below a header, what has all its columns is a row, if a damaged one.
                None if header.is_some_and(|width| width > 1 && width == record.fields().len()) => look.rows += 1,
                None => look.others += 1,
            }
        }
        look.has_header = header.is_some();
        look
    }

    /// True when it has the form of a list: most of its lines are rows. A table by its name needs no more than half.
    pub(super) fn is_list(&self) -> bool {
        let enough = if self.is_named_table { self.rows * 2 >= self.others } else { self.rows > self.others };
        self.rows > 0 && !self.shapes.is_empty() && enough
    }

    /// True when that is beyond doubt: by its name, its header or the number of its rows.
    pub(super) fn is_certain(&self) -> bool {
        self.is_list() && (self.is_named_table || self.has_header || self.rows >= MANY)
    }

    /// True when some of its rows are made as some of the other's.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.shapes.iter().any(|shape| other.shapes.iter().any(|other| shape.is_like(*other)))
    }

    /// Its weight among lists that are all in doubt.
    pub(super) fn weight(&self) -> (usize, bool) {
        (self.rows, self.shapes.iter().any(|shape| shape.separator != Separator::Spaces))
    }
}
