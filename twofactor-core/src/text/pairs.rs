//! `key=value key="another value"`: how the log and the registry's history write down what belongs to an event.
//!
//! Invariants: a value that is anything but printable ASCII without spaces is quoted and escaped, so whatever an
//! attacker put into it stays one value. [`read`] is the inverse of [`write()`].

use std::fmt::{self, Write};

/// Keys and values, in their order.
pub type Pairs = Vec<(String, String)>;

/// Values longer than this are cut: a 5 KB host name must not push the reason out of the line.
pub const LONGEST_VALUE: usize = 256;

/// Appends ` key=value`.
pub fn write(line: &mut String, key: &str, value: impl fmt::Display) {
    let value = value.to_string();
    let _ = write!(line, " {key}={}", Quoted { value: &value, longest: LONGEST_VALUE });
}

/// Appends ` key=value` with the whole value, of any length. Leaves no copy of it elsewhere in memory.
pub fn write_whole(line: &mut String, key: &str, value: &str) {
    let _ = write!(line, " {key}={}", Quoted { value, longest: usize::MAX });
}

/// Reads what [`write()`] wrote; `None` when it is something else. A quoted value that the end of the text cuts off is left
/// out: old syslog daemons cut long lines.
pub fn read(text: &str) -> Option<Pairs> {
    split(text).map(|(pairs, _)| pairs)
}

/// Reads what [`write_whole`] wrote; `None` when it is something else, or cut.
pub fn read_whole(text: &str) -> Option<Pairs> {
    split(text).filter(|(_, end)| *end == End::Whole).map(|(pairs, _)| pairs)
}

/// The end of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// That of a pair.
    Whole,
    /// Within a quoted value.
    Cut,
}

/// The pairs of a text that are whole, and how it ends.
fn split(text: &str) -> Option<(Pairs, End)> {
    let mut pairs = Pairs::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (key, value) = rest.strip_prefix(' ')?.split_once('=')?;
        if !is_key(key) {
            return None;
        }
        match value.strip_prefix('"') {
            Some(quoted) => {
                let Unquoted::Whole(value, behind) = unquoted(quoted)? else { return Some((pairs, End::Cut)) };
                pairs.push((key.to_owned(), value));
                rest = behind;
            }
            None => {
                let end = value.find(' ').unwrap_or(value.len());
                let (value, behind) = value.split_at(end);
                if value.is_empty() || !value.bytes().all(is_bare) {
                    return None;
                }
                pairs.push((key.to_owned(), value.to_owned()));
                rest = behind;
            }
        }
    }
    Some((pairs, End::Whole))
}

/// The text behind an opening quote.
enum Unquoted<'t> {
    /// The value, and what follows it.
    Whole(String, &'t str),
    /// The text ends before the closing quote.
    Cut,
}

/// Reads the text behind an opening quote; `None` when it was not written by us.
fn unquoted(text: &str) -> Option<Unquoted<'_>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    loop {
        let Some(first) = rest.bytes().next() else { return Some(Unquoted::Cut) };
        match first {
            b'"' => return Some(Unquoted::Whole(String::from_utf8(bytes).ok()?, rest.get(1..)?)),
            b'\\' => match rest.as_bytes().get(1) {
                Some(escaped @ (b'"' | b'\\')) => {
                    bytes.push(*escaped);
                    rest = rest.get(2..)?;
                }
                Some(b'x') => {
                    let Some(digits) = rest.get(2..4) else { return Some(Unquoted::Cut) };
                    bytes.push(u8::from_str_radix(digits, 16).ok().filter(|byte| !matches!(byte, b' '..=b'~'))?);
                    rest = rest.get(4..)?;
                }
                Some(_) => return None,
                None => return Some(Unquoted::Cut),
            },
            b' '..=b'~' => {
                bytes.push(first);
                rest = rest.get(1..)?;
            }
            _ => return None,
        }
    }
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn is_bare(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=')
}

