//! The end of a certificate, which `check` names before it comes.

use std::path::Path;
use std::time::{Duration, SystemTime};

use twofactor_net::pem::{PemError, certificates};

use crate::error::ServerError;

/// Certificates that end sooner are a problem.
const SOON: Duration = Duration::from_hours(14 * 24);

/// The end of the first certificate of a file to end, in words. An error where that is soon.
pub fn lasting(file: &Path) -> Result<String, ServerError> {
    let mut ends = Vec::new();
    for certificate in certificates(file)? {
        let end = end_of(&certificate);
        ends.push(end.ok_or_else(|| PemError::new(file, &"the end of a certificate cannot be read"))?);
    }
    let first = ends.into_iter().min().unwrap_or(SystemTime::UNIX_EPOCH);
    let said = format!("{} is good until {}", file.display(), humantime::format_rfc3339_seconds(first));
    if first < SystemTime::now() + SOON { Err(ServerError::EndsSoon(said)) } else { Ok(said) }
}

/// `notAfter` of a certificate (RFC 5280 §4.1).
fn end_of(certificate: &[u8]) -> Option<SystemTime> {
    const EXPLICIT_VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(certificate)?;
    let (_, mut rest, _) = element(certificate)?;
    if rest.first() == Some(&EXPLICIT_VERSION) {
        rest = element(rest)?.2;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, after) = element(validity)?;
    let (tag, text, _) = element(after)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// The tag and content of the first element of DER, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// UTCTime or GeneralizedTime, as certificates write them: in seconds, and in UTC.
fn time(tag: u8, text: &str) -> Option<SystemTime> {
    const UTC_TIME: u8 = 0x17;
    let digits = text.strip_suffix('Z').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let digits = match tag {
        // Two digits of the year: 1950 to 2049.
        UTC_TIME if digits.get(..2)? < "50" => format!("20{digits}"),
        UTC_TIME => format!("19{digits}"),
        _ => digits.to_owned(),
    };
    let part = |from: usize, to: usize| digits.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    );
    humantime::parse_rfc3339(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_read_as_it_was_written() {
        for (year, seconds) in [(2027, 1_798_761_600), (2060, 2_840_140_800)] {
            let mut params = rcgen::CertificateParams::new(vec!["db1.example.org".to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
            let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            let end = end_of(certificate.der()).unwrap();
            assert_eq!(end, SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), "{year}");
            for length in 0..certificate.der().len() - 1 {
                assert_eq!(end_of(&certificate.der()[..length]), None, "cut after {length} bytes");
            }
        }
    }
}
