//! The file of pam_u2f (`u2f_keys`, `u2f_mappings`): a line a user, with the keys for the USB port that the user has.
//!
//! Read as pam_u2f reads it (util.c): `user:handle,key,type,options:…`; of several lines of a user the last one counts. A key
//! with two fields is one of U2F. Nothing of it is secret, and nothing is stored: keys in a USB port are not asked here.

use std::fmt;
use std::str;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use thiserror::Error;
use twofactor_core::host::user::UserName;

/// pam_u2f takes no more keys of a user.
const MOST_KEYS: usize = 24;

/// A line of the file.
#[derive(Debug, PartialEq, Eq)]
pub struct UsbKeyLine {
    /// Its number, from 1.
    pub number: usize,
    /// Its user and keys, or the reason for which it cannot be read.
    pub content: Result<(UserName, Vec<UsbKey>), BadUsbKeyLine>,
    /// True when a later line of this user counts in its place.
    pub superseded: bool,
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbKey {
    /// The kind of its signature.
    pub kind: UsbKeyKind,
    /// True when the key itself knows its user: its handle is `*`.
    pub resident: bool,
    /// `+presence`, `+verification`, `+pin`, without the signs.
    pub options: Vec<&'static str>,
}

/// The kinds of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsbKeyKind {
    /// ECDSA with P-256.
    Es256,
    /// Ed25519.
    Eddsa,
    /// RSA.
    Rs256,
    /// U2F, before FIDO2.
    U2f,
}

impl fmt::Display for UsbKeyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Es256 => "es256",
            Self::Eddsa => "eddsa",
            Self::Rs256 => "rs256",
            Self::U2f => "u2f",
        })
    }
}

/// The reason for which a line cannot be read. Never says what stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadUsbKeyLine {
    /// It has a byte that no text has.
    #[error("it is no text")]
    NotText,
    /// The name is that of no user.
    #[error("the name cannot be a user's")]
    Name,
    /// No key stands behind the name.
    #[error("it has no key")]
    NoKey,
    /// It has more keys than pam_u2f takes.
    #[error("it has more than {MOST_KEYS} keys")]
    TooManyKeys,
    /// A key is none.
    #[error("key {0} is not handle,key,type,options")]
    Key(usize),
}

/// The lines of a file.
pub fn read(bytes: &[u8]) -> Vec<UsbKeyLine> {
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..);
    let mut read: Vec<UsbKeyLine> = lines
        .filter_map(|(line, number)| {
            let content = line_of(line).transpose()?;
            Some(UsbKeyLine { number, content, superseded: false })
        })
        .collect();
    let mut later = std::collections::BTreeSet::new();
    for line in read.iter_mut().rev() {
        if let Ok((user, _)) = &line.content {
            line.superseded = !later.insert(user.clone());
        }
    }
    read
}

/// `None` for a line without anything, and for a comment.
fn line_of(line: &[u8]) -> Result<Option<(UserName, Vec<UsbKey>)>, BadUsbKeyLine> {
    let line = str::from_utf8(line).map_err(|_| BadUsbKeyLine::NotText)?.trim_end_matches('\r');
    if line.contains('\0') {
        return Err(BadUsbKeyLine::NotText);
    }
    if line.trim().is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (user, keys) = line.split_once(':').unwrap_or((line, ""));
    let user = UserName::new(user).map_err(|_| BadUsbKeyLine::Name)?;
    let parts: Vec<&str> = keys.split(':').filter(|part| !part.is_empty()).collect();
    match parts.len() {
        0 => return Err(BadUsbKeyLine::NoKey),
        1..=MOST_KEYS => {}
        _ => return Err(BadUsbKeyLine::TooManyKeys),
    }
    let keys = parts.iter().zip(1..).map(|(part, number)| key(part).ok_or(BadUsbKeyLine::Key(number)));
    Ok(Some((user, keys.collect::<Result<_, _>>()?)))
}

