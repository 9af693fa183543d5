//! The otpauth URI that authenticator apps read from a QR code.
//!
//! The issuer stands in the label and as a parameter, as the key URI format of Google Authenticator asks. Parameters with
//! that format's default values (SHA1, 6 digits, 30 seconds) are left out, as google-authenticator itself does: a shorter
//! URI is a smaller QR code, and with them it would not fit on a console of 24 rows.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use crate::codes::otp::{Kind, Parameters};
use crate::codes::token::Token;

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
    let defaults = Parameters::default();
    if parameters.algorithm != defaults.algorithm {
        let _ = write!(uri, "&algorithm={}", parameters.algorithm);
    }
    if parameters.digits != defaults.digits {
        let _ = write!(uri, "&digits={}", parameters.digits.count());
    }
    let _ = match parameters.kind {
        kind if kind == defaults.kind => Ok(()),
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
    use crate::codes::otp::{Algorithm, Digits, Period, Progress, Step};
    use crate::codes::secret::Secret;
    use crate::codes::token::{Label, Serial};
    use crate::host::clock::UnixTime;

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
    fn defaults_are_left_out_and_names_are_encoded() {
        let token = token(Parameters::default(), Progress::default());
        assert_eq!(
            uri(&token, "Exämple & Co", "alice@host").as_str(),
            "otpauth://totp/Ex%C3%A4mple%20%26%20Co:alice@host?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\
             &issuer=Ex%C3%A4mple%20%26%20Co"
        );
    }

    #[test]
    fn whatever_is_no_default_is_written() {
        let uri_of = |parameters| uri(&token(parameters, Progress::default()), "", "alice").to_string();
        let defaults = Parameters::default();
        let sha512 = Parameters { algorithm: Algorithm::Sha512, ..defaults };
        let eight = Parameters { digits: Digits::new(8).unwrap(), ..defaults };
        let minute = Parameters { kind: Kind::Totp(Period::new(60).unwrap()), ..defaults };
        for (parameters, end) in [(sha512, "&algorithm=SHA512"), (eight, "&digits=8"), (minute, "&period=60")] {
            let uri = uri_of(parameters);
            assert_eq!(uri, format!("otpauth://totp/alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP{end}"));
        }
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
