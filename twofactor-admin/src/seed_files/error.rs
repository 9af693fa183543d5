//! Why a file cannot be imported at all, in sentences, with the way out where there is one.
//!
//! Invariants: no variant holds anything that stood in a field of the file. Names of zip entries, places and
//! sizes are all there is.

use std::io;

use thiserror::Error;

use super::bounds::{LARGEST_ENTRY, LARGEST_FILE, MOST_ENTRIES, MOST_ITERATIONS, MOST_ROWS, MOST_XML_ELEMENTS};
use super::place::Place;
use super::recognition::Foreign;
use twofactor_core::host::shell;

/// Why nothing can be imported from a file.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The password or the key cannot be read.
    #[error("the password or the key cannot be read: {0}")]
    Keyring(io::Error),

    /// The file is encrypted and there is no password.
    #[error("the file is encrypted, and no password was given")]
    PasswordNeeded,
    /// The seeds are encrypted under a pre-shared key and there is none.
    #[error("the seeds are encrypted with a pre-shared key, and none was given")]
    KeyNeeded,
    /// The password or key does not open the file. The two cannot be told apart: that is how these formats are made.
    #[error("wrong password, or the file is damaged")]
    WrongPassword,
    /// The same for a pre-shared key.
    #[error("wrong key, or the file is damaged")]
    WrongKey,
    /// The key has a length that the file's cipher does not take.
    #[error("the file's cipher takes a key of {0} bytes, given raw or as hexadecimal digits")]
    KeyLength(usize),

    /// More than [`LARGEST_FILE`].
    #[error("the file is larger than {} MiB", LARGEST_FILE >> 20)]
    FileTooLarge,
    /// More than [`LARGEST_ENTRY`], in one entry or in all that would be read.
    #[error("{0} unpacks to more than {limit} MiB", limit = LARGEST_ENTRY >> 20)]
    EntryTooLarge(String),
    /// It unpacks to far more than text does.
    #[error("{0} unpacks to far more than a list of seeds of its size would")]
    TooDense(String),
    /// More than [`MOST_ENTRIES`], or a table of contents of more than a few MiB.
    #[error("the zip file has more than {MOST_ENTRIES} entries")]
    TooManyEntries,
    /// More than [`MOST_ROWS`].
    #[error("the file has more than {MOST_ROWS} rows")]
    TooManyRows,

    /// Something else than a list of seeds.
    #[error("this is {0}")]
    Foreign(Foreign),
    /// The same inside a zip file.
    #[error("{entry} in the zip file is {foreign}")]
    Nested {
        /// The entry.
        entry: String,
        /// Its kind.
        foreign: Foreign,
    },
    /// One of several entries has the form of a list and cannot be read: the others are not imported without it.
    #[error("{}{error}", of_entry(entry, error))]
    OneOfSeveral {
        /// The entry.
        entry: String,
        /// The reason.
        error: Box<ImportError>,
    },
    /// A zip file that cannot be read, or holds something else than it says.
    #[error("the zip file is damaged")]
    ZipDamaged,
    /// Compressed in a way we do not read.
    #[error("{entry} in the zip file is packed with {method}, which is not supported")]
    ZipMethod {
        /// The entry.
        entry: String,
        /// Its method of packing.
        method: String,
    },
    /// Encrypted in a way we do not read.
    #[error("{0} is packed or encrypted in a way that is not supported")]
    ZipUnsupported(String),
    /// Two entries of one name: programs disagree about which counts.
    #[error("two entries of the zip file have the same name")]
    DuplicateNames,
    /// Nothing in the zip file but folders, or nothing at all.
    #[error("the zip file is empty")]
    NoEntry,
    /// `--entry` names none of the entries.
    #[error("the zip file has no entry \"{wanted}\"; it has {there}")]
    NoSuchEntry {
        /// The name asked for.
        wanted: String,
        /// The names of the first entries.
        there: String,
    },
    /// `--entry` and a file that is no zip file.
    #[error("the file is no zip file, so it has no entries to choose from")]
    NotZip,
    /// An authenticator app's export, whose entries have no serial numbers.
    #[error("the entries of an authenticator app have no serial numbers")]
    SerialFrom,

    /// Nothing in it, or only comments.
    #[error("the file has no rows")]
    NoRows,
    /// Bytes that are not text in UTF-8, UTF-16 or a Latin encoding.
    #[error("the file is not text")]
    NotText,
    /// No line has two columns.
    #[error("no line has the two columns that a serial number and a secret take")]
    NoColumns,
    /// The header names a secret and no serial number, or the other way round.
    #[error("{place}: the header has no column for the {missing}")]
    Header {
        /// The header's place.
        place: Place,
        /// `serial number` or `secret`.
        missing: &'static str,
    },
    /// Two columns could be the same thing, and nothing ranks one above the other.
    #[error("{place}: both \"{first}\" and \"{second}\" could be the {meaning}")]
    TwoColumns {
        /// The header's place.
        place: Place,
        /// The meaning that both could have.
        meaning: &'static str,
        /// The heading of one.
        first: String,
        /// The heading of the other.
        second: String,
    },
    /// A line of words above the rows, none of which names a column that is known.
    #[error("{0}: a header with no known name for the serial number and the secret")]
    UnknownHeader(Place),
    /// No header, and the secrets are not where they stand in a table without one.
    #[error("{place}: the secrets seem to stand in column {column}, and no header says what the columns are")]
    Misplaced {
        /// The first row.
        place: Place,
        /// From 1.
        column: usize,
    },
    /// One row can only be hexadecimal, another only base32.
    #[error("{hexadecimal} has a hexadecimal secret and {base32} one in base32; a file holds one of the two")]
    MixedEncodings {
        /// The first row that can only be hexadecimal.
        hexadecimal: Place,
        /// The first row that can only be base32.
        base32: Place,
    },
    /// Every secret could be either.
    #[error("{0}: the secret can be read as base32 and as hexadecimal")]
    AmbiguousEncoding(Place),

    /// More elements than a person waits for.
    #[error("the XML has more than {MOST_XML_ELEMENTS} elements, which take two seconds to read")]
    TooManyElements,
    /// Not well-formed, or beyond the bounds of what a seed file needs.
    #[error("{0}: the XML {1}")]
    Xml(Place, &'static str),
    /// The JSON of an app's export is cut off, changed, or names something twice.
    #[error("{0}: the JSON is not well-formed, or names something twice")]
    Json(Place),
    /// PSKC, but not in a form that can be opened.
    #[error("{0}")]
    Pskc(#[from] PskcError),
}

/// Why a PSKC document as a whole cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PskcError {
    /// The root is another element.
    #[error("the XML document is not PSKC: its root is not a KeyContainer of RFC 6030")]
    NotPskc,
    /// Encrypted to a certificate.
    #[error("the keys are encrypted to a certificate (RSA), which is not supported")]
    Certificate,
    /// RFC 6030 §6.2 asks for a MAC beside AES-CBC.
    #[error("the keys are encrypted without a MAC, so they could have been changed on the way (RFC 6030, section 6.2)")]
    NoMac,
    /// Not one of the HMACs of RFC 6030.
    #[error("the MAC algorithm is not one of HMAC-SHA1, -SHA224, -SHA256, -SHA384 and -SHA512")]
    MacAlgorithm,
    /// The MAC key is not there in a way we read.
    #[error("the MAC key is missing, or stored in a way that is not supported")]
    MacKey,
    /// None of the ciphers of RFC 6030.
    #[error("the keys are encrypted with something else than AES, Camellia or 3DES (CBC or key wrap)")]
    Cipher,
    /// Not PBKDF2, or without its parameters.
    #[error("the key derivation is not PBKDF2 with a salt, a known hash and a number of iterations")]
    Derivation,
    /// Rounds that take longer than a person waits.
    #[error("the key derivation asks for {0} iterations; at most {MOST_ITERATIONS} are made, which take two seconds")]
    Iterations(u32),
}

