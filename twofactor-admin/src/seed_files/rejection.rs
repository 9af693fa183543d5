//! Why a row of a seed file offers no token.
//!
//! Invariants: a [`Rejection`] never repeats what stood in a field. Where columns are swapped, a secret stands in
//! the place of the serial number.

use thiserror::Error;
use twofactor_core::codes::otp::ParameterError;
use twofactor_core::codes::secret::{LONGEST, SHORTEST};

use super::bounds::{LONGEST_FIELD, MOST_COLUMNS};
use super::note::Aspect;
use super::options::Encoding;

/// Why a row offers no token. Never says what stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Rejection {
    /// The columns of serial number and secret are not both there.
    #[error("the row has too few columns")]
    TooFewColumns,
    /// Longer than any field of a seed file.
    #[error("a field is longer than {} bytes", LONGEST_FIELD)]
    FieldTooLong,
    /// Quotes come in pairs, on one line.
    #[error("a quote is not closed on its line")]
    UnclosedQuote,
    /// More than any table of seeds has.
    #[error("the row has more than {} columns", MOST_COLUMNS)]
    TooManyColumns,
    /// The header names a column that says something about codes, and the row ends before it.
    #[error("the row is shorter than the header")]
    ShortRow,
    /// The last line has no line end and is shorter than all others, as a whole or in its secret.
    #[error("the file ends within this row, which is shorter than all others: it was cut off")]
    CutOff,
    /// Neither the serial number nor the secret has a digit.
    #[error("the row is words, not a serial number and a secret")]
    Words,
    /// Something stands between a closing quote and the next separator.
    #[error("there is text behind a closing quote")]
    TextBehindQuote,

    /// Empty, or not there.
    #[error("the serial number is missing")]
    SerialMissing,
    /// Not what [`Serial::new`](twofactor_core::codes::token::Serial::new) takes.
    #[error("the serial number is not 1 to 64 printable ASCII characters without spaces, quotes or backslashes")]
    SerialInvalid,
    /// `1.23457E+12`.
    #[error("a spreadsheet has rounded the serial number, as 1.23E+12")]
    SerialRounded,
    /// `7700000000011.0`, `7,700,000`.
    #[error("a spreadsheet has written the serial number as a decimal number, as 1234.0 or 1,234,000")]
    SerialDecimal,
    /// `=A1`, `#N/A`, `####`.
    #[error("a spreadsheet has put a formula or an error in the place of the serial number")]
    SerialFormula,
    /// Serial numbers are printed in lists and logs.
    #[error("a secret seems to stand in the place of the serial number")]
    SerialIsSecret,

    /// Empty, or not there.
    #[error("the secret is missing")]
    SecretMissing,
    /// The file is in base32, this secret is not.
    #[error("the secret is not base32 (letters A-Z and digits 2-7)")]
    NotBase32,
    /// The file is hexadecimal, this secret is not.
    #[error("the secret is not hexadecimal (digits 0-9 and letters A-F)")]
    NotHex,
    /// Signs, or both cases.
    #[error("the secret is written in base64, or a character is wrong; base32 and hexadecimal are read")]
    SecretBase64,
    /// `0x31…` or `31:32:…` among secrets in base32.
    #[error("the secret is hexadecimal, with 0x before it or colons in it, in a file of base32")]
    WrittenOut,
    /// A character is missing somewhere.
    #[error("the secret is incomplete: so many characters do not make whole bytes")]
    SecretIncomplete,
    /// Too short to be safe, or longer than HMAC takes.
    #[error("the secret has {0} bytes; {SHORTEST} to {LONGEST} are accepted")]
    SecretLength(usize),

    /// Under a key of the vendor's own system.
    #[error("the secret is encrypted in the vendor's own way, which is not known here")]
    Sealed,

    /// Neither HOTP nor TOTP, such as mOTP or OCRA.
    #[error("the token is neither TOTP nor HOTP; other kinds are not supported")]
    Kind,
    /// The same of an app's entry or a log, where no option can say otherwise.
    #[error("the token is neither TOTP nor HOTP; other kinds are not supported")]
    OtherKind,
    /// Two tokens that became one, by a line or a bracket that was lost.
    #[error("two serial numbers or two secrets stand in the place of one")]
    Twice,
    /// A line among `otpauth` URIs that is none.
    #[error("the line is no otpauth URI")]
    NoUri,
    /// A `otpauth-migration` URI without its message, or without the end of it.
    #[error("the otpauth-migration URI is incomplete, or was changed")]
    Migration,
    /// Digits, period or algorithm out of range.
    #[error("{0}")]
    Parameter(Parameter),
    /// Something else than digits, such as a unit.
    #[error("{} is not a whole number", .0.noun())]
    NotANumber(Parameter),
    /// Not a number, or too large for one.
    #[error("the counter is not a whole number")]
    Counter,

    /// A member, parameter or element with such a name, and what it says.
    #[error("\"{0}\" says how codes are made, in a place or form that is not read")]
    NotRead(&'static str, Aspect),

    /// A rule of PSKC.
    #[error("{0}")]
    Key(KeyRejection),
}

