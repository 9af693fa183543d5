//! Codes: as they are typed, and as a secret shows them.

use super::parameters::{Algorithm, Digits, Parameters};
use crate::codes::secret::Secret;
use std::fmt;
use zeroize::Zeroizing;

/// Six to eight typed ASCII digits. Debug does not show them.
#[derive(Clone)]
pub struct Code(Zeroizing<String>);

impl Code {
    /// Takes exactly 6, 7 or 8 ASCII digits; anything else is not a code.
    pub fn new(digits: Zeroizing<String>) -> Option<Self> {
        let length_fits = u8::try_from(digits.len()).is_ok_and(|length| Digits::RANGE.contains(&length));
        (length_fits && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(Self(digits))
    }

    /// The digits, for comparing and hashing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Code({} digits)", self.0.len())
    }
}

/// The code of `step`, for tests and for showing the next code of a token we made ourselves.
#[cfg(test)]
pub(crate) fn code_of(secret: &Secret, parameters: Parameters, step: super::step::Step) -> String {
    generator(secret, parameters).generate(step.0).to_string()
}

/// totp-rs with a step duration of one second, so that its "time" is our step, for TOTP and HOTP alike.
///
/// Our own types hold only what RFC 4226 allows, so the unchecked constructor cannot see anything it would panic on;
/// the checked one would refuse the 80-bit secrets that older apps were given.
pub(super) fn generator(secret: &Secret, parameters: Parameters) -> totp_rs::Totp {
    let algorithm = match parameters.algorithm {
        Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
        Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
        Algorithm::Sha512 => totp_rs::Algorithm::SHA512,
    };
    totp_rs::Builder::new()
        .with_algorithm(algorithm)
        .with_digits(parameters.digits.count())
        .with_skew(0)
        .with_step_duration(1)
        .with_secret(secret.expose())
        .build_noncompliant()
}
