//! privacyIDEA's own tables, which have the owner before the token: what `pi-tokenjanitor` exports
//! (`login@realm, serial, key, type, digits[, step]`), and its CSV of version 2 (`login, resolver, realm, serial, key, type,
//! digits[, step or counter]`). Owners are not assigned here; the report says how.

use crate::seed_files::delimited::{Lines, Separator, SplitLine as Row};
use crate::seed_files::offer::{self, Stated};
use crate::seed_files::options::{KindName, Options};
use crate::seed_files::record::{self, Fields, Record};
use crate::seed_files::rejection::Rejection;
use crate::seed_files::seed_encoding;
use crate::seed_files::seed_encoding::decode;

/// Its columns and their meanings.
pub(super) const PARTS: [(&str, &str); 5] = [
    ("serial", "serial number"),
    ("key", "secret"),
    ("type", "type"),
    ("digits", "digits"),
    ("step or counter", "period or counter"),
];

const COMMA: Separator = Separator::Character(b',');
/// The columns before the serial number: of an export, and of version 2.
const OWNER: usize = 1;
const USER: usize = 3;

/// Prints the serial number and the owner of every row of an export that has one.
pub(super) const OWNERS: &str = "awk -F', *' '$1 != \"n/a\" { sub(/@[^@]*$/, \"\", $1); print $2 \",\" $1 }'";
/// The same for version 2.
pub(super) const USERS: &str = "awk -F', *' '!/^#/ && $1 != \"\" { print $4 \",\" $1 }'";

/// The number of columns before the serial number. `None`: it is no such table.
pub(super) fn offset(text: &str) -> Option<usize> {
    let first = text.lines().next()?.trim();
    let is_versioned = first.strip_prefix('#').is_some_and(|rest| {
        let rest = rest.trim_start().strip_prefix("version:");
        rest.is_some_and(|version| version.trim() == "2")
    });
    if is_versioned {
        return Some(USER);
    }
    let line = Lines::new(text.as_bytes()).next()?;
    let row = Row::split(line.content, COMMA).ok()?;
    let owner = row.field(0);
    let is_owner = owner == b"n/a" || owner.contains(&b'@');
    (is_owner && kind(row.field(3)).is_some()).then_some(OWNER)
}

fn kind(word: &[u8]) -> Option<KindName> {
    offer::kind(std::str::from_utf8(word).ok()?)
}

/// The rows of a table. Whether keys are hexadecimal is told by all of them together.
pub(super) fn records<'t>(text: &'t str, options: &'t Options) -> impl Iterator<Item = Record> + 't {
    let offset = offset(text).unwrap_or(OWNER);
    let rows = || Lines::new(text.as_bytes()).filter_map(|line| Row::split(line.content, COMMA).ok());
    let keys = rows().filter(|row| !row.field(offset + 1).is_empty());
    let are_hex = keys.map(|row| row.field(offset + 1).iter().all(u8::is_ascii_hexdigit));
    let encoding = options.encoding.unwrap_or_else(|| seed_encoding::of_most(are_hex));
    Lines::new(text.as_bytes()).map(move |line| {
        let span = line.start..line.start + line.content.len();
        let row = Row::split(line.content, COMMA);
        let fields = match &row {
            Ok(row) => {
                let key = Some(row.field(offset + 1)).filter(|key| !key.is_empty()).ok_or(Rejection::SecretMissing);
                Fields {
                    serial: row.field(offset),
                    secret: key.and_then(|key| decode(key, encoding)),
                    stated: stated(row, offset),
                    vendor: None,
                    model: None,
                }
            }
            Err(why) => Fields::unreadable(*why),
        };
        let behind =
            (offset + 5..offset + 12).filter(|column| row.as_ref().is_ok_and(|row| !row.field(*column).is_empty()));
        let unknown = behind.map(|column| format!("column {}", column + 1)).collect();
        fields.record_beside(unknown, line.number, span, options)
    })
}

fn stated(row: &Row<'_>, offset: usize) -> Result<Stated, Rejection> {
    let text = |column: usize| {
        let text = std::str::from_utf8(row.field(offset + column)).unwrap_or_default();
        // What Python writes for nothing.
        Some(text).filter(|text| !text.is_empty() && *text != "None")
    };
    // privacyIDEA's default.
    let kind = match row.field(offset + 2) {
        b"" => KindName::Hotp,
        word => kind(word).ok_or(Rejection::OtherKind)?,
    };
    let digits = text(3).map(record::digits).transpose()?;
    let mut stated = Stated { kind: Some(kind), digits, ..Stated::default() };
    match (kind, text(4)) {
        (_, None) => {}
        (KindName::Totp, Some(period)) => stated.period = Some(record::period(period)?),
        (KindName::Hotp, Some(counter)) => stated.counter = Some(record::counter(counter)?),
    }
    Ok(stated)
}