fn key(text: &str) -> Option<UsbKey> {
    let fields: Vec<&str> = text.trim().split(',').collect();
    let is_base64 = |field: &str| !field.is_empty() && BASE64.decode(field.as_bytes()).is_ok();
    match fields.as_slice() {
        [handle, key] => {
            let handle = BASE64URL_NOPAD.decode(handle.trim_end_matches('=').as_bytes()).ok()?;
            let key = HEXLOWER_PERMISSIVE.decode(key.as_bytes()).ok()?;
            let is_point = key.len() == 65 && key.first() == Some(&4);
            (!handle.is_empty() && is_point).then(|| UsbKey {
                kind: UsbKeyKind::U2f,
                resident: false,
                options: vec!["presence"],
            })
        }
        [handle, key, kind, options] => {
            let kind = match *kind {
                "es256" => UsbKeyKind::Es256,
                "eddsa" => UsbKeyKind::Eddsa,
                "rs256" => UsbKeyKind::Rs256,
                _ => return None,
            };
            let known = ["presence", "verification", "pin"];
            let mut words = options.split('+');
            let found = |word: &str| known.into_iter().find(|known| *known == word);
            let starts = words.next() == Some("");
            let options: Option<Vec<&'static str>> = words.map(found).collect();
            let resident = *handle == "*";
            ((resident || is_base64(handle)) && is_base64(key) && starts).then_some(UsbKey {
                kind,
                resident,
                options: options?,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AQIDBAUGBwgJCgsMDQ4PEA==";

    fn users(text: &str) -> Vec<(usize, String, usize, bool)> {
        let lines = read(text.as_bytes()).into_iter();
        lines
            .filter_map(|line| {
                let (user, keys) = line.content.ok()?;
                Some((line.number, user.to_string(), keys.len(), line.superseded))
            })
            .collect()
    }

    #[test]
    fn keys_of_fido2_and_of_u2f_are_told_apart_and_the_last_line_counts() {
        let u2f = format!("{},04{}", "aGFuZGxl", "ab".repeat(64));
        let text = format!(
            "# keys\nalice:{KEY},{KEY},es256,+presence\nbob:*,{KEY},eddsa,+presence+verification+pin:{u2f}\r\n\nalice:{KEY},{KEY},rs256,+\n"
        );
        let found = users(&text.replace(",+\n", ",+presence\n"));
        assert_eq!(
            found,
            [(2, "alice".to_owned(), 1, true), (3, "bob".to_owned(), 2, false), (5, "alice".to_owned(), 1, false)]
        );
        let lines = read(text.as_bytes());
        let (_, keys) = lines[1].content.as_ref().unwrap();
        assert_eq!((keys[0].kind, keys[0].resident), (UsbKeyKind::Eddsa, true));
        assert_eq!(keys[0].options, ["presence", "verification", "pin"]);
        assert_eq!(keys[1].kind, UsbKeyKind::U2f);
    }

    #[test]
    fn lines_that_cannot_be_read_are_named() {
        let many = format!(":{KEY},{KEY},es256,+presence").repeat(25);
        for (line, why) in [
            ("alice".to_owned(), BadUsbKeyLine::NoKey),
            ("alice:".to_owned(), BadUsbKeyLine::NoKey),
            (format!("../x:{KEY},{KEY},es256,+presence"), BadUsbKeyLine::Name),
            (format!("alice:{KEY},{KEY},es512,+presence"), BadUsbKeyLine::Key(1)),
            (format!("alice:{KEY},{KEY},es256,+touch"), BadUsbKeyLine::Key(1)),
            (format!("alice:{KEY},?,es256,+presence"), BadUsbKeyLine::Key(1)),
            (format!("alice:{KEY},{KEY},es256,+presence:x,y"), BadUsbKeyLine::Key(2)),
            (format!("alice{many}"), BadUsbKeyLine::TooManyKeys),
            ("a\0lice".to_owned(), BadUsbKeyLine::NotText),
        ] {
            assert_eq!(read(line.as_bytes())[0].content, Err(why), "{line}");
        }
    }
}
