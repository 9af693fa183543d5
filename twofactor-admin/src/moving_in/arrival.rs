//! An account of another system, as far as it can be taken in.

use std::fmt;

use thiserror::Error;
use twofactor_core::codes::otp::{Algorithm, Digits, Kind, Parameters, Progress};
use twofactor_core::codes::recovery::RecoveryCode;
use twofactor_core::codes::secret::{Secret, SecretError};
use twofactor_core::host::clock::UnixTime;

/// The account of a user, as far as it can be taken in.
#[derive(Debug, Default)]
pub struct Arrival {
    /// Secrets with the parameters of their codes, and how far they were used.
    pub tokens: Vec<Arrived>,
    /// Codes on paper, each good once.
    pub recovery: Vec<RecoveryCode>,
    /// Facts about the account that its owner or the sysadmin has to know.
    pub remarks: Vec<Remark>,
}

/// A secret of another system.
#[derive(Debug)]
pub struct Arrived {
    /// The secret.
    pub secret: Secret,
    /// The parameters of its codes.
    pub parameters: Parameters,
    /// The codes that are used, and the distance of its clock.
    pub start: Progress,
}

/// A fact about an account that does not come along as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// So many codes on paper are no secret: a script has put them there.
    Placeholders(usize),
    /// So many codes on paper are more than an account has room for.
    TooManyCodes(usize),
    /// It does not say which codes were used, so none before this time is good.
    UsesUnknown(UnixTime),
    /// Codes of so many steps at once were accepted.
    Window(u32),
    /// The secret has so many bits.
    Weak(usize),
    /// A PIN was typed before the code.
    Pin,
}

impl fmt::Display for Remark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Placeholders(number) => {
                write!(formatter, "{number} of its scratch codes are placeholders and were not taken")
            }
            Self::TooManyCodes(number) => write!(formatter, "{number} of its scratch codes were not taken: too many"),
            Self::UsesUnknown(until) => {
                write!(formatter, "which codes were used is not known: the first good one comes after {until}")
            }
            Self::Window(steps) => write!(formatter, "it accepted codes of {steps} steps; here [window] says how many"),
            Self::Weak(bits) => write!(formatter, "the secret has {bits} bits; 128 are the least to use"),
            Self::Pin => formatter.write_str("the PIN before the code is no longer asked for"),
        }
    }
}

/// The reason for which an account cannot be taken in. Never says what stood there.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It has a byte that no text has.
    #[error("it is no text")]
    NotText,
    /// The secret is missing or not accepted.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The key of a line is not hex, or of no length that is accepted.
    #[error("the key is not 20 to 256 hex digits")]
    Key,
    /// The value of an option is none that the other system accepts.
    #[error("{0} has a value that the other system refuses, too")]
    Option(&'static str),
    /// The period of its codes is none that is accepted.
    #[error("its codes change every {0} s; 10 s is the least here")]
    Period(u64),
    /// No code of it was ever accepted.
    #[error("it has neither TOTP_AUTH nor HOTP_COUNTER, so no code of it was ever accepted")]
    NoKind,
    /// The clock of the token is further off than is accepted.
    #[error("the clock of the token is off by more than a day")]
    Drift,
    /// The type is none of pam_oath's, or no token here has such codes.
    #[error("the type is none that can be taken over")]
    Type,
    /// A line has too few or too many fields.
    #[error("it has no 4 to 9 fields")]
    Fields,
    /// The name is that of no user.
    #[error("the name cannot be a user's")]
    Name,
}

/// Codes of six digits with SHA-1, as nearly every app has them.
pub(super) fn usual(kind: Kind, digits: Digits) -> Parameters {
    Parameters { algorithm: Algorithm::Sha1, digits, kind }
}

/// The remark about a secret that is too short.
pub(super) fn weakness(secret: &Secret) -> Option<Remark> {
    (secret.bits() < 128).then_some(Remark::Weak(secret.bits()))
}
