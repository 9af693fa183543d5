//! Options of the person who imports a file.

use std::fmt;

use twofactor_core::codes::otp::{Algorithm, Digits, Period};

/// Facts about a file that it does not state, or states wrongly, from the person who imports it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// The file's format.
    pub format: Format,
    /// The entry of a zip file that holds the seeds; else all are looked at.
    pub entry: Option<String>,
    /// The field of an authenticator app's entry that becomes the serial number.
    pub serial_from: Option<SerialFrom>,
    /// The encoding of secrets; else decided per file.
    pub encoding: Option<Encoding>,
    /// TOTP or HOTP.
    pub kind: Option<KindName>,
    /// The hash; else what the file says, else SHA-1. Never told by the length of a secret.
    pub algorithm: Option<Algorithm>,
    /// The length of a code; else what the file says, else 6.
    pub digits: Option<Digits>,
    /// The length of a step; else what the file says, else 30 s.
    pub period: Option<Period>,
}

impl Options {
    /// True when nothing is said about codes, so that no row can say otherwise.
    pub(super) fn is_silent(&self) -> bool {
        self.kind.is_none() && self.algorithm.is_none() && self.digits.is_none() && self.period.is_none()
    }
}

/// The format of a file. Zip files are opened in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Told by the content.
    #[default]
    Auto,
    /// Delimited text.
    Delimited,
    /// PSKC (RFC 6030).
    Pskc,
}

/// TOTP or HOTP, without the parameters of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindName {
    /// Time-based.
    Totp,
    /// Counter-based.
    Hotp,
}

/// The encoding of secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 4648 §6, any case, with or without padding.
    Base32,
    /// Hexadecimal digits, any case.
    Hex,
}

impl fmt::Display for Encoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Base32 => "base32",
            Self::Hex => "hexadecimal",
        })
    }
}

/// The field of an entry that becomes the serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SerialFrom {
    /// The service that the entry is for.
    Issuer,
    /// The account.
    Label,
    /// The number of the entry in the file, from 1.
    Number,
}

impl fmt::Display for SerialFrom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Issuer => "issuer",
            Self::Label => "label",
            Self::Number => "number",
        })
    }
}
