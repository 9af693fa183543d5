//! When a certificate is valid, and its number: the little of X.509 that is told to people. Signatures and names are checked by rustls.

use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

use crate::der::{Element, Elements};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its number, in hexadecimal digits.
    pub serial: String,
    /// It is valid from this second of Unix time on.
    pub from: u64,
    /// It is valid until then.
    pub until: u64,
}

impl Facts {
    /// Reads a certificate; `None` where it is none, or has dates before 1970.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        // RFC 5280 §4.1: Certificate, TBSCertificate, and in it version, number, algorithm, issuer, validity.
        let mut signed = Elements::of(certificate.as_ref()).inside(0x30)?.inside(0x30)?;
        // The first version does not say so.
        let _version = signed.if_next(0xa0);
        let serial = signed.if_next(0x02)?;
        let (_algorithm, _issuer) = (signed.if_next(0x30)?, signed.if_next(0x30)?);
        let mut validity = signed.inside(0x30)?;
        let (from, until) = (time(&mut validity)?, time(&mut validity)?);
        let serial = serial.strip_prefix(&[0]).unwrap_or(serial);
        Some(Self { serial: data_encoding::HEXLOWER.encode(serial), from, until })
    }
}

/// The SHA-256 digest of a certificate, by which a store knows it.
pub fn digest(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate.as_ref()).into()
}

/// The next element, a time of either kind, in seconds of Unix time.
fn time(elements: &mut Elements<'_>) -> Option<u64> {
    let Element { tag, content } = elements.next()?;
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        0x17 => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: u64 = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        0x18 => {
            let (year, rest) = text.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let mut parts = rest.as_bytes().chunks(2).map(|part| number(std::str::from_utf8(part).ok()?));
    let mut part = || parts.next().flatten();
    let (month, day, hour, minute, second) = (part()?, part()?, part()?, part()?, part()?);
    Some(days(year, month, day)? * DAY + hour * 3600 + minute * 60 + second)
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The days from 1970 to a date of the Gregorian calendar.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let is_date = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_date {
        return None;
    }
    // Years that begin in March: the day that comes and goes is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    Some(year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |year, month, day| days(year, month, day).map(|days| days * DAY);
        assert_eq!(at(1970, 1, 1), Some(0));
        assert_eq!(at(2000, 2, 29), Some(951_782_400));
        assert_eq!(at(2026, 11, 28), Some(1_795_824_000));
        assert_eq!(at(2100, 3, 1), Some(4_107_542_400));
        assert_eq!((at(1969, 12, 31), at(2026, 13, 1), at(2026, 1, 0)), (None, None, None));
    }

    #[test]
    fn both_kinds_of_time_are_read_and_nothing_else() {
        let read = |tag, text: &str| {
            let length = u8::try_from(text.len()).unwrap();
            time(&mut Elements::of(&[&[tag, length], text.as_bytes()].concat()))
        };
        assert_eq!(read(0x17, "261128000001Z"), Some(1_795_824_001));
        assert_eq!(read(0x18, "20261128000001Z"), Some(1_795_824_001));
        for damaged in ["", "Z", "2611280000Z", "261128000001", "2611280000-1Z", "26112800000\u{e9}Z"] {
            assert_eq!(read(0x17, damaged), None, "{damaged}");
        }
        assert_eq!(read(0x04, "261128000001Z"), None);
        assert_eq!(Facts::of(&CertificateDer::from(vec![0x30, 0x82])), None);
    }
}
