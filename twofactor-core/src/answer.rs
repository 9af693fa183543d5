//! What somebody typed at the prompt, normalised once, before anything looks at it.
//!
//! Spaces, hyphens, tabs and line ends are dropped; what remains is ASCII digits or nothing we understand. A reuse check
//! that looked at the raw text could be passed with a space (HCSEC-2025-17).

use zeroize::Zeroizing;

use crate::otp::Code;
use crate::recovery::{self, RecoveryCode};

/// Longer answers are not looked at: libpam's PAM_MAX_RESP_SIZE, which libpam itself does not enforce.
const LONGEST: usize = 512;

/// An answer, as far as it can be one of ours.
#[derive(Debug)]
pub enum Answer {
    /// Six to eight digits.
    Code(Code),
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
        for byte in raw {
            match byte {
                separator if is_separator(*separator) => {}
                b'0'..=b'9' => digits.push(char::from(*byte)),
                _ => return None,
            }
        }
        if digits.len() == recovery::LENGTH {
            RecoveryCode::new(digits).map(Self::Recovery)
        } else {
            Code::new(digits).map(Self::Code)
        }
    }

    /// The normalised digits; `None` for what is no guess.
    pub fn digits(&self) -> Option<&str> {
        match self {
            Self::Code(code) => Some(code.expose()),
            Self::Recovery(code) => Some(code.expose()),
            Self::Unintelligible => None,
        }
    }
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
        start = start.checked_sub(1)?;
        match raw.get(start)? {
            byte if is_separator(*byte) => {}
            byte if byte.is_ascii_digit() => reversed.push(*byte),
            _ => return None,
        }
    }
    let code = reversed.iter().rev().map(|digit| char::from(*digit)).collect();
    Some((raw.get(..start)?, Zeroizing::new(code)))
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_hyphens_and_line_ends_do_not_matter() {
        for typed in ["123456", "123 456", "123-456", " 123456\r\n", "1 2 3 4 5 6", "123456\r"] {
            assert!(
                matches!(Answer::parse(typed.as_bytes()), Answer::Code(code) if code.expose() == "123456"),
                "{typed:?}"
            );
        }
        let recovery = Answer::parse(b"1234-5678-9012-3456");
        assert!(matches!(recovery, Answer::Recovery(code) if code.expose() == "1234567890123456"));
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
