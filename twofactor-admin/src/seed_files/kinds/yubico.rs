//! The log of Yubico's programming tool, in its traditional and its Yubico format. Only what was programmed as OATH-HOTP
//! makes a token; Yubico OTP, static passwords and challenge-response are rejected.

use crate::seed_files::delimited::{Lines, Separator, SplitLine as Row};
use crate::seed_files::offer::Stated;
use crate::seed_files::options::{Encoding, KindName, Options};
use crate::seed_files::record::{self, Fields, Record, number};
use crate::seed_files::rejection::Rejection;
use crate::seed_files::seed_encoding::decode;

/// Its columns and their meanings.
pub(super) const PARTS: [(&str, &str); 4] = [
    ("public identity, else serial", "serial number"),
    ("secret key", "secret"),
    ("HOTP digits", "digits"),
    ("moving factor seed", "counter"),
];

const VENDOR: &str = "Yubico";
const COMMA: Separator = Separator::Character(b',');
/// The columns of the traditional format. The local time in the second one may hold a comma itself.
const TRADITIONAL: usize = 18;

pub(super) fn is_it(text: &str) -> bool {
    Lines::new(text.as_bytes()).next().is_some_and(|line| is_header(line.content) || is_row(line.content))
}

fn is_header(line: &[u8]) -> bool {
    line.get(..13).is_some_and(|start| start.eq_ignore_ascii_case(b"LOGGING START"))
}

fn is_row(line: &[u8]) -> bool {
    is_traditional(line) || is_yubico(line)
}

fn is_traditional(line: &[u8]) -> bool {
    const EVENTS: [&[u8]; 4] = [b"OATH-HOTP", b"Yubico OTP", b"Static Password", b"Challenge-Response"];
    EVENTS.iter().any(|event| line.get(..event.len()).is_some_and(|start| start.eq_ignore_ascii_case(event)))
        && line.split(|byte| *byte == b',').count() >= TRADITIONAL
}

/// `serial,public identity,moving factor or private identity,key,access code,2013-12-12T08:41:07,`
fn is_yubico(line: &[u8]) -> bool {
    let Ok(row) = Row::split(line, COMMA) else { return false };
    let (serial, time) = (row.field(0), row.field(5));
    let is_time = time.len() == 19 && time.get(10) == Some(&b'T') && time.get(4) == Some(&b'-');
    matches!(row.fields().len(), 6 | 7) && serial.iter().all(u8::is_ascii_digit) && is_time
}

/// The rows of a log.
pub(super) fn records<'t>(text: &'t str, options: &'t Options) -> impl Iterator<Item = Record> + 't {
    Lines::new(text.as_bytes()).filter(|line| !is_header(line.content)).map(|line| {
        let encoding = options.encoding.unwrap_or(Encoding::Hex);
        let of_line = if is_traditional(line.content) { traditional } else { yubico };
        let fields = of_line(line.content, encoding);
        let unknown = unknown(line.content);
        fields.record_beside(unknown, line.number, line.start..line.start + line.content.len(), options)
    })
}

/// The columns behind those of the format.
fn unknown(line: &[u8]) -> Vec<String> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
    // The time of a traditional log may hold one comma.
    let known = if is_traditional(line) { TRADITIONAL + 1 } else { 6 };
    let behind = fields.iter().enumerate().skip(known).filter(|(_, field)| !field.is_empty());
    behind.map(|(column, _)| format!("column {}", column + 1)).collect()
}

fn traditional(line: &[u8], encoding: Encoding) -> Fields<'_> {
    let columns: Vec<&[u8]> = line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
    // Counted from the end, because of the time.
    let column = |place: usize| {
        let place = (columns.len() + place).checked_sub(TRADITIONAL);
        place.and_then(|place| columns.get(place)).copied().unwrap_or_default()
    };
    let is_hotp = columns.first().is_some_and(|event| event.eq_ignore_ascii_case(b"OATH-HOTP"));
    let stated = || {
        if !is_hotp {
            return Err(Rejection::OtherKind);
        }
        let (digits, counter) = (text(column(11)), text(column(12)));
        hotp(is_hotp, Some(record::digits(digits)?), counter)
    };
    Fields {
        serial: column(3),
        secret: decode(column(5), encoding),
        stated: stated(),
        vendor: Some(VENDOR.to_owned()),
        model: None,
    }
}

fn yubico(line: &[u8], encoding: Encoding) -> Fields<'_> {
    let Ok(row) = Row::split(line, COMMA) else { return Fields::unreadable(Rejection::UnclosedQuote) };
    if !is_yubico(line) {
        return Fields::unreadable(Rejection::TooFewColumns);
    }
    let (public, third) = (row.field(1), text(row.field(2)));
    // In this column OATH has its moving factor, Yubico OTP a private identity, a static password nothing.
    let is_hotp = number(third).is_some() && third.len() <= 6;
    Fields {
        serial: if public.is_empty() { row.field(0) } else { public },
        secret: decode(row.field(3), encoding),
        stated: hotp(is_hotp, None, third),
        vendor: Some(VENDOR.to_owned()),
        model: None,
    }
}

fn hotp(is_hotp: bool, digits: Option<twofactor_core::codes::otp::Digits>, counter: &str) -> Result<Stated, Rejection> {
    if !is_hotp {
        return Err(Rejection::OtherKind);
    }
    let counter = Some(record::counter(counter)?);
    Ok(Stated { kind: Some(KindName::Hotp), digits, counter, ..Stated::default() })
}

fn text(field: &[u8]) -> &str {
    std::str::from_utf8(field).unwrap_or_default()
}
