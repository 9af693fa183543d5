//! Notes about a file, to be read before importing it: its kind, the assumptions, the oddities.

use std::fmt;
use std::sync::Arc;

use super::kind::Kind;
use super::options::Encoding;
use super::place::Place;
use twofactor_core::host::shell;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The wrapping of the rows.
    pub container: Container,
    /// The document of the rows; of a zip file with several, the first.
    pub content: Content,
}

/// The wrapping of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// Nothing.
    Plain,
    /// A zip file.
    Zip,
}

/// The document of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Delimited text, and how its secrets are written.
    Delimited(Encoding),
    /// PSKC (RFC 6030).
    Pskc,
    /// A vendor's own form, or an app's export.
    Records(Kind),
}

impl fmt::Display for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.container == Container::Zip {
            formatter.write_str("zip file, ")?;
        }
        match self.content {
            Content::Delimited(encoding) => write!(formatter, "delimited text, secrets in {encoding}"),
            Content::Pskc => formatter.write_str("PSKC (RFC 6030)"),
            Content::Records(kind) => formatter.write_str(kind.name()),
        }
    }
}

/// A property that a file can leave unsaid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    /// TOTP or HOTP.
    Type,
    /// The hash of the HMAC.
    Hash,
    /// The length of a code.
    Digits,
    /// The length of a step.
    Period,
    /// The next counter of a HOTP token.
    Counter,
    /// The encoding of secrets.
    Encoding,
}

impl Aspect {
    /// Its name in a report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Hash => "hash",
            Self::Digits => "digits",
            Self::Period => "period",
            Self::Counter => "counter",
            Self::Encoding => "encoding",
        }
    }
}

/// A property that the file does not state, for all rows or for some, and the value it was given. Under `--strict` one is
/// enough to refuse the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumption {
    /// The property.
    pub what: Aspect,
    /// The value that was taken, with its unit: `TOTP`, `SHA1`, `6 digits`, `30 s`.
    pub taken: String,
    /// The evidence for another value, and the option that takes it: `SHA256, as the secrets have 32 bytes: --algorithm
    /// SHA256`. `None`: the value is the usual one and nothing speaks against it.
    pub could_be: Option<String>,
}

impl Assumption {
    /// The usual value of a property that the file does not state.
    pub(super) fn usual(what: Aspect, taken: impl Into<String>) -> Self {
        Self { what, taken: taken.into(), could_be: None }
    }

    /// An encoding, where what it gives is written in hexadecimal digits once more.
    pub(super) fn encoded_twice(encoding: impl Into<String>) -> Self {
        let other = "encoded twice, as they decode to hexadecimal digits or base32: ask the vendor";
        Self::doubtful(Aspect::Encoding, encoding, other)
    }

    /// A value where the file also allows for another.
    pub(super) fn doubtful(what: Aspect, taken: impl Into<String>, could_be: impl Into<String>) -> Self {
        Self { what, taken: taken.into(), could_be: Some(could_be.into()) }
    }
}

impl fmt::Display for Assumption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.taken)?;
        match &self.could_be {
            Some(other) => write!(formatter, "; could be {other}"),
            None => Ok(()),
        }
    }
}

/// A column or an element that is there and was not understood, so that it may say what was assumed otherwise. Under
/// `--strict` one is enough to refuse the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unexplained {
    /// A column of a table, by its heading.
    Column(String),
    /// A member of a record: of JSON, of a URI, of a log.
    Member(String),
    /// An element or attribute of an XML document, by its name.
    Element(String),
}

impl fmt::Display for Unexplained {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(name) if name.starts_with("column ") => formatter.write_str(name),
            Self::Column(name) => write!(formatter, "column \"{name}\""),
            Self::Member(name) => write!(formatter, "member \"{name}\""),
            Self::Element(name) => write!(formatter, "element \"{name}\""),
        }
    }
}

/// The explanation of a seed file's document, for a person who looks before importing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The entry of a zip file.
    pub entry: Option<Arc<str>>,
    /// The form in words: what separates columns, in which line the header stands.
    pub layout: String,
    /// Its columns or elements in their order.
    pub parts: Vec<Part>,
}

/// A column or an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The heading, or the number of a column without one.
    pub name: String,
    /// The property it was taken for. `None`: it was ignored.
    pub taken_for: Option<&'static str>,
}

