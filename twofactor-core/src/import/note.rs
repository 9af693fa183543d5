//! What a person should know about a file before importing it: what it was, what was assumed, what looks odd.

use std::fmt;

use super::Options;
use super::offer::Stated;
use super::seed_encoding::Encoding;
use crate::otp::{Kind, Parameters};

/// What a file was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// What was around the rows.
    pub container: Container,
    /// What held the rows; of a zip file with several, the first.
    pub content: Content,
}

/// What was around the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// Nothing.
    Plain,
    /// A zip file.
    Zip,
}

/// What held the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Delimited text, and how its secrets are written.
    Delimited(Encoding),
    /// PSKC (RFC 6030).
    Pskc,
}

impl fmt::Display for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.container == Container::Zip {
            formatter.write_str("zip file, ")?;
        }
        match self.content {
            Content::Delimited(encoding) => write!(formatter, "delimited text, secrets in {encoding}"),
            Content::Pskc => formatter.write_str("PSKC (RFC 6030)"),
        }
    }
}

/// An assumption or a warning about a whole file, in words. Holds names of entries and numbers, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Two columns say nothing about codes.
    TwoColumns(String),
    /// A third column that is a number.
    Counters,
    /// Every secret could be base32 and hexadecimal.
    EncodingByLength(Encoding),
    /// Some serial numbers made of digits are shorter than others.
    SerialLengths(usize, usize),
    /// An option was given that some rows contradict.
    Overruled,
    /// A zip entry that was not encrypted.
    InTheClear(String),
    /// An entry whose name does not say that it holds seeds.
    TakenByContent(String),
    /// An entry that holds no seeds.
    Ignored(String),
    /// So many more notes.
    More(usize),
    /// The AES key lay beside the file it opens.
    KeyBeside(String),
    /// A PSKC document that is signed.
    SignatureUnchecked,
    /// Keys with a date from or until which they are meant to be used.
    DatesUnchecked,
    /// Keys of a PSKC document without `TimeInterval`.
    NoInterval,
}

impl Note {
    /// What rows of two columns are taken as.
    pub(super) fn two_columns(options: &Options) -> Self {
        let Parameters { algorithm, digits, kind } = Stated::default().settle(options).parameters;
        let digits = digits.count();
        Self::TwoColumns(match kind {
            Kind::Totp(period) => format!("TOTP, {algorithm}, {digits} digits, {} s", period.seconds()),
            Kind::Hotp => format!("HOTP, {algorithm}, {digits} digits, from counter 0"),
        })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoColumns(assumed) => write!(formatter, "2 columns: taken as {assumed}"),
            Self::Counters => formatter.write_str("a number in the third column: taken as the counter of a HOTP token"),
            Self::EncodingByLength(encoding) => {
                write!(formatter, "every secret could be base32 or hexadecimal: taken as {encoding} by its length")
            }
            Self::SerialLengths(shortest, longest) => {
                write!(formatter, "serial numbers have {shortest} to {longest} digits: were leading zeros lost?")
            }
            Self::Overruled => formatter.write_str("the file says otherwise than an option; the option was followed"),
            Self::InTheClear(entry) => write!(formatter, "{entry} is not encrypted: the seeds travelled in the clear"),
            Self::TakenByContent(entry) => write!(formatter, "{entry}: taken by its content"),
            Self::Ignored(entry) => write!(formatter, "{entry}: ignored, it has no rows"),
            Self::More(more) => write!(formatter, "and {more} more notes like these"),
            Self::KeyBeside(entry) => write!(formatter, "{entry}: taken as the key, which lay beside the seeds"),
            Self::SignatureUnchecked => formatter.write_str("the document is signed; the signature was not checked"),
            Self::DatesUnchecked => formatter.write_str("keys have a start or expiry date; those are not enforced"),
            Self::NoInterval => formatter.write_str("keys do not say their time interval: taken as 30 s"),
        }
    }
}
