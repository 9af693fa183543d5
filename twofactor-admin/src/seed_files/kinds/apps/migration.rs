//! `otpauth-migration://offline?data=…`: what a QR code of Google Authenticator's export holds, a message of protocol buffers
//! in base64. Some ten of its fields are read and the others named.
//!
//! Invariants: a message that is cut off or not well-formed gives no entry at all; the text of a secret is wiped.

use zeroize::Zeroizing;

use super::entry::{Entry, EntryKind};
use super::uri;
use crate::seed_files::characters;
use crate::seed_files::options::KindName;

const SCHEME: &str = "otpauth-migration://";

pub(super) fn is_it(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| line.get(..SCHEME.len()).is_some_and(|head| head.eq_ignore_ascii_case(SCHEME)))
}

/// The entries of a URI, of which a large export has several. `None`: it is none, or was cut off.
pub(super) fn entries(uri: &str) -> Option<Vec<Entry>> {
    let (_, query) = uri.trim().split_once('?')?;
    let data = query.split('&').find_map(|pair| pair.strip_prefix("data="))?;
    // A blank stands for a `+` of base64 that was not encoded.
    let mut base64 = Zeroizing::new(uri::decoded(data).replace(' ', "+").into_bytes());
    for byte in base64.iter_mut() {
        *byte = match *byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        };
    }
    while base64.last() == Some(&b'=') {
        base64.pop();
    }
    let mut message = Zeroizing::new(vec![0; base64.len()]);
    let length =
        data_encoding::BASE64_NOPAD.decode_mut(&base64, message.get_mut(..decoded_length(base64.len())?)?).ok()?;
    let (mut entries, mut unknown) = (Vec::new(), Vec::new());
    for field in fields(message.get(..length)?) {
        match field? {
            Field { number: 1, value: Value::Bytes(entry) } => entries.push(read(entry)?),
            // Version, and the number of this code among all.
            Field { number: 2..=5, value: Value::Number(_) } => {}
            Field { number, .. } => unknown.push(format!("field {number} of the message")),
        }
    }
    entries.first_mut()?.unknown.append(&mut unknown);
    Some(entries)
}

fn decoded_length(length: usize) -> Option<usize> {
    data_encoding::BASE64_NOPAD.decode_len(length).ok()
}

/// An entry: 1 secret, 2 name, 3 issuer, 4 hash, 5 digits (1: six, 2: eight), 6 type (1: HOTP, 2: TOTP), 7 counter. The
/// period is not among them: it is 30 s.
fn read(message: &[u8]) -> Option<Entry> {
    let mut entry = Entry { kind: EntryKind::Unsaid, period: Some(30), ..Entry::default() };
    for field in fields(message) {
        let Field { number, value } = field?;
        match (number, value) {
            (1, Value::Bytes(secret)) => entry.secret = Some(Ok(Zeroizing::new(secret.to_vec()))),
            (2, Value::Bytes(name)) => entry.label = characters::words(name),
            (3, Value::Bytes(issuer)) => entry.issuer = characters::words(issuer),
            // Whatever is none of these is refused as a hash or as a number of digits; 0 says nothing.
            (4, Value::Number(hash)) => {
                let names = ["", "SHA1", "SHA256", "SHA512", "MD5"];
                let name = usize::try_from(hash).ok().and_then(|hash| names.get(hash)).unwrap_or(&"unknown");
                entry.algorithm = Some((*name).to_owned()).filter(|name| !name.is_empty());
            }
            (5, Value::Number(digits)) => {
                entry.digits = match digits {
                    0 => None,
                    1 => Some(6),
                    2 => Some(8),
                    _ => Some(0),
                }
            }
            (6, Value::Number(kind)) => {
                entry.kind = match kind {
                    0 => EntryKind::Unsaid,
                    1 => EntryKind::Known(KindName::Hotp),
                    2 => EntryKind::Known(KindName::Totp),
                    _ => EntryKind::Other,
                }
            }
            (7, Value::Number(counter)) => entry.counter = Some(i64::try_from(counter).unwrap_or(i64::MAX)),
            (number, _) => entry.unknown.push(format!("field {number}")),
        }
    }
    // The name of the service stands before the account.
    if let Some((_, label)) = entry.label.split_once(':').filter(|(service, _)| *service == entry.issuer) {
        entry.label = label.trim().to_owned();
    }
    Some(entry)
}

/// A field of a message.
struct Field<'m> {
    number: u64,
    value: Value<'m>,
}

enum Value<'m> {
    Number(u64),
    Bytes(&'m [u8]),
    /// A number of fixed size, of which none is needed.
    Fixed,
}

/// The fields of a message. `None`: it ends within one, or has what protocol buffers do not have.
fn fields(message: &[u8]) -> impl Iterator<Item = Option<Field<'_>>> {
    let mut rest = message;
    let mut broken = false;
    std::iter::from_fn(move || {
        if rest.is_empty() || broken {
            return None;
        }
        let field = next(&mut rest);
        broken = field.is_none();
        Some(field)
    })
}

fn next<'m>(rest: &mut &'m [u8]) -> Option<Field<'m>> {
    let key = number(rest)?;
    let value = match key & 7 {
        0 => Value::Number(number(rest)?),
        2 => {
            let length = usize::try_from(number(rest)?).ok()?;
            Value::Bytes(take(rest, length)?)
        }
        1 => take(rest, 8).map(|_| Value::Fixed)?,
        5 => take(rest, 4).map(|_| Value::Fixed)?,
        _ => return None,
    };
    Some(Field { number: key >> 3, value })
}

/// A number in groups of seven bits, the least significant first.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for place in 0..10 {
        let byte = *take(rest, 1)?.first()?;
        number |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take<'m>(rest: &mut &'m [u8], length: usize) -> Option<&'m [u8]> {
    let (taken, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str =
        "otpauth-migration://offline?data=CjEKCkhlbGxvId6tvu8SGEV4YW1wbGU6YWxpY2VAZ29vZ2xlLmNvbRoHRXhhbXBsZTAC";

    #[test]
    fn the_example_of_the_key_uri_format_is_read() {
        let entries = entries(EXAMPLE).unwrap();
        let [entry] = &entries[..] else { panic!("one entry") };
        assert_eq!((entry.issuer.as_str(), entry.label.as_str()), ("Example", "alice@google.com"));
        assert_eq!(entry.secret.as_ref().unwrap().as_ref().unwrap().as_slice(), b"Hello!\xde\xad\xbe\xef");
        assert_eq!(entry.kind, EntryKind::Known(KindName::Totp));
    }

    #[test]
    fn no_part_of_a_uri_gives_an_entry() {
        for end in 0..EXAMPLE.len() - 4 {
            let secret = entries(&EXAMPLE[..end]).and_then(|entries| entries.into_iter().next()?.secret);
            assert!(secret.is_none(), "{end}");
        }
        assert!(entries(&format!("{EXAMPLE}%3D%3D&x=y")).is_some());
    }
}
