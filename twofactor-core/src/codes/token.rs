//! A token: a secret, its parameters, and a name to call it by. An authenticator app's secret is a token too.
//!
//! How far a token has come ([`crate::codes::otp::Progress`]) is kept apart: it changes with every login, a token does not.

use std::fmt;

use data_encoding::BASE32_NOPAD;

use crate::codes::digest::Digest;
use crate::codes::otp::{self, Algorithm, Code, Kind, Match, Parameters, Progress, Window};
use crate::codes::secret::{self, Secret, SecretError, significant};
use crate::host::clock::UnixTime;

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

/// The user's name for a token: "app", "phone", "work phone".
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

    /// The label of an app that was given none.
    pub fn app() -> Self {
        Self("app".to_owned())
    }

    /// The label of an ssh key without a comment.
    pub fn key() -> Self {
        Self("key".to_owned())
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

/// A key and what moves it, recognisable without being readable. Unsalted: a secret has at least 80 random bits.
///
/// Watermarks are kept by seed, so two tokens that can show the same code for the same step must share one:
///
/// - The key is the one that HMAC uses, however the secret is written down: without zeros at its end, and hashed where it is
///   longer than the hash's block. So a long secret and its digest are one seed.
/// - The period is part of it. Steps of two periods are counted differently: the same step of both lies decades apart.
/// - The number of digits is not: six digits are the end of eight (RFC 4226 §5.3), so the one gives the other away.
/// - The hash is not, apart from what it makes of a long secret. Two hashes show unrelated codes and could have watermarks of
///   their own; sharing one refuses a code too many and never one too few, and it is what records have that are older
///   than this rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(Digest);

impl Seed {
    fn of(key: &[u8], kind: Kind) -> Self {
        let kind = match kind {
            Kind::Totp(period) => period.seconds().to_be_bytes(),
            Kind::Hotp => [0; 2],
        };
        Self(Digest::of("seed", &[&kind, key]))
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

/// The seeds under which the use of a token is written down and looked up.
///
/// Before keys were told apart, long secrets were recorded by themselves, unhashed. Such records go on counting, and what is
/// written is written under both, so that an older version reads it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeds {
    key: Seed,
    secret: Option<Seed>,
}

impl Seeds {
    /// The seeds of a secret with these parameters.
    pub fn of(secret: &Secret, parameters: Parameters) -> Self {
        let Parameters { algorithm, kind, .. } = parameters;
        let itself = Seed::of(secret.significant(), kind);
        match otp::hashed_key(secret, algorithm) {
            None => Self { key: itself, secret: None },
            Some(key) => Self { key: Seed::of(significant(&key), kind), secret: Some(itself) },
        }
    }

    /// The sequence of codes.
    pub fn key(&self) -> Seed {
        self.key
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Seed> + use<> {
        std::iter::once(self.key).chain(self.secret)
    }

    /// True when `seed` is one of them.
    pub fn include(&self, seed: Seed) -> bool {
        self.iter().any(|one| one == seed)
    }
}

/// Numbers by which a secret is found again, whatever moves its codes: 64 bits of a digest of the secret, and of the key that
/// HMAC makes of a long one. Two of a million secrets meet by chance once in 37 million times, and then the second is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    secret: i64,
    key: Option<i64>,
}

impl Marks {
    /// The marks of a secret that is used with this hash.
    pub fn of(secret: &Secret, algorithm: Algorithm) -> Self {
        Self { secret: mark(secret.significant()), key: Self::key_of(secret, algorithm) }
    }

    /// That of the key alone.
    pub(crate) fn key_of(secret: &Secret, algorithm: Algorithm) -> Option<i64> {
        otp::hashed_key(secret, algorithm).map(|key| mark(significant(&key)))
    }

    /// That of the secret.
    pub fn secret(&self) -> i64 {
        self.secret
    }

    /// That of the key, where HMAC does not use the secret itself.
    pub fn key(&self) -> Option<i64> {
        self.key
    }

    /// Both.
    pub fn iter(&self) -> impl Iterator<Item = i64> + use<> {
        std::iter::once(self.secret).chain(self.key)
    }
}

fn mark(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(Digest::of("secret", &[bytes]).prefix().to_be_bytes())
}

/// A secret, its parameters, and its names.
#[derive(Debug, Clone)]
pub struct Token {
    /// Unique within the account.
    pub serial: Serial,
    /// The user's name for it; unique within the account.
    pub label: Label,
    /// The secret, shared with the app.
    pub secret: Secret,
    /// The parameters of its codes.
    pub parameters: Parameters,
    /// The time at which it was made.
    pub issued: UnixTime,
    /// Its progress when it was enrolled or assigned: to the step of the confirmation code, or as far as its former
    /// owner took it. All that is burned. Enrolling an app puts it into the state, so an app that a store has read begins
    /// at nothing.
    pub start: Progress,
}

impl Token {
    /// Finds the step of `code` for this token at `now`, given the token's progress.
    pub fn find(&self, code: &Code, progress: Progress, window: Window, now: UnixTime) -> Match {
        otp::find(&self.secret, self.parameters, code, progress, window, now)
    }

    /// The sequence of codes that this token shows. Burned steps are kept by it and not by the token's names, so that they
    /// stay burned when the same secret is enrolled again.
    pub fn seeds(&self) -> Seeds {
        Seeds::of(&self.secret, self.parameters)
    }

    /// The marks by which its secret is found again.
    pub(crate) fn marks(&self) -> Marks {
        Marks::of(&self.secret, self.parameters.algorithm)
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

    fn secret(bytes: &[u8]) -> Secret {
        Secret::from_bytes(zeroize::Zeroizing::new(bytes.to_vec())).unwrap()
    }

    #[test]
    fn tokens_that_can_show_the_same_code_for_a_step_share_a_seed() {
        let with = |algorithm| Parameters { algorithm, ..Parameters::default() };
        let seeds = |secret: &Secret, parameters| Seeds::of(secret, parameters);
        for (long, zeros) in [([7; 65].as_slice(), 0), (&[7; 100], 0), (&[7; 65], 20), (&[7; 60], 20)] {
            let long = secret(&[long, &vec![0; zeros]].concat());
            for algorithm in [Algorithm::Sha1, Algorithm::Sha256] {
                let key = secret(&otp::hashed_key(&long, algorithm).unwrap());
                let (of_long, of_key) = (seeds(&long, with(algorithm)), seeds(&key, with(algorithm)));
                assert_eq!(of_long.key(), of_key.key());
                assert!(Marks::of(&long, algorithm).iter().any(|mark| mark == Marks::of(&key, algorithm).secret()));
                // As it was recorded before.
                assert!(of_long.include(Seed::of(long.significant(), Kind::Totp(otp::Period::THIRTY))));
            }
            let sha512 = seeds(&long, with(Algorithm::Sha512));
            assert_eq!(sha512.iter().count(), 1, "SHA-512 takes it as it is");
            assert_ne!(sha512.key(), seeds(&long, with(Algorithm::Sha1)).key());
        }
        let digits = |digits| Parameters { digits: otp::Digits::new(digits).unwrap(), ..Parameters::default() };
        let short = secret(&[7; 20]);
        assert_eq!(seeds(&short, digits(6)), seeds(&short, digits(8)));
        assert_eq!(seeds(&short, digits(6)), seeds(&secret(&[[7; 20].as_slice(), &[0; 9]].concat()), digits(6)));
        assert_eq!(seeds(&short, with(Algorithm::Sha1)), seeds(&short, with(Algorithm::Sha256)));
        let counter = Parameters { kind: Kind::Hotp, ..Parameters::default() };
        assert_ne!(seeds(&short, digits(6)), seeds(&short, counter));
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
