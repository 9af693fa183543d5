//! RCDevs' inventory of WebADM: a table of `Type, Reference, Description, Data`, whose last column holds
//! `TokenKey=…,TokenType=…,TokenState=…,OTPLength=…,TOTPTimeStep=…`, every value in base64.

use zeroize::Zeroizing;

use crate::seed_files::characters;
use crate::seed_files::delimited::{Lines, Separator, SplitLine as Row};
use crate::seed_files::offer::Stated;
use crate::seed_files::options::{KindName, Options};
use crate::seed_files::pskc_crypto::base64;
use crate::seed_files::record::{self, Fields, Record};
use crate::seed_files::rejection::Rejection;

/// Its fields and their meanings.
pub(super) const PARTS: [(&str, &str); 7] = [
    ("Reference", "serial number"),
    ("TokenKey", "secret"),
    ("TokenType", "type"),
    ("OTPLength", "digits"),
    ("TOTPTimeStep", "period"),
    ("TokenState", "counter"),
    ("Description", "model"),
];

const COMMA: Separator = Separator::Character(b',');

pub(super) fn is_it(text: &str) -> bool {
    let mut lines = Lines::new(text.as_bytes()).take(2);
    lines.any(|line| line.content.windows(9).any(|window| window == b"TokenKey="))
}

/// The rows of an inventory.
pub(super) fn records<'t>(text: &'t str, options: &'t Options) -> impl Iterator<Item = Record> + 't {
    Lines::new(text.as_bytes()).filter(|line| !is_header(line.content)).map(|line| {
        let span = line.start..line.start + line.content.len();
        let row = match Row::split(line.content, COMMA) {
            Ok(row) => row,
            Err(why) => return Fields::unreadable(why).record(line.number, span, options),
        };
        let data = std::str::from_utf8(row.field(3)).unwrap_or_default();
        if data.matches("TokenKey=").nth(1).is_some() {
            return Fields::unreadable(Rejection::Twice).record(line.number, span, options);
        }
        let fields = Fields {
            serial: row.field(1),
            secret: value(data, "TokenKey").ok_or(Rejection::SecretMissing),
            stated: stated(data),
            vendor: None,
            model: Some(characters::words(row.field(2))).filter(|model| !model.is_empty()),
        };
        let names = data.split(',').filter_map(|pair| pair.split_once('=')).map(|(name, _)| name.trim());
        let is_read = |name: &&str| ["TokenKey", "TokenType", "TokenState", "OTPLength", "TOTPTimeStep"].contains(name);
        let unknown = names.filter(|name| !is_read(name)).map(str::to_owned).collect();
        fields.record_beside(unknown, line.number, span, options)
    })
}

fn is_header(line: &[u8]) -> bool {
    Row::split(line, COMMA).is_ok_and(|row| row.field(0).eq_ignore_ascii_case(b"Type"))
}

fn value(data: &str, name: &str) -> Option<Zeroizing<Vec<u8>>> {
    let pairs = data.split(',').filter_map(|pair| pair.split_once('='));
    base64(pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name)?.1)
}

fn stated(data: &str) -> Result<Stated, Rejection> {
    let text = |name| value(data, name).and_then(|bytes| std::str::from_utf8(&bytes).ok().map(str::to_owned));
    let kind = match text("TokenType").as_deref() {
        Some("TOTP") => KindName::Totp,
        Some("HOTP") => KindName::Hotp,
        _ => return Err(Rejection::OtherKind),
    };
    let period = text("TOTPTimeStep").filter(|_| kind == KindName::Totp);
    // Of a TOTP token it is how far the clock is off, in a unit that is not documented: not taken over.
    let counter = text("TokenState").filter(|_| kind == KindName::Hotp);
    Ok(Stated {
        usual_kind: None,
        kind: Some(kind),
        algorithm: None,
        digits: text("OTPLength").as_deref().map(record::digits).transpose()?,
        period: period.as_deref().map(record::period).transpose()?,
        counter: counter.as_deref().map(record::counter).transpose()?,
    })
}
