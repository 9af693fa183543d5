//! The token that one row of a seed file offers, put together from the row and the options.

use super::delimited;
use super::options::{KindName, Options};
use super::rejection::{Parameter, Rejection};
use super::seed_encoding;
use twofactor_core::codes::otp::{Algorithm, Digits, Kind, LAST_COUNTER, Parameters, Period, StatedParameters};
use twofactor_core::codes::secret::{Secret, SecretError};
use twofactor_core::codes::token::{Marks, Serial};

/// A token as a seed file offers it.
#[derive(Debug)]
pub struct Offered {
    /// As printed on the token.
    pub serial: Serial,
    /// Its secret.
    pub secret: Secret,
    /// The marks by which it is found again.
    pub marks: Marks,
    /// The parameters of its codes.
    pub parameters: Parameters,
    /// Those of them that the file or an option states.
    pub stated: StatedParameters,
    /// The next counter of a HOTP token.
    pub counter: Option<u64>,
    /// The steps by which the token's clock is ahead (+) or behind (−), as the file says.
    pub drift: Option<i32>,
    /// Its maker.
    pub vendor: Option<String>,
    /// The maker's name for it.
    pub model: Option<String>,
    /// The secret is an encoded one once more, so that it was probably encoded twice.
    pub twice: bool,
    /// The secret has less than the 128 bits that RFC 4226 asks for.
    pub weak: bool,
}

/// RFC 4226 §4, R6.
const STRONG_BITS: usize = 128;

impl Offered {
    /// Puts together what all forms of files have.
    pub(super) fn new(serial: Serial, secret: Secret, settled: Settled) -> Self {
        let weak = secret.bits() < STRONG_BITS;
        let twice = seed_encoding::is_encoded_once_more(secret.expose());
        let Settled { parameters, stated, counter, .. } = settled;
        let marks = Marks::of(&secret, parameters.algorithm);
        Self { serial, secret, marks, parameters, stated, counter, drift: None, vendor: None, model: None, twice, weak }
    }
}

/// A row's words about codes. `None`: it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stated {
    pub(super) kind: Option<KindName>,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) digits: Option<Digits>,
    pub(super) period: Option<Period>,
    pub(super) counter: Option<u64>,
    /// The kind of a row that states none, where the form of the file defines it.
    pub(super) usual_kind: Option<KindName>,
}

/// The parameters of a row, after the options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) parameters: Parameters,
    pub(super) stated: StatedParameters,
    pub(super) counter: Option<u64>,
    /// An option was given, and the row says otherwise.
    pub(super) overruled: bool,
}

impl Stated {
    /// Options first, then the row, then what nearly every token has: SHA-1, 6 digits, 30 seconds.
    pub(super) fn settle(self, options: &Options) -> Settled {
        fn overruled<T: PartialEq>(option: Option<T>, stated: Option<T>) -> bool {
            matches!((option, stated), (Some(option), Some(stated)) if option != stated)
        }
        let usual = Parameters::default();
        let (algorithm, digits) = (options.algorithm.or(self.algorithm), options.digits.or(self.digits));
        let (stated_kind, stated_period) = (options.kind.or(self.kind), options.period.or(self.period));
        let period = stated_period.unwrap_or(Period::THIRTY);
        let kind = stated_kind.or(self.usual_kind).unwrap_or(KindName::Totp);
        let of_codes = |kind| match kind {
            KindName::Totp => Kind::Totp(period),
            KindName::Hotp => Kind::Hotp,
        };
        Settled {
            parameters: Parameters {
                algorithm: algorithm.unwrap_or(usual.algorithm),
                digits: digits.unwrap_or(usual.digits),
                kind: of_codes(kind),
            },
            stated: StatedParameters { algorithm, digits, kind: stated_kind.map(of_codes), period: stated_period },
            counter: match kind {
                KindName::Totp => None,
                KindName::Hotp => Some(self.counter.unwrap_or(0)),
            },
            overruled: overruled(options.kind, self.kind)
                || overruled(options.algorithm, self.algorithm)
                || overruled(options.digits, self.digits)
                || overruled(options.period, self.period),
        }
    }
}

