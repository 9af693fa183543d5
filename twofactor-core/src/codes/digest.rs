//! SHA-256 digests of values we must recognise later but never read back.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// A digest. Compared in constant time.
#[derive(Debug, Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `parts`, different for every `purpose`. All parts but the last have a fixed length.
    pub fn of(purpose: &str, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"twofactor 1 ");
        hash.update(purpose);
        hash.update([0]);
        for part in parts {
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// Its first 64 bits, where a whole digest would be too long a key.
    pub fn prefix(&self) -> u64 {
        let [one, two, three, four, five, six, seven, eight, ..] = self.0;
        u64::from_be_bytes([one, two, three, four, five, six, seven, eight])
    }

    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        BASE32_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

/// Base32, for files.
impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&BASE32_NOPAD.encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_its_purpose_and_is_read_back() {
        let digest = Digest::of("one", &[b"text"]);
        assert_eq!(digest, Digest::of("one", &[b"text"]));
        assert_ne!(digest, Digest::of("other", &[b"text"]));
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse("AAAA"), None);
    }
}
