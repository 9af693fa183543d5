//! Recovery codes: sixteen digits (53 bits) that open a session once, for users who lost their phone. Those that came along
//! from google-authenticator have eight (27 bits).
//!
//! Invariants: only salted digests are stored; a code is shown when it is made and never again. The codes are
//! digits so that they pass the same normalisation as any other answer, fit a numeric keypad and survive being read
//! out over the telephone. A slow hash would add nothing: the secrets of the same account stand in the same file.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

use crate::codes::digest::Digest;
use crate::codes::secret::{self, SecretError};

/// Digits of a recovery code.
pub const LENGTH: usize = 16;

/// Digits of one that was made by google-authenticator, as people have it on paper.
pub const MOVED_LENGTH: usize = 8;

/// A recovery code that was typed or just made. Debug does not show it.
#[derive(Clone)]
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// Takes exactly sixteen ASCII digits; anything else is not a recovery code.
    pub fn new(digits: Zeroizing<String>) -> Option<Self> {
        has_digits(&digits, LENGTH).then_some(Self(digits))
    }

    /// Takes exactly eight ASCII digits, as a code of another system has them.
    pub fn moved(digits: &str) -> Option<Self> {
        has_digits(digits, MOVED_LENGTH).then(|| Self(Zeroizing::new(digits.to_owned())))
    }

    /// A new code, uniform over all 10^16.
    pub fn generate() -> Result<Self, SecretError> {
        const POSSIBLE: u64 = 10_u64.pow(16);
        loop {
            let mut bytes = [0; 8];
            secret::fill_random(&mut bytes)?;
            // 54 bits: drawing again when the number is too large keeps the distribution uniform.
            let number = u64::from_le_bytes(bytes) >> 10;
            if number < POSSIBLE {
                return Ok(Self(Zeroizing::new(format!("{number:016}"))));
            }
        }
    }

    /// The code as it is shown: `1234-5678-9012-3456`.
    pub fn expose_grouped(&self) -> Zeroizing<String> {
        let mut grouped = Zeroizing::new(String::with_capacity(LENGTH + 3));
        for (position, digit) in self.0.chars().enumerate() {
            if position > 0 && position % 4 == 0 {
                grouped.push('-');
            }
            grouped.push(digit);
        }
        grouped
    }

    /// The digits, for hashing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// True when a text is so many ASCII digits and nothing else.
fn has_digits(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryCode")
    }
}

/// Random bytes that make the digests of one account incomparable with those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 16]);

impl Salt {
    /// For a user without credentials of their own, who only holds physical tokens.
    pub const NONE: Self = Self([0; 16]);

    /// A new salt from the kernel's random generator.
    pub fn generate() -> Result<Self, SecretError> {
        let mut bytes = [0; 16];
        secret::fill_random(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Reads what [`Salt`]'s `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        BASE32_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }

    /// The bytes, for hashing.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The digest of a recovery code, for storing and comparing.
    pub fn digest(&self, code: &RecoveryCode) -> Digest {
        Digest::of("recovery code", &[&self.0, code.expose().as_bytes()])
    }

    /// The digest of a wrong answer, to recognise it when a client sends it again. Not the answer itself: people type
    /// other things than codes at a code prompt.
    pub fn fingerprint(&self, answer: &str) -> Digest {
        Digest::of("wrong answer", &[&self.0, answer.as_bytes()])
    }
}

impl fmt::Display for Salt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&BASE32_NOPAD.encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_code_has_at_least_fifty_bits_and_is_shown_in_groups() {
        assert!((10_f64.powi(i32::try_from(LENGTH).unwrap())).log2() >= 50.0);
        let code = RecoveryCode::generate().unwrap();
        let shown = code.expose_grouped();
        assert_eq!(shown.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4, 4]);
        assert_eq!(shown.replace('-', ""), code.expose());
    }

    #[test]
    fn digests_depend_on_the_salt_and_the_purpose() {
        let code = RecoveryCode::new(Zeroizing::new("1234567890123456".to_owned())).unwrap();
        let (one, other) = (Salt::generate().unwrap(), Salt::generate().unwrap());
        assert_eq!(one.digest(&code), one.digest(&code));
        assert_ne!(one.digest(&code), other.digest(&code));
        assert_ne!(one.digest(&code), one.fingerprint(code.expose()));
    }

    #[test]
    fn salts_are_read_back() {
        let salt = Salt::generate().unwrap();
        assert_eq!(Salt::parse(&salt.to_string()), Some(salt));
    }
}
