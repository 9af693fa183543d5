//! PhenixID's table, whose rows begin with the kind: `HOTP;serial;key;counter` and
//! `TOTP;serial;hash;key;epoch;interval;digits`.

use crate::seed_files::delimited::{Lines, Separator, SplitLine as Row};
use crate::seed_files::offer::{self, Stated};
use crate::seed_files::options::{KindName, Options};
use crate::seed_files::record::{self, Fields, Record, number};
use crate::seed_files::rejection::{KeyRejection, Rejection};
use crate::seed_files::seed_encoding;
use crate::seed_files::seed_encoding::decode;

/// Its columns and their meanings.
pub(super) const PARTS: [(&str, &str); 7] = [
    ("column 1", "type"),
    ("column 2", "serial number"),
    ("hash (TOTP)", "hash"),
    ("key", "secret"),
    ("counter (HOTP)", "counter"),
    ("time interval (TOTP)", "period"),
    ("OTP length (TOTP)", "digits"),
];

const SEMICOLON: Separator = Separator::Character(b';');

pub(super) fn is_it(text: &str) -> bool {
    Lines::new(text.as_bytes()).next().is_some_and(|line| kind(line.content).is_some())
}

/// The kind that a row begins with.
fn kind(line: &[u8]) -> Option<KindName> {
    let word = line.trim_ascii_start().get(..5)?;
    match () {
        () if word.eq_ignore_ascii_case(b"TOTP;") => Some(KindName::Totp),
        () if word.eq_ignore_ascii_case(b"HOTP;") => Some(KindName::Hotp),
        () => None,
    }
}

/// The rows of a table. Whether keys are hexadecimal is told by all of them together.
pub(super) fn records<'t>(text: &'t str, options: &'t Options) -> impl Iterator<Item = Record> + 't {
    let is_hex = |field: &[u8]| field.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b' ');
    let rows =
        || Lines::new(text.as_bytes()).filter_map(|line| Some((line, Row::split(line.content, SEMICOLON).ok()?)));
    let are_hex = rows().map(|(line, row)| is_hex(key(kind(line.content), &row)));
    let encoding = options.encoding.unwrap_or_else(|| seed_encoding::of_most(are_hex));
    Lines::new(text.as_bytes()).map(move |line| {
        let span = line.start..line.start + line.content.len();
        let row = Row::split(line.content, SEMICOLON);
        let fields = match &row {
            Ok(row) => {
                let kind = kind(line.content);
                let secret = Some(key(kind, row)).filter(|key| !key.is_empty()).ok_or(Rejection::SecretMissing);
                Fields {
                    serial: row.field(1),
                    secret: secret.and_then(|key| decode(key, encoding)),
                    stated: stated(kind, row),
                    vendor: None,
                    model: None,
                }
            }
            Err(why) => Fields::unreadable(*why),
        };
        let known = if kind(line.content) == Some(KindName::Totp) { 7 } else { 4 };
        let count = row.as_ref().map_or(0, |row| row.fields().len());
        let behind = (known..count).filter(|column| row.as_ref().is_ok_and(|row| !row.field(*column).is_empty()));
        let unknown = behind.map(|column| format!("column {}", column + 1)).collect();
        fields.record_beside(unknown, line.number, span, options)
    })
}

fn key<'t>(kind: Option<KindName>, row: &Row<'t>) -> &'t [u8] {
    row.field(if kind == Some(KindName::Totp) { 3 } else { 2 })
}

fn stated(kind: Option<KindName>, row: &Row<'_>) -> Result<Stated, Rejection> {
    let text = |column: usize| {
        Some(std::str::from_utf8(row.field(column)).unwrap_or_default()).filter(|text| !text.is_empty())
    };
    let mut stated = Stated { kind, ..Stated::default() };
    match kind {
        Some(KindName::Hotp) => {
            stated.counter = text(3).map(record::counter).transpose()?;
        }
        Some(KindName::Totp) => {
            if text(4).is_some_and(|epoch| number(epoch) != Some(0)) {
                return Err(Rejection::Key(KeyRejection::Epoch));
            }
            stated.algorithm = text(2).map(offer::algorithm).transpose()?;
            stated.period = text(5).map(record::period).transpose()?;
            stated.digits = text(6).map(record::digits).transpose()?;
        }
        None => return Err(Rejection::OtherKind),
    }
    Ok(stated)
}
