//! An answer at the prompt, normalised once, before anything looks at it.
//!
//! Blanks and hyphens of every kind and line ends are dropped; what remains is ASCII digits or nothing we understand. A reuse check
//! that looked at the raw text could be passed with a space (HCSEC-2025-17).

use zeroize::Zeroizing;

use crate::codes::otp::Code;
use crate::codes::recovery::{self, RecoveryCode};
use crate::codes::temporary::{self, TemporaryCode};

/// Longer answers are not looked at: libpam's PAM_MAX_RESP_SIZE, which libpam itself does not enforce.
const LONGEST: usize = 512;

/// An answer, as far as it can be one of ours.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Six to eight digits.
    Code(Code),
    /// Ten digits.
    Temporary(TemporaryCode),
    /// Sixteen digits.
    Recovery(RecoveryCode),
    /// Nothing that could ever be right: empty, letters, too long, not ASCII. It is no guess, so it is not counted.
    Unintelligible,
}

impl Answer {
    /// Reads an answer of the conversation. It may be any bytes.
    pub fn parse(raw: &[u8]) -> Self {
        Self::read(raw).unwrap_or(Self::Unintelligible)
    }

    fn read(raw: &[u8]) -> Option<Self> {
        if raw.len() > LONGEST {
            return None;
        }
        let mut digits = Zeroizing::new(String::with_capacity(raw.len()));
        for chunk in raw.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter {
                    separator if is_separator(separator) => {}
                    '0'..='9' => digits.push(letter),
                    _ => return None,
                }
            }
            if !matches!(chunk.invalid(), [] | [LATIN_1_NO_BREAK_SPACE]) {
                return None;
            }
        }
        match digits.len() {
            recovery::LENGTH => RecoveryCode::new(digits).map(Self::Recovery),
            temporary::LENGTH => TemporaryCode::new(digits).map(Self::Temporary),
            _ => Code::new(digits).map(Self::Code),
        }
    }

    /// The normalised digits; `None` for what is no guess.
    pub fn digits(&self) -> Option<&str> {
        match self {
            Self::Code(code) => Some(code.expose()),
            Self::Temporary(code) => Some(code.expose()),
            Self::Recovery(code) => Some(code.expose()),
            Self::Unintelligible => None,
        }
    }
}

/// True when nothing was typed: an empty answer, or blanks alone. It is no guess.
pub fn is_blank(raw: &[u8]) -> bool {
    raw.utf8_chunks().all(|chunk| {
        chunk.valid().chars().all(is_separator) && matches!(chunk.invalid(), [] | [LATIN_1_NO_BREAK_SPACE])
    })
}

/// Splits "password with the code appended" before the last `digits` digits.
///
/// Separators among and behind those digits are dropped as in any answer; what stands before the first of them is the
/// password, untouched. `None` when the text does not end in that many digits.
pub fn split_combined(raw: &[u8], digits: usize) -> Option<(&[u8], Zeroizing<String>)> {
    if raw.len() > LONGEST {
        return None;
    }
    let mut reversed = Zeroizing::new(Vec::with_capacity(digits));
    let mut start = raw.len();
    while reversed.len() < digits {
        let before = raw.get(..start)?;
        match before {
            [.., digit] if digit.is_ascii_digit() => {
                reversed.push(*digit);
                start = start.checked_sub(1)?;
            }
            _ => start = start.checked_sub(separator_at_end(before)?)?,
        }
    }
    let code = reversed.iter().rev().map(|digit| char::from(*digit)).collect();
    Some((raw.get(..start)?, Zeroizing::new(code)))
}

/// A no-break space of a terminal that does not speak UTF-8.
const LATIN_1_NO_BREAK_SPACE: u8 = 0xa0;

/// Blanks of every kind, also those without a width that come along when text is copied, and hyphens of every kind.
fn is_separator(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '-' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2010}'..='\u{2015}' | '\u{202a}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{180e}' | '\u{2212}' | '\u{feff}')
}