/// The parameter that is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// The hash.
    Algorithm,
    /// The length of a code.
    Digits,
    /// The length of a step.
    Period,
}

impl Parameter {
    fn noun(self) -> &'static str {
        match self {
            Self::Algorithm => "the hash",
            Self::Digits => "the number of digits",
            Self::Period => "the period",
        }
    }
}

impl std::fmt::Display for Parameter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Algorithm => ParameterError::Algorithm,
            Self::Digits => ParameterError::Digits,
            Self::Period => ParameterError::Period,
        }
        .fmt(formatter)
    }
}

/// A column that a rejection is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Serial,
    Secret,
    Kind,
    Algorithm,
    Digits,
    Period,
    Counter,
}

impl Rejection {
    /// The column it is about; `None` for the row as a whole.
    pub(super) fn field(self) -> Option<Field> {
        Some(match self {
            Self::SerialMissing
            | Self::SerialInvalid
            | Self::SerialRounded
            | Self::SerialDecimal
            | Self::SerialFormula
            | Self::SerialIsSecret => Field::Serial,
            Self::SecretMissing
            | Self::NotBase32
            | Self::NotHex
            | Self::SecretBase64
            | Self::WrittenOut
            | Self::SecretIncomplete
            | Self::SecretLength(_) => Field::Secret,
            Self::Kind => Field::Kind,
            Self::Parameter(parameter) | Self::NotANumber(parameter) => match parameter {
                Parameter::Algorithm => Field::Algorithm,
                Parameter::Digits => Field::Digits,
                Parameter::Period => Field::Period,
            },
            Self::Counter => Field::Counter,
            Self::TooFewColumns
            | Self::FieldTooLong
            | Self::UnclosedQuote
            | Self::TextBehindQuote
            | Self::TooManyColumns
            | Self::ShortRow
            | Self::CutOff
            | Self::Words
            | Self::OtherKind
            | Self::Twice
            | Self::NoUri
            | Self::Migration
            | Self::Sealed
            | Self::NotRead(..)
            | Self::Key(_) => return None,
        })
    }

    /// The way out.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooFewColumns | Self::SerialMissing | Self::SecretMissing => {
                "a row is SERIAL,SECRET; --explain shows which columns were taken for them"
            }
            Self::ShortRow => "fill in what is missing, or ask the vendor for the file again",
            Self::CutOff => "ask for the file again; if the row is complete, end it with a line break",
            Self::UnclosedQuote => "a row is one line: close the quote, or take the line break out of the field",
            Self::FieldTooLong | Self::TooManyColumns | Self::TextBehindQuote => {
                "quotes come in pairs around a whole field; --explain shows how the columns were told apart"
            }
            Self::Words => "remove a second header, or a line that belongs to no token",
            Self::SerialInvalid => "compare it with the number printed on the token",
            Self::SerialRounded | Self::SerialDecimal | Self::SerialFormula => {
                "take the vendor's own file, or import it into the spreadsheet with that column formatted as text"
            }
            Self::SerialIsSecret => "are the columns swapped? the order is SERIAL,SECRET, or a header names them",
            Self::NotBase32 => "0, 1, 8 and 9 are misread for O, I, B and G; --encoding hex where it is hexadecimal",
            Self::NotHex => "--encoding base32 where it is base32",
            Self::WrittenOut => "a file holds one of the two: import it in two files, or --encoding hex for all",
            Self::SecretBase64 => "ask the vendor for secrets in base32 or hexadecimal",
            Self::SecretIncomplete | Self::SecretLength(_) => {
                "a character is missing or one too many: compare it with the vendor's file"
            }
            Self::Kind => "--type totp or --type hotp says it for all rows",
            Self::OtherKind => "no such token can be used here: leave it out",
            Self::Twice => "did two tokens become one? ask for the file again",
            Self::NoUri => "one URI a line: otpauth://totp/LABEL?secret=SECRET",
            Self::Migration => "export again, and take the whole text of the QR code",
            Self::Parameter(parameter) | Self::NotANumber(parameter) => match parameter {
                Parameter::Algorithm => "--algorithm SHA1, SHA256 or SHA512 says it for all rows",
                Parameter::Digits => "--digits 6, 7 or 8 says it for all rows",
                Parameter::Period => "--period SECONDS, a number alone, says it for all rows",
            },
            Self::Counter => "a counter is digits alone; --type totp where it is none",
            Self::Sealed => "ask the vendor for PSKC, or a table in CSV",
            Self::NotRead(_, about) => match about {
                Aspect::Type => "--type totp or --type hotp says it for all rows",
                Aspect::Hash => "--algorithm SHA1, SHA256 or SHA512 says it for all rows",
                Aspect::Digits => "--digits 6, 7 or 8 says it for all rows",
                Aspect::Period => "--period SECONDS, a number alone, says it for all rows",
                Aspect::Counter | Aspect::Encoding => "write it as the manual's kinds of files have it",
            },
            Self::Key(why) => why.hint(),
        }
    }
}

