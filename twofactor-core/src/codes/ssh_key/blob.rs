//! The fields of a blob: a length of four bytes, the highest first, and as many bytes (RFC 4251 §5).

use super::kind::KeyType;

/// The longest application ("ssh:" and more) that a key is made for, in bytes. ssh-keygen's default has four.
pub(super) const LONGEST_APPLICATION: usize = 255;

/// The fields of a blob that were not read yet.
#[derive(Debug)]
pub struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    /// All fields of a blob.
    pub fn of(blob: &'b [u8]) -> Self {
        Self(blob)
    }

    /// The next field. `None` where the blob ends before the field does.
    pub fn string(&mut self) -> Option<&'b [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        self.0 = rest;
        Some(field)
    }

    /// The fields of a key of this type, which stand behind its type word, as one piece.
    pub(super) fn key(&mut self, kind: KeyType) -> Option<&'b [u8]> {
        let before = self.0;
        let is_whole = match kind {
            KeyType::Ed25519 => self.string()?.len() == 32,
            // A point that is not compressed (SEC 1 §2.3.3), as OpenSSH writes it.
            KeyType::Ecdsa => {
                self.string()? == b"nistp256" && matches!(self.string()?, [4, point @ ..] if point.len() == 64)
            }
        };
        let application = self.string()?;
        let is_bounded = (1..=LONGEST_APPLICATION).contains(&application.len());
        (is_whole && is_bounded).then(|| before.get(..before.len() - self.0.len())).flatten()
    }

    /// The fields of a user's certificate behind those of the key, to its end.
    pub(super) fn rest_of_certificate(&mut self) -> Option<()> {
        const OF_A_USER: [u8; 4] = [0, 0, 0, 1];
        self.skip::<8>()?; // Its serial number.
        if self.skip::<4>()? != OF_A_USER {
            return None;
        }
        let (_id, _principals) = (self.string()?, self.string()?);
        self.skip::<16>()?; // From when and until when it is valid.
        // Critical options, extensions, nothing, the authority's key, its signature.
        for _ in 0..5 {
            self.string()?;
        }
        self.are_over().then_some(())
    }

    /// The next bytes, of a number.
    fn skip<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (number, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*number)
    }

    /// True when nothing follows.
    pub fn are_over(&self) -> bool {
        self.0.is_empty()
    }
}

/// Appends a field.
pub(super) fn push_string(blob: &mut Vec<u8>, field: &[u8]) {
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    blob.extend_from_slice(&length.to_be_bytes());
    blob.extend_from_slice(field);
}