/// The kind of failure; the tool turns it into an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A password or key is missing or wrong, or the file is damaged in a way that looks like that.
    WrongKey,
    /// The file is not one we can import.
    Invalid,
    /// It is beyond a bound; otherwise like `Invalid`.
    TooLarge,
    /// The system refused.
    Io,
}

/// The name of an entry, where the sentence about it does not begin with it.
fn of_entry(entry: &str, error: &ImportError) -> String {
    if error.to_string().starts_with(entry) { String::new() } else { format!("{entry} in the zip file: ") }
}

/// The command that reads a pipe.
const IMPORT: &str = "twofactor token import -";

/// The way to seeds that lie in a wrapping inside a zip file: one command takes the entry out, another unwraps it.
fn nested_hint(entry: &str, foreign: Foreign) -> String {
    let taken_out = format!("7z x -so FILE {}", shell::quoted(entry));
    match foreign {
        Foreign::Zip => format!("{taken_out} | {IMPORT}"),
        foreign => match foreign.hint() {
            // A program that reads a pipe when no file is named.
            Some(hint) if hint.contains(" -dc FILE ") || hint.contains(" -d FILE ") => {
                format!("{taken_out} | {}", hint.replace(" FILE ", " "))
            }
            Some(hint) if hint.contains(" FILE ") => {
                format!("{taken_out} > INNER, then: {}", hint.replace(" FILE ", " INNER "))
            }
            Some(hint) => hint.to_owned(),
            None => "unpack it by hand and look at it".to_owned(),
        },
    }
}