/// Why a key of a PSKC document offers no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyRejection {
    /// A KeyPackage of a device alone.
    #[error("the package holds no key")]
    NoKey,
    /// The secret is elsewhere.
    #[error("the secret is not in the file (KeyReference)")]
    Reference,
    /// `Time` starts the count somewhere else than 1970.
    #[error("the token counts its steps from another time than 1970 (Time is not 0)")]
    Epoch,
    /// The last digit of a code is a checksum.
    #[error("its codes have a check digit, which is not supported")]
    CheckDigits,
    /// Codes are not decimal digits.
    #[error("its codes are not decimal digits")]
    ResponseEncoding,
    /// The PIN is part of the code.
    #[error("its policy makes a PIN part of the code")]
    Pin,
    /// The key may be used so many times only.
    #[error("its policy limits the number of uses, which is not enforced here")]
    Uses,
    /// The key is for something else.
    #[error("its policy does not allow one-time passwords (KeyUsage)")]
    Usage,
    /// A policy of another namespace, which must not be ignored (RFC 6030 §5).
    #[error("its policy has a rule that is not known here")]
    Policy,
    /// A number that is none.
    #[error("{0} is not a number in any of the ways PSKC writes one")]
    Number(&'static str),
    /// Not base64.
    #[error("{0} is not base64")]
    Base64(&'static str),
    /// Encrypted with something else than the header says, or than we read.
    #[error("{0} is encrypted with another cipher or key than the other values of the file")]
    Cipher(&'static str),
    /// Stripped: another value may have been put there.
    #[error("{0} is encrypted and its ValueMAC is missing")]
    MacMissing(&'static str),
    /// A writer who cannot open the others may have put this one there.
    #[error("the secret stands in the clear in a document that encrypts its secrets")]
    InTheClear,
    /// The value is not the one that was encrypted.
    #[error("{0} was changed or damaged: its MAC does not match")]
    MacMismatch(&'static str),
    /// The MAC matches, but this is no padded text.
    #[error("{0} is not padded as its cipher asks")]
    Padding(&'static str),
    /// A value is longer than any of a seed file, or has too many parts.
    #[error("the package is larger than any key needs")]
    TooLarge,
    /// Two values where one belongs.
    #[error("{0} stands there more than once")]
    Twice(&'static str),
    /// Its characters are those of another encoding, and base64 would make another secret of them.
    #[error("the secret is written in {0}; PSKC has base64")]
    Encoded(Encoding),
    /// In an attribute, in an element of another name, or beside what is read.
    #[error("{0} is written in a form that is not read")]
    Form(&'static str),
    /// Manufacturer and model are printed in lists.
    #[error("a secret seems to stand in the place of {0}")]
    SecretIn(&'static str),
}

impl KeyRejection {
    /// The advice for a person.
    fn hint(self) -> &'static str {
        match self {
            Self::NoKey | Self::Reference => "ask the vendor for a file that holds the secrets",
            Self::Epoch
            | Self::CheckDigits
            | Self::ResponseEncoding
            | Self::Pin
            | Self::Uses
            | Self::Usage
            | Self::Policy => "no such token can be used here: ask the vendor for a key without it",
            Self::Number(_) => "it is a whole number in digits, or in base64: correct it, or ask the vendor",
            Self::Base64(_) | Self::MacMismatch(_) | Self::Padding(_) => {
                "compare the file's size and checksum with the vendor's, and ask for it again"
            }
            Self::Cipher(_) => "ask the vendor for one cipher and one key for the whole file",
            Self::MacMissing(_) => "ask the vendor for a file with a ValueMAC for every encrypted value",
            Self::InTheClear => "ask the vendor for a file that encrypts all its secrets",
            Self::TooLarge => "ask the vendor for a file with one token in each KeyPackage",
            Self::Twice(_) => "ask the vendor which one holds, and leave the other out",
            Self::Encoded(_) => "import a table of serial,secret, or ask the vendor for base64",
            Self::Form(_) => "ask the vendor for PSKC as RFC 6030 has it, or import a table",
            Self::SecretIn(_) => "it would be printed: take it out, or ask the vendor",
        }
    }
}
