//! The parameters of codes: hash, length, and the clock or counter that they follow.
//!
//! Invariants: a value of these types is one that RFC 4226 and RFC 6238 allow.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use thiserror::Error;

/// The hash below HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA-1: what RFC 4226 defines and most apps and fobs use.
    Sha1,
    /// HMAC-SHA-256 (RFC 6238 §1.2).
    Sha256,
    /// HMAC-SHA-512 (RFC 6238 §1.2).
    Sha512,
}

impl Algorithm {
    /// All of them, with the names users see.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Sha1, "SHA1"), (Self::Sha256, "SHA256"), (Self::Sha512, "SHA512")];

    /// The name users see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }

    /// The recommended length of a new secret in bytes: that of the hash's output (RFC 4226 §4 R6, RFC 6238 §5.1).
    pub fn secret_length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A parameter is outside what we accept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParameterError {
    /// Not one of [`Algorithm::ALL`].
    #[error("the algorithm is one of SHA1, SHA256, SHA512")]
    Algorithm,
    /// Not 6, 7 or 8.
    #[error("a code has 6, 7 or 8 digits")]
    Digits,
    /// Not within 10..=300 seconds.
    #[error("the period is 10 to 300 seconds")]
    Period,
}

impl FromStr for Algorithm {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        Self::ALL
            .into_iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(text))
            .map(|(algorithm, _)| algorithm)
            .ok_or(ParameterError::Algorithm)
    }
}

/// The length of a code: 6, 7 or 8 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digits(u8);

impl Digits {
    /// The lengths that we accept.
    pub const RANGE: RangeInclusive<u8> = 6..=8;
    /// The length that nearly every app and token shows.
    pub const SIX: Self = Self(6);
    /// The length of recovery codes that came along from another system.
    pub const EIGHT: Self = Self(8);

    /// Checks the range.
    pub fn new(digits: u8) -> Result<Self, ParameterError> {
        if Self::RANGE.contains(&digits) { Ok(Self(digits)) } else { Err(ParameterError::Digits) }
    }

    /// The number of digits.
    pub fn count(self) -> u8 {
        self.0
    }
}

/// The length of a time step in seconds, 10..=300 (RFC 6238 §4.1, the parameter X).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(u16);

impl Period {
    /// The periods that we accept, in seconds.
    pub const RANGE: RangeInclusive<u16> = 10..=300;
    /// RFC 6238's default.
    pub const THIRTY: Self = Self(30);

    /// Checks the range.
    pub fn new(seconds: u16) -> Result<Self, ParameterError> {
        if Self::RANGE.contains(&seconds) { Ok(Self(seconds)) } else { Err(ParameterError::Period) }
    }

    /// The period in seconds.
    pub fn seconds(self) -> u16 {
        self.0
    }
}

/// The clock or counter that moves a token from one code to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Time, in steps of this period (RFC 6238).
    Totp(Period),
    /// A counter that advances with every code (RFC 4226).
    Hotp,
}

impl Kind {
    /// `totp` or `hotp`, as files, URIs and JSON say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Totp(_) => "totp",
            Self::Hotp => "hotp",
        }
    }
}

/// Everything but the secret that two sides must agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// The hash below HMAC.
    pub algorithm: Algorithm,
    /// The length of a code.
    pub digits: Digits,
    /// Time or counter.
    pub kind: Kind,
}

/// The parameters that a file or an option states. The others are assumed and contradict nothing: the registry may know
/// better, from `token probe`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatedParameters {
    /// The hash.
    pub algorithm: Option<Algorithm>,
    /// The length of a code.
    pub digits: Option<Digits>,
    /// TOTP, with any period, or HOTP.
    pub kind: Option<Kind>,
    /// The period of a TOTP token.
    pub period: Option<Period>,
}

impl StatedParameters {
    /// All of a token's.
    pub fn all(parameters: Parameters) -> Self {
        let Parameters { algorithm, digits, kind } = parameters;
        let period = match kind {
            Kind::Totp(period) => Some(period),
            Kind::Hotp => None,
        };
        Self { algorithm: Some(algorithm), digits: Some(digits), kind: Some(kind), period }
    }

    /// True when codes that are made as `there` says are not those that the file states.
    pub(crate) fn contradicts(self, there: Parameters) -> bool {
        let other_period = |period| matches!(there.kind, Kind::Totp(there) if there != period);
        self.algorithm.is_some_and(|algorithm| algorithm != there.algorithm)
            || self.digits.is_some_and(|digits| digits != there.digits)
            || self.kind.is_some_and(|kind| kind.name() != there.kind.name())
            || self.period.is_some_and(other_period)
    }
}

impl Default for Parameters {
    /// The parameters that every authenticator app understands: SHA1, six digits, thirty seconds.
    fn default() -> Self {
        Self { algorithm: Algorithm::Sha1, digits: Digits::SIX, kind: Kind::Totp(Period::THIRTY) }
    }
}