/// An assumption or a warning about a whole file, in words. Holds names of entries, headings and numbers, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The file does not say it.
    Assumed(Assumption),
    /// The file says something that was not understood.
    Unexplained(Unexplained),
    /// Some serial numbers made of digits are shorter than others.
    SerialLengths(usize, usize),
    /// Lines above the header, or above the first row.
    Above(Place),
    /// Lines below the last row, such as a total.
    Below(Place),
    /// Fields lost the quotes and apostrophes by which a spreadsheet keeps zeros.
    Unquoted,
    /// No-break spaces and the like were taken for spaces.
    Spaces,
    /// Secrets are written with `0x` before them, or with colons between their bytes.
    WrittenOut,
    /// Secrets have different lengths, in bytes: the usual one, another one and a row that has it.
    SecretLengths(usize, usize, Place),
    /// An option was given that some rows contradict.
    Overruled,
    /// A zip entry that was not encrypted.
    InTheClear(String),
    /// An entry that holds no seeds, and why that is.
    Ignored(String, String),
    /// So many more notes.
    More(usize),
    /// The AES key lay beside the file it opens, and the zip file encrypted it.
    KeyBeside(String),
    /// The AES key lay beside the file it opens, for all who could read the zip file.
    KeyInTheClear(String),
    /// A PSKC document that is signed.
    SignatureUnchecked,
    /// Keys with a date from or until which they are meant to be used.
    DatesUnchecked,
    /// Rows name owners, and the command that lists them with their tokens; the zip entry that it reads.
    Owners(&'static str, Option<Arc<str>>),
    /// A PSKC document of the time before the RFC.
    Draft,
    /// Keys with a drift that privacyIDEA wrote, in seconds where the RFC has steps.
    DriftInSeconds,
}

impl Note {
    /// True when it says that seeds travelled in the clear.
    pub fn is_about_secrecy(&self) -> bool {
        matches!(self, Self::InTheClear(_) | Self::KeyInTheClear(_))
    }

    /// True when `--strict` refuses a file with it.
    pub fn is_doubt(&self) -> bool {
        matches!(self, Self::Assumed(_) | Self::Unexplained(_))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Assumed(assumption) => {
                write!(formatter, "the file does not say the {}: taken as {assumption}", assumption.what.word())
            }
            Self::Unexplained(part) => write!(formatter, "{part} was not understood"),
            Self::SerialLengths(shortest, longest) => {
                write!(formatter, "serial numbers have {shortest} to {longest} digits: were leading zeros lost?")
            }
            Self::Above(last) => write!(formatter, "what stands above the table, to {last}, was not read"),
            Self::Below(first) => write!(formatter, "what stands below the table, from {first}, was not read"),
            Self::Unquoted => {
                formatter.write_str("the quotes or apostrophes of a spreadsheet around some fields were dropped")
            }
            Self::WrittenOut => {
                formatter.write_str("0x before secrets, or colons between their bytes, were dropped: hexadecimal")
            }
            Self::Spaces => formatter.write_str("no-break spaces and the like were taken for spaces"),
            Self::SecretLengths(usual, other, place) => {
                write!(
                    formatter,
                    "secrets have different lengths: most have {usual} bytes, that of {place} has {other}"
                )
            }
            Self::Overruled => formatter.write_str("the file says otherwise than an option; the option was followed"),
            Self::InTheClear(entry) => write!(formatter, "{entry} is not encrypted: the seeds travelled in the clear"),
            Self::Ignored(entry, reason) => write!(formatter, "{entry}: ignored, {reason}"),
            Self::More(more) => write!(formatter, "and {more} more notes like these"),
            Self::KeyBeside(entry) => write!(formatter, "{entry}: taken as the key, which lay beside the seeds"),
            Self::KeyInTheClear(entry) => write!(
                formatter,
                "{entry}: taken as the key; it lay beside the seeds, so the seeds travelled in the clear"
            ),
            Self::SignatureUnchecked => formatter.write_str("the document is signed; the signature was not checked"),
            Self::Owners(command, entry) => {
                formatter.write_str("rows name owners, who get nothing yet: ")?;
                match entry {
                    None => write!(formatter, "{command} FILE")?,
                    Some(entry) => write!(formatter, "7z x -so FILE {} | {command}", shell::quoted(entry))?,
                }
                formatter.write_str(" | twofactor token assign --from -")
            }
            Self::Draft => formatter.write_str("the document is a draft of PSKC from before RFC 6030"),
            Self::DriftInSeconds => {
                formatter.write_str("privacyIDEA wrote the drift of clocks in seconds: not taken over")
            }
            Self::DatesUnchecked => formatter.write_str("keys have a start or expiry date; those are not enforced"),
        }
    }
}
