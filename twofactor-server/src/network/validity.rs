//! The end of a certificate, which `check` names before it comes.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use twofactor_net::certificate::Facts;
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

fn end_of(certificate: &[u8]) -> Option<SystemTime> {
    let facts = Facts::of(&CertificateDer::from(certificate))?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(facts.until))
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
