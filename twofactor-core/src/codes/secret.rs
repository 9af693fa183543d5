//! The shared secret of a token, and randomness.
//!
//! Invariants: the bytes are wiped when the value is dropped; there is no `Clone`, no serialization and no
//! `Debug` of the content. Every [`Secret::expose`] is a place to review.

use std::fmt;

use data_encoding::{Encoding, Specification};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::host::random;

/// Shortest secret we accept, in bytes: 80 bits, what old Google Authenticator secrets have.
pub const SHORTEST: usize = 10;
/// Longest secret we accept, in bytes: the block size of SHA-512, which HMAC takes as it is. With SHA-1 and SHA-256 it hashes
/// what is longer than 64 bytes.
pub const LONGEST: usize = 128;

/// The secret a token shares with us (RFC 4226 §4, the key K). A copy is wiped as the original is: a store that has to write an
/// account again after a conflict needs one.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why a text or a byte string is not a secret. Never says what the text was.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SecretError {
    /// A character outside the base32 alphabet.
    #[error("the secret is not base32 (letters A-Z and digits 2-7)")]
    NotBase32,
    /// Fewer than [`SHORTEST`] or more than [`LONGEST`] bytes.
    #[error("the secret has {0} bytes; {SHORTEST} to {LONGEST} are accepted")]
    Length(usize),
    /// The kernel gave no random bytes.
    #[error("the kernel gave no random bytes")]
    NoEntropy,
}

impl Secret {
    /// A new secret of `length` bytes from the kernel's random generator.
    pub fn generate(length: usize) -> Result<Self, SecretError> {
        let mut bytes = Zeroizing::new(vec![0; length]);
        fill_random(&mut bytes)?;
        Self::from_bytes(bytes)
    }

    /// A secret of [`SHORTEST`]..=[`LONGEST`] bytes.
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Result<Self, SecretError> {
        if (SHORTEST..=LONGEST).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(SecretError::Length(bytes.len()))
        }
    }

    /// Reads base32 as people type and vendors print it: any case, with spaces, hyphens or padding.
    pub fn from_base32(text: &str) -> Result<Self, SecretError> {
        let bytes = tolerant_base32().decode(text.trim().as_bytes()).map_err(|_| SecretError::NotBase32)?;
        Self::from_bytes(Zeroizing::new(bytes))
    }

    /// The bytes, for computing a code or writing the secret file.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes that make a difference: see [`significant`].
    pub(crate) fn significant(&self) -> &[u8] {
        significant(&self.0)
    }

    /// The secret in base32 without padding, as authenticator apps take it.
    pub fn expose_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(data_encoding::BASE32_NOPAD.encode(&self.0))
    }

    /// The secret in base32, in groups of four, for typing it off a screen.
    pub fn expose_grouped(&self) -> Zeroizing<String> {
        let text = self.expose_base32();
        let mut grouped = Zeroizing::new(String::with_capacity(text.len() * 5 / 4 + 1));
        for (position, character) in text.chars().enumerate() {
            if position > 0 && position % 4 == 0 {
                grouped.push(' ');
            }
            grouped.push(character);
        }
        grouped
    }

    /// The length in bits.
    pub fn bits(&self) -> usize {
        self.0.len() * 8
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secret({} bits)", self.bits())
    }
}

/// The bytes of a key that make a difference: HMAC fills a key up with zeros (RFC 2104 §2), so two keys that differ in zeros
/// at their end show the same codes.
pub(crate) fn significant(key: &[u8]) -> &[u8] {
    let end = key.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    key.get(..end).unwrap_or(key)
}

/// Fills `buffer` from the kernel's random generator.
pub fn fill_random(buffer: &mut [u8]) -> Result<(), SecretError> {
    random::fill(buffer).map_err(|random::NoEntropy| SecretError::NoEntropy)
}

fn tolerant_base32() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
    specification.translate.from.push_str("abcdefghijklmnopqrstuvwxyz");
    specification.translate.to.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    specification.ignore.push_str(" -=\t");
    specification.check_trailing_bits = false;
    // The specification is a constant and valid; the fallback is the strict alphabet, never a panic in sshd.
    specification.encoding().unwrap_or(data_encoding::BASE32_NOPAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_read_as_people_type_it() {
        let strict = Secret::from_base32("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP").unwrap();
        let typed = Secret::from_base32(" jbsw-y3dp ehpk 3pxp jbsw y3dp ehpk 3pxp== ").unwrap();
        assert_eq!(strict.expose(), typed.expose());
        assert_eq!(typed.expose_grouped().as_str(), "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP");
    }

    #[test]
    fn what_is_not_a_secret_is_refused_without_repeating_it() {
        assert_eq!(Secret::from_base32("JBSWY3DP0000").unwrap_err(), SecretError::NotBase32);
        assert_eq!(Secret::from_base32("JBSWY3DP").unwrap_err(), SecretError::Length(5));
        assert_eq!(Secret::generate(LONGEST + 1).unwrap_err(), SecretError::Length(LONGEST + 1));
    }

    #[test]
    fn debug_shows_the_size_and_nothing_else() {
        let secret = Secret::from_base32("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(160 bits)");
    }
}