/// A serial number, or why it is none.
pub(super) fn serial(field: &[u8]) -> Result<Serial, Rejection> {
    if field.is_empty() {
        return Err(Rejection::SerialMissing);
    }
    if is_rounded(field) {
        return Err(Rejection::SerialRounded);
    }
    if is_decimal(field) {
        return Err(Rejection::SerialDecimal);
    }
    if field.starts_with(b"=") || delimited::shows_error(field) {
        return Err(Rejection::SerialFormula);
    }
    if is_nothing(field) || is_date(field) || is_wrapped(field) {
        return Err(Rejection::SerialInvalid);
    }
    std::str::from_utf8(field).ok().and_then(Serial::new).ok_or(Rejection::SerialInvalid)
}

/// The words that programs write for a value that is not there.
fn is_nothing(field: &[u8]) -> bool {
    const NOTHING: [&str; 9] = ["nan", "null", "none", "nil", "n/a", "na", "undefined", "(null)", "<na>"];
    NOTHING.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(field))
}

/// `12-Mar`, `Mar-12`, `12-Mar-26`: numbers that a spreadsheet took for dates.
fn is_date(field: &[u8]) -> bool {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let mut months = 0;
    let mut parts = field.split(|byte| *byte == b'-');
    let is_part = |part: &[u8]| {
        let month = MONTHS.iter().any(|month| month.as_bytes().eq_ignore_ascii_case(part));
        months += usize::from(month);
        month || (matches!(part.len(), 1 | 2 | 4) && part.iter().all(u8::is_ascii_digit))
    };
    field.contains(&b'-') && field.len() <= 11 && parts.all(is_part) && months == 1
}

/// True when a sign that is printed on no token stands at an end of it.
fn is_wrapped(field: &[u8]) -> bool {
    let is_sign = |byte: Option<&u8>| byte.is_some_and(|byte| b"`'\"()[]{}<>".contains(byte));
    is_sign(field.first()) || is_sign(field.last()) || field.starts_with(b"#")
}

/// `1.23457E+12`, also with the decimal comma of other languages: what a spreadsheet makes of a long number.
fn is_rounded(field: &[u8]) -> bool {
    let Some(exponent) = field.iter().position(|byte| matches!(byte, b'e' | b'E')) else { return false };
    let (mantissa, rest) = field.split_at(exponent);
    let digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    let mut parts = mantissa.split(|byte| matches!(byte, b'.' | b','));
    let whole = parts.next().is_some_and(|part| part.len() == 1 && digits(part));
    let fraction = parts.next().is_none_or(digits) && parts.next().is_none();
    let exponent = match rest {
        [_, b'+' | b'-', exponent @ ..] => exponent,
        // Some programs leave the sign out; then only the point tells it from a serial number.
        [_, exponent @ ..] if mantissa.len() > 1 => exponent,
        _ => return false,
    };
    whole && fraction && digits(exponent)
}

/// `7700000000011.0` or `7,700,000`: what a program makes of a number.
fn is_decimal(field: &[u8]) -> bool {
    let digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    let Some(point) = field.iter().rposition(|byte| matches!(byte, b'.' | b',' | b'\'')) else { return false };
    let (whole, fraction) = (field.get(..point).unwrap_or_default(), field.get(point + 1..).unwrap_or_default());
    if digits(whole) && !fraction.is_empty() && fraction.iter().all(|byte| *byte == b'0') {
        return true;
    }
    let mut groups = field.split(|byte| matches!(byte, b'.' | b',' | b'\''));
    let first = groups.next().is_some_and(|group| (1..=3).contains(&group.len()) && digits(group));
    let mut count = 0;
    first
        && groups.all(|group| {
            count += 1;
            group.len() == 3 && digits(group)
        })
        && count > 1
}

/// A secret from its bytes.
pub(super) fn secret(bytes: zeroize::Zeroizing<Vec<u8>>) -> Result<Secret, Rejection> {
    let length = bytes.len();
    Secret::from_bytes(bytes).map_err(|error| match error {
        SecretError::Length(length) => Rejection::SecretLength(length),
        SecretError::NotBase32 | SecretError::NoEntropy => Rejection::SecretLength(length),
    })
}

/// TOTP or HOTP by its name in any case.
pub(super) fn kind(word: &str) -> Option<KindName> {
    match word.to_ascii_lowercase().as_str() {
        "totp" => Some(KindName::Totp),
        "hotp" => Some(KindName::Hotp),
        _ => None,
    }
}

