//! A token: a secret, its parameters, and a name to call it by. An authenticator app's secret is a token too.
//!
//! How far a token has come ([`crate::otp::Progress`]) is kept apart: it changes with every login, a token does not.

use std::fmt;

use data_encoding::BASE32_NOPAD;

use crate::clock::UnixTime;
use crate::digest::Digest;
use crate::otp::{self, Code, Kind, Match, Parameters, Progress, Window};
use crate::secret::{self, Secret, SecretError};

/// The serial number of a token: text, because leading zeros matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Serial(String);

impl Serial {
    /// Takes 1 to 64 printable ASCII characters without spaces, quotes or backslashes. `recovery` is what the log calls a
    /// recovery code.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len());
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
        (fits && plain && text != "recovery").then(|| Self(text.to_owned()))
    }

    /// Takes what a person typed or pasted: blanks around it do not count, nor does the apostrophe by which a spreadsheet keeps
    /// leading zeros.
    pub fn typed(text: &str) -> Option<Self> {
        let text =
            text.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '\u{200b}' | '\u{feff}'));
        Self::new(text.strip_prefix(['\'', '\u{2018}', '\u{2019}']).unwrap_or(text).trim_start())
    }

    /// A new serial for an app's secret: `app-` and 40 random bits, to tell the few apps of one user apart.
    pub fn generate() -> Result<Self, SecretError> {
        let mut bytes = [0; 5];
        secret::fill_random(&mut bytes)?;
        Ok(Self(format!("app-{}", BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())))
    }

    /// The serial as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What the user calls a token: "app", "phone", "work phone".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label(String);

impl Label {
    /// Takes 1 to 64 characters, none of them a control character or a colon (which separates issuer and label in an
    /// otpauth URI). `recovery` is what the log calls a recovery code.
    pub fn new(text: &str) -> Option<Self> {
        let length = text.chars().count();
        let plain = !text.chars().any(|character| character.is_control() || character == ':');
        ((1..=64).contains(&length) && text.len() <= 256 && plain && text.trim() == text && text != "recovery")
            .then(|| Self(text.to_owned()))
    }

    /// What an app is called when nobody calls it anything.
    pub fn app() -> Self {
        Self("app".to_owned())
    }

    /// A physical token is called by its serial.
    pub(crate) fn of(serial: &Serial) -> Self {
        Self(serial.0.clone())
    }

    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A secret and what moves it, recognisable without being readable. Unsalted: a secret has at least 80 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(Digest);

impl Seed {
    /// The seed of a secret that time or a counter moves.
    pub fn of(secret: &Secret, kind: Kind) -> Self {
        let kind = match kind {
            Kind::Totp(period) => period.seconds().to_be_bytes(),
            Kind::Hotp => [0; 2],
        };
        Self(Digest::of("seed", &[&kind, secret.significant()]))
    }

    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Digest::parse(text).map(Self)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A secret, its parameters, and its names.
#[derive(Debug)]
pub struct Token {
    /// Unique within the account.
    pub serial: Serial,
    /// What the user calls it; unique within the account.
    pub label: Label,
    /// What is shared with the app.
    pub secret: Secret,
    /// How codes are made from it.
    pub parameters: Parameters,
    /// When it was made.
    pub issued: UnixTime,
    /// How far it had come when it was enrolled or assigned: to the step of the confirmation code, or as far as its former
    /// owner took it. All that is burned. Enrolling an app puts it into the state, so an app that a store has read begins
    /// at nothing.
    pub start: Progress,
}

impl Token {
    /// What `code` is to this token at `now`, given how far the token has come.
    pub fn find(&self, code: &Code, progress: Progress, window: Window, now: UnixTime) -> Match {
        otp::find(&self.secret, self.parameters, code, progress, window, now)
    }

    /// Which sequence of codes this token shows. Burned steps are kept by it and not by the token's names, so that they
    /// stay burned when the same secret is enrolled again.
    pub fn seed(&self) -> Seed {
        Seed::of(&self.secret, self.parameters.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_out_of_a_spreadsheet_is_read_without_its_apostrophe() {
        for typed in ["00123", "'00123", " '00123\t", "\u{2019}00123", "\u{a0}00123\u{200b}", "' 00123"] {
            assert_eq!(Serial::typed(typed).unwrap().as_str(), "00123", "{typed:?}");
        }
        assert!(Serial::typed("'").is_none() && Serial::typed("").is_none() && Serial::typed("00 123").is_none());
        assert_eq!(Serial::typed("o'clock").unwrap().as_str(), "o'clock");
    }

    #[test]
    fn serials_are_text_and_keep_their_zeros() {
        assert_eq!(Serial::new("0012").unwrap().as_str(), "0012");
        for refused in ["", "a b", "a\"b", "a\\b", "ü", &"1".repeat(65)] {
            assert!(Serial::new(refused).is_none(), "{refused:?}");
        }
        assert_ne!(Serial::generate().unwrap(), Serial::generate().unwrap());
    }

    #[test]
    fn labels_are_what_people_write() {
        assert!(Label::new("alice's phone").is_some());
        assert!(Label::new("Büro").is_some());
        for refused in ["", " ", "a:b", "a\nb", " phone", "recovery", &"x".repeat(65)] {
            assert!(Label::new(refused).is_none(), "{refused:?}");
        }
    }
}