/// A value as it stands behind a key: bare when it is printable ASCII without spaces, else quoted and escaped.
struct Quoted<'v> {
    value: &'v str,
    /// In bytes; what is longer is cut.
    longest: usize,
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, longest } = *self;
        if !value.is_empty() && value.len() <= longest && value.bytes().all(is_bare) {
            return formatter.write_str(value);
        }
        formatter.write_char('"')?;
        for (position, character) in value.char_indices() {
            if position >= longest {
                formatter.write_str("...")?;
                break;
            }
            match character {
                '"' | '\\' => write!(formatter, "\\{character}")?,
                ' '..='~' => formatter.write_char(character)?,
                _ => {
                    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                        write!(formatter, "\\x{byte:02x}")?;
                    }
                }
            }
        }
        formatter.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: &str) -> String {
        Quoted { value, longest: LONGEST_VALUE }.to_string()
    }

    fn line(pairs: &[(String, String)]) -> String {
        let mut line = String::new();
        for (key, value) in pairs {
            write(&mut line, key, value);
        }
        line
    }

    #[test]
    fn what_an_attacker_wrote_stays_one_value() {
        assert_eq!(written("x reason=accepted"), "\"x reason=accepted\"");
        assert_eq!(written("a\nb\u{1b}[2J"), "\"a\\x0ab\\x1b[2J\"");
        assert_eq!(written("ü\"\\"), "\"\\xc3\\xbc\\\"\\\\\"");
        assert_eq!(written(""), "\"\"");
        assert_eq!(written(&"h".repeat(5000)).len(), LONGEST_VALUE + 5);
    }

    #[test]
    fn what_nobody_of_ours_wrote_is_not_read() {
        for foreign in [
            "user=alice",
            " user",
            " user=",
            " =alice",
            " User=alice",
            " user=alice from 192.0.2.7",
            " user=alice  service=sshd",
            " user=al\"ice",
            " user=\"alice\"x",
            " user=\"a\\n\"",
            " user=\"\\x41\"",
            " user=\"\\xff\"",
            " user=\"\t\"",
            " user=ülf",
        ] {
            assert_eq!(read(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_value_that_a_daemon_cut_off_is_left_out() {
        let user = vec![("user".to_owned(), "alice".to_owned())];
        for cut in [" user=alice hint=\"set the", " user=alice hint=\"\\", " user=alice hint=\"\\x0"] {
            assert_eq!(read(cut), Some(user.clone()), "{cut}");
        }
    }

    #[test]
    fn a_whole_value_is_read_back_however_long() {
        let mut line = String::new();
        let long = "h ".repeat(5000);
        write_whole(&mut line, "problem", &long);
        write_whole(&mut line, "empty", "");
        let pairs = vec![("problem".to_owned(), long), ("empty".to_owned(), String::new())];
        assert_eq!(read_whole(&line), Some(pairs));
        assert_eq!(read_whole(&line[..line.len() - 1]), None, "cut");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(pairs in prop::collection::vec(("[a-z_]{1,12}", any::<String>()), 0..6)) {
            let cut = |value: &String| value.char_indices().any(|(position, _)| position >= LONGEST_VALUE);
            prop_assume!(!pairs.iter().any(|(_, value)| cut(value)));
            prop_assert_eq!(read(&line(&pairs)), Some(pairs));
        }

        #[test]
        fn whatever_is_read_says_the_same_when_it_is_written_again(text in "( [a-z]{1,3}=(\"([ -~]|\\\\x[0-9a-f]{2}){0,9}\"|[ -~]{0,9})){0,3}") {
            if let Some(pairs) = read(&text) {
                prop_assert_eq!(read(&line(&pairs)), Some(pairs));
            }
        }

        #[test]
        fn no_value_ends_its_own_line_or_is_more_than_one_value(value in any::<String>()) {
            let line = line(&[("user".to_owned(), value), ("reason".to_owned(), "wrong-code".to_owned())]);
            prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            let pairs = read(&line).unwrap();
            prop_assert_eq!(pairs.len(), 2);
            prop_assert_eq!(&pairs[1].1, "wrong-code");
        }
    }
}