/// The length of the separator that a text ends in.
fn separator_at_end(text: &[u8]) -> Option<usize> {
    let is_one = |length: &usize| {
        let tail = text.len().checked_sub(*length).and_then(|start| text.get(start..));
        let mut letters = tail.and_then(|tail| std::str::from_utf8(tail).ok()).into_iter().flat_map(str::chars);
        letters.next().is_some_and(is_separator) && letters.next().is_none()
    };
    (1..=3).find(is_one).or_else(|| text.ends_with(&[LATIN_1_NO_BREAK_SPACE]).then_some(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_hyphens_and_line_ends_do_not_matter() {
        let pasted = [
            "123\u{a0}456",
            "\u{202f}123\u{2007}456",
            "\u{feff}123456\u{200b}",
            "123\u{2011}456",
            "\u{202a}123456\u{202c}",
        ];
        for typed in
            ["123456", "123 456", "123-456", " 123456\r\n", "1 2 3 4 5 6", "123456\r"].into_iter().chain(pasted)
        {
            assert!(
                matches!(Answer::parse(typed.as_bytes()), Answer::Code(code) if code.expose() == "123456"),
                "{typed:?}"
            );
        }
        let recovery = Answer::parse(b"1234-5678-9012-3456");
        assert!(matches!(recovery, Answer::Recovery(code) if code.expose() == "1234567890123456"));
        let temporary = Answer::parse(b"12345-67890\r");
        assert!(matches!(temporary, Answer::Temporary(code) if code.expose() == "1234567890"));
    }

    #[test]
    fn what_cannot_be_a_code_is_no_guess() {
        let long = "1".repeat(10 * 1024);
        let full_width = "１２３４５６";
        for typed in ["", " ", "12345", "123456789", "12345a", "password", full_width, "12345\u{0660}", &long] {
            assert!(matches!(Answer::parse(typed.as_bytes()), Answer::Unintelligible), "{typed:?}");
        }
        assert!(matches!(Answer::parse(&[0xff, 0xfe, b'1', b'2']), Answer::Unintelligible));
        assert!(matches!(Answer::parse(b"\x08\n\r\x7fINCORRECT"), Answer::Unintelligible));
    }

    #[test]
    fn a_no_break_space_of_latin_1_is_a_blank_and_no_other_byte_is() {
        assert!(matches!(Answer::parse(b"123\xa0456"), Answer::Code(code) if code.expose() == "123456"));
        assert!(matches!(Answer::parse(b"123\xa1456"), Answer::Unintelligible));
        assert!(is_blank(b"") && is_blank(b" \xa0\t") && is_blank("\u{a0}\u{200b}".as_bytes()) && !is_blank(b"\xff"));
    }

    #[test]
    fn pasted_blanks_are_dropped_from_the_code_of_a_combined_answer_and_stay_in_the_password() {
        for typed in ["pass\u{a0}word755\u{a0}224", "pass\u{a0}word755224\u{200b}\r"] {
            let (password, code) = split_combined(typed.as_bytes(), 6).unwrap();
            assert_eq!((password, code.as_str()), ("pass\u{a0}word".as_bytes(), "755224"), "{typed:?}");
        }
        assert!(split_combined("p755\u{e9}224".as_bytes(), 6).is_none());
    }

    #[test]
    fn a_combined_answer_is_split_before_the_code() {
        let (password, code) = split_combined(b"hunter2755224", 6).unwrap();
        assert_eq!((password, code.as_str()), (&b"hunter2"[..], "755224"));
        assert!(split_combined(b"hunter2", 6).is_none());
        assert!(split_combined(b"22", 6).is_none());
        let (password, code) = split_combined(b"pass-1234-5678-9012-3456\r", 16).unwrap();
        assert_eq!((password, code.as_str()), (&b"pass-"[..], "1234567890123456"));
        let (password, code) = split_combined(b"123456", 6).unwrap();
        assert_eq!((password, code.as_str()), (&b""[..], "123456"));
    }
}