/// A hash by any of its names: `SHA1`, `sha-256`, `HMAC-SHA512`, `HmacSHA256`.
pub(super) fn algorithm(name: &str) -> Result<Algorithm, Rejection> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_uppercase();
    let plain = plain.strip_prefix("HMAC").unwrap_or(&plain);
    plain.parse().map_err(|_| Rejection::Parameter(Parameter::Algorithm))
}

/// The length of a code.
pub(super) fn digits(number: u64) -> Result<Digits, Rejection> {
    let digits = u8::try_from(number).ok().and_then(|digits| Digits::new(digits).ok());
    digits.ok_or(Rejection::Parameter(Parameter::Digits))
}

/// A counter.
pub(super) fn counter(number: u64) -> Result<u64, Rejection> {
    Some(number).filter(|number| *number <= LAST_COUNTER).ok_or(Rejection::Counter)
}

/// The length of a step.
pub(super) fn period(seconds: u64) -> Result<Period, Rejection> {
    let period = u16::try_from(seconds).ok().and_then(|seconds| Period::new(seconds).ok());
    period.ok_or(Rejection::Parameter(Parameter::Period))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_that_a_spreadsheet_rounded_is_refused_as_such() {
        for rounded in ["1.23457E+12", "1,23457E+12", "1E+12", "2.6E+12", "1.23457e+12"] {
            assert_eq!(serial(rounded.as_bytes()).unwrap_err(), Rejection::SerialRounded, "{rounded}");
        }
        for decimal in ["7700000000011.0", "7700000000011,00", "7,700,000,000,011", "7.700.000.000.011", "7'700'000"] {
            assert_eq!(serial(decimal.as_bytes()).unwrap_err(), Rejection::SerialDecimal, "{decimal}");
        }
        for formula in ["=A1&B1", "=7700", "#N/A", "########"] {
            assert_eq!(serial(formula.as_bytes()).unwrap_err(), Rejection::SerialFormula, "{formula}");
        }
        for sound in ["1234567891234", "E+12", "FT1E12", "1E12", "0012", "1.2.3E+1", "E", "12.345", "1.2.3", "10.0.1"] {
            assert_eq!(serial(sound.as_bytes()).unwrap().as_str(), sound);
        }
        assert_eq!(serial(b"").unwrap_err(), Rejection::SerialMissing);
        assert_eq!(serial(b"12 34").unwrap_err(), Rejection::SerialInvalid);
        assert_eq!(serial("ü".as_bytes()).unwrap_err(), Rejection::SerialInvalid);
    }

    #[test]
    fn an_option_wins_and_it_is_known_whether_the_row_says_otherwise() {
        let stated = Stated { kind: Some(KindName::Hotp), counter: Some(7), ..Stated::default() };
        let as_stated = stated.settle(&Options::default());
        assert_eq!((as_stated.parameters.kind, as_stated.counter, as_stated.overruled), (Kind::Hotp, Some(7), false));
        let timed = Options { kind: Some(KindName::Totp), digits: Some(Digits::new(8).unwrap()), ..Options::default() };
        let settled = stated.settle(&timed);
        assert_eq!(settled.parameters.kind, Kind::Totp(Period::THIRTY));
        assert_eq!(settled.parameters.digits.count(), 8);
        assert_eq!((settled.counter, settled.overruled), (None, true));
        assert!(!Stated::default().settle(&timed).overruled);
    }

    #[test]
    fn hashes_have_many_names() {
        for name in ["SHA1", "sha1", "SHA-1", "HMAC-SHA1", "HmacSHA1", "hmac_sha_1"] {
            assert_eq!(algorithm(name), Ok(Algorithm::Sha1), "{name}");
        }
        for name in ["SHA256", "sha-256", "HMAC-SHA256", "HmacSHA256"] {
            assert_eq!(algorithm(name), Ok(Algorithm::Sha256), "{name}");
        }
        assert_eq!(algorithm("HMAC-SHA-512"), Ok(Algorithm::Sha512));
        assert_eq!(algorithm("MD5"), Err(Rejection::Parameter(Parameter::Algorithm)));
    }
}
