//! The otpauth URI that authenticator apps read from a QR code.
//!
//! Every parameter is written, also those with the usual value: apps differ in what they assume. The issuer stands in
//! the label and as a parameter, as the key URI format of Google Authenticator asks.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use crate::otp::Kind;
use crate::token::Token;

/// The URI of `token` for an account called `account` at `issuer`. It holds the secret.
pub fn uri(token: &Token, issuer: &str, account: &str) -> Zeroizing<String> {
    // Large enough for the longest label, issuer and secret we accept, so that growing never leaves a copy behind.
    let mut uri = Zeroizing::new(String::with_capacity(4096));
    let (issuer, account) = (percent_encoded(issuer), percent_encoded(account));
    let secret = token.secret.expose_base32();
    let parameters = token.parameters;
    uri.push_str("otpauth://");
    uri.push_str(parameters.kind.name());
    uri.push('/');
    if !issuer.is_empty() {
        let _ = write!(uri, "{issuer}:");
    }
    let _ = write!(uri, "{account}?secret={}", secret.as_str());
    if !issuer.is_empty() {
        let _ = write!(uri, "&issuer={issuer}");
    }
    let _ = write!(uri, "&algorithm={}&digits={}", parameters.algorithm, parameters.digits.count());
    let _ = match parameters.kind {
        Kind::Totp(period) => write!(uri, "&period={}", period.seconds()),
        Kind::Hotp => write!(uri, "&counter={}", token.start.watermark.map_or(0, |step| step.0.saturating_add(1))),
    };
    uri
}

/// Percent-encodes everything but RFC 3986's unreserved characters and `@`, which is allowed in a path.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixTime;
    use crate::otp::{Algorithm, Digits, Parameters, Progress, Step};
    use crate::secret::Secret;
    use crate::token::{Label, Serial};

    fn token(parameters: Parameters, start: Progress) -> Token {
        Token {
            serial: Serial::new("app-test").unwrap(),
            label: Label::new("app").unwrap(),
            secret: Secret::from_base32("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP").unwrap(),
            parameters,
            issued: UnixTime::from_seconds(0),
            start,
        }
    }

    #[test]
    fn every_parameter_is_written_and_names_are_encoded() {
        let token = token(Parameters::default(), Progress::default());
        assert_eq!(
            uri(&token, "Exämple & Co", "alice@host").as_str(),
            "otpauth://totp/Ex%C3%A4mple%20%26%20Co:alice@host?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\
             &issuer=Ex%C3%A4mple%20%26%20Co&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn a_counter_token_says_where_it_stands() {
        let parameters = Parameters { algorithm: Algorithm::Sha256, digits: Digits::new(8).unwrap(), kind: Kind::Hotp };
        let token = token(parameters, Progress { watermark: Some(Step(4)), ..Progress::default() });
        assert_eq!(
            uri(&token, "", "alice").as_str(),
            "otpauth://hotp/alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&algorithm=SHA256&digits=8&counter=5"
        );
    }
}