impl ImportError {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(_) | Self::Keyring(_) => ErrorKind::Io,
            Self::PasswordNeeded | Self::KeyNeeded | Self::WrongPassword | Self::WrongKey | Self::KeyLength(_) => {
                ErrorKind::WrongKey
            }
            Self::FileTooLarge
            | Self::EntryTooLarge(_)
            | Self::TooDense(_)
            | Self::TooManyEntries
            | Self::TooManyElements
            | Self::TooManyRows => ErrorKind::TooLarge,
            _ => ErrorKind::Invalid,
        }
    }

    /// The way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Foreign(foreign) => return foreign.hint().map(str::to_owned),
            Self::Nested { entry, foreign } => return Some(nested_hint(entry, *foreign)),
            Self::OneOfSeveral { error, .. } => {
                let hint = error.hint().map(|hint| format!("{hint}; ")).unwrap_or_default();
                return Some(format!("{hint}--entry NAME imports another entry alone"));
            }
            Self::ZipMethod { entry, .. } => return Some(format!("7z x -so FILE {} | {IMPORT}", shell::quoted(entry))),
            Self::NoSuchEntry { .. } => "name one of them: --entry NAME",
            Self::NotZip => "leave --entry out",
            Self::SerialFrom => "say which field to take: --serial-from issuer, label or number",
            Self::PasswordNeeded => "the vendor sends it apart from the file",
            Self::KeyNeeded => "--key-file FILE, with 16, 24 or 32 bytes or their hexadecimal digits",
            Self::AmbiguousEncoding(_) => "say which it is: --encoding base32 or --encoding hex",
            Self::MixedEncodings { .. } => {
                "import the two kinds as two files, or say --encoding to refuse the other rows"
            }
            Self::FileTooLarge | Self::TooManyRows | Self::TooManyElements => "split the file",
            Self::EntryTooLarge(_) | Self::TooDense(_) | Self::TooManyEntries => {
                "unpack it by hand and look at it before importing anything"
            }
            Self::ZipUnsupported(_) => "pack it again: 7z a -tzip -mem=AES256 -p SEEDS.zip FILE",
            Self::DuplicateNames | Self::NoEntry => "unpack it by hand and import the file with the seeds",
            Self::Header { .. } | Self::UnknownHeader(_) => {
                "name the columns \"serial number\" and \"secret\", and others \"type\", \"digits\", \"period\", \"hash\""
            }
            Self::TwoColumns { .. } => "rename one of the two columns, or remove it",
            Self::Misplaced { .. } => "write a header above the rows: serial number,secret in the order of the columns",
            Self::Xml(..) | Self::NotText | Self::ZipDamaged => {
                "compare the file's size and checksum with the vendor's"
            }
            Self::Json(_) => "export again, or compare the file's size and checksum with the vendor's",
            Self::NoColumns => "a row is SERIAL,SECRET",
            Self::Pskc(PskcError::Certificate) => {
                "ask the vendor for a file encrypted with a password or a pre-shared key"
            }
            Self::Pskc(PskcError::Iterations(_)) => "ask the vendor for a file with fewer iterations",
            Self::Pskc(PskcError::NoMac) => "ask the vendor for a file with a MACMethod",
            Self::Pskc(PskcError::NotPskc) => "ask the vendor for PSKC (RFC 6030) or a table in CSV",
            Self::Pskc(PskcError::MacAlgorithm | PskcError::MacKey | PskcError::Cipher | PskcError::Derivation) => {
                "ask the vendor for AES-CBC with an HMAC, under a password or a pre-shared key (RFC 6030, section 6)"
            }
            Self::WrongPassword => "blanks and case count; compare the file's size and checksum with the vendor's, too",
            Self::WrongKey | Self::KeyLength(_) => {
                "it is the key that came with this file, and no other: --key-file FILE"
            }
            Self::NoRows => "is it the file that the vendor sent, and whole? look into it",
            Self::Io(_) | Self::Keyring(_) => "look at the file and its disk: ls -l and dmesg",
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_comes_with_something_to_do() {
        let place = || Place { entry: None, line: 7 };
        let io = || io::Error::from_raw_os_error(5);
        let entry = || "a.csv".to_owned();
        let errors = [
            ImportError::Io(io()),
            ImportError::Keyring(io()),
            ImportError::PasswordNeeded,
            ImportError::KeyNeeded,
            ImportError::WrongPassword,
            ImportError::WrongKey,
            ImportError::KeyLength(16),
            ImportError::FileTooLarge,
            ImportError::EntryTooLarge(entry()),
            ImportError::TooDense(entry()),
            ImportError::TooManyEntries,
            ImportError::TooManyRows,
            ImportError::Foreign(Foreign::Pdf),
            ImportError::Nested { entry: entry(), foreign: Foreign::Gzip },
            ImportError::OneOfSeveral { entry: entry(), error: Box::new(ImportError::NoColumns) },
            ImportError::ZipDamaged,
            ImportError::ZipUnsupported(entry()),
            ImportError::DuplicateNames,
            ImportError::NoEntry,
            ImportError::NoRows,
            ImportError::NotText,
            ImportError::NoColumns,
            ImportError::Header { place: place(), missing: "secret" },
            ImportError::TwoColumns { place: place(), meaning: "secret", first: entry(), second: entry() },
            ImportError::UnknownHeader(place()),
            ImportError::Misplaced { place: place(), column: 3 },
            ImportError::MixedEncodings { hexadecimal: place(), base32: place() },
            ImportError::AmbiguousEncoding(place()),
            ImportError::Xml(place(), "is not closed"),
            PskcError::NotPskc.into(),
            PskcError::Certificate.into(),
            PskcError::NoMac.into(),
            PskcError::MacAlgorithm.into(),
            PskcError::MacKey.into(),
            PskcError::Cipher.into(),
            PskcError::Derivation.into(),
        ];
        for error in errors {
            let hint = error.hint().unwrap_or_else(|| panic!("no hint: {error}"));
            assert!(!hint.ends_with('.') && !hint.starts_with(char::is_uppercase), "{hint}");
        }
    }
}
