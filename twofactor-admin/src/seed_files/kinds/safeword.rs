//! `SafeWord` authenticator records (`*.dat`): blocks of `name: value` lines, whose `sccTokenData` holds
//! `sccKey=…;sccMode=E;sccPwLen=6;…`. Time-based tokens among them count their steps from the year 2000, which no TOTP does,
//! and are rejected.

use crate::seed_files::characters;
use crate::seed_files::delimited::Lines;
use crate::seed_files::offer::{self, Stated};
use crate::seed_files::options::{Encoding, KindName, Options};
use crate::seed_files::record::{self, Fields, Record};
use crate::seed_files::rejection::{KeyRejection, Rejection};
use crate::seed_files::seed_encoding::decode;

/// Its fields and their meanings.
pub(super) const PARTS: [(&str, &str); 6] = [
    ("sccAuthenticatorId", "serial number"),
    ("sccKey", "secret"),
    ("sccMode", "type"),
    ("crypto", "hash"),
    ("sccPwLen", "digits"),
    ("sccTokenType", "model"),
];

/// The lines of a record that say nothing about codes.
const BESIDE: [&str; 2] = ["objectclass", "sccsignature"];
/// The parts of `sccTokenData` that are read, and its version.
const DATA: [&str; 5] = ["sccKey", "sccMode", "sccPwLen", "crypto", "sccVer"];

pub(super) fn is_it(text: &str) -> bool {
    // One of its first lines names the token.
    text.lines().take(20).any(|line| line.trim_start().to_ascii_lowercase().starts_with("sccauthenticatorid:"))
}

/// The records: each ends at a blank line or where the next `dn:` begins.
pub(super) fn records<'t>(text: &'t str, options: &'t Options) -> impl Iterator<Item = Record> + 't {
    let mut lines = Lines::new(text.as_bytes()).peekable();
    std::iter::from_fn(move || {
        let first = *lines.peek()?;
        let (mut serial, mut data, mut model, mut end, mut begun) = ("", "", None, first.start, false);
        let (mut named, mut twice, mut unknown) = (None, false, Vec::new());
        while let Some(line) = lines.peek() {
            let content = std::str::from_utf8(line.content).unwrap_or_default();
            let (name, value) = content.split_once(':').unwrap_or((content, ""));
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            let starts = name == "dn" || (name == "sccauthenticatorid" && !data.is_empty());
            if begun && starts {
                break;
            }
            match name.as_str() {
                "sccauthenticatorid" => {
                    twice |= !serial.is_empty();
                    serial = value;
                }
                // The name of the record, which has the serial number as well.
                "dn" => named = value.split(',').find_map(|part| part.trim().strip_prefix("sccAuthenticatorId=")),
                "scctokendata" => {
                    twice |= !data.is_empty();
                    data = value;
                }
                "scctokentype" => model = Some(characters::words(value.as_bytes())),
                name if BESIDE.contains(&name) => {}
                name => unknown.push(name.to_owned()),
            }
            begun = true;
            end = line.start + line.content.len();
            lines.next();
        }
        if twice || named.is_some_and(|named| named != serial) || data.matches("sccKey=").nth(1).is_some() {
            return Some(Fields::unreadable(Rejection::Twice).record(first.number, first.start..end, options));
        }
        let stated = stated(data);
        let key = field(data, "sccKey");
        let secret = key
            .ok_or(Rejection::SecretMissing)
            .and_then(|key| decode(key.as_bytes(), options.encoding.unwrap_or(Encoding::Hex)));
        let fields = Fields { serial: serial.as_bytes(), secret, stated, vendor: Some("SafeNet".to_owned()), model };
        let pairs = data.split(';').filter(|pair| !pair.trim().is_empty());
        let keys = pairs.map(|pair| pair.split_once('=').map_or(pair, |(key, _)| key).trim());
        let is_read = |name: &&str| DATA.iter().any(|known| known.eq_ignore_ascii_case(name));
        unknown.extend(keys.filter(|key| !is_read(key)).map(str::to_owned));
        Some(fields.record_beside(unknown, first.number, first.start..end, options))
    })
}

fn field<'d>(data: &'d str, name: &str) -> Option<&'d str> {
    let pairs = data.split(';').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (key.trim(), value.trim()))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn stated(data: &str) -> Result<Stated, Rejection> {
    let digits = field(data, "sccPwLen").map(record::digits);
    match field(data, "sccMode") {
        Some(mode) if mode.eq_ignore_ascii_case("E") => Ok(Stated {
            kind: Some(KindName::Hotp),
            algorithm: field(data, "crypto").map(offer::algorithm).transpose()?,
            digits: digits.transpose()?,
            ..Stated::default()
        }),
        Some(mode) if mode.eq_ignore_ascii_case("T") => Err(Rejection::Key(KeyRejection::Epoch)),
        _ => Err(Rejection::OtherKind),
    }
}
