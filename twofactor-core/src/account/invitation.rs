//! Invitation codes: a secret that a user must know, besides the password, to enroll at the login prompt.
//!
//! Invariants: only a salted digest is stored, with a time after which the code is void; a code enrolls once. Forty
//! bits are little against an attacker who has the file, and a thousand years of guessing at the prompt.

use std::fmt;

use zeroize::Zeroizing;

use crate::codes::digest::Digest;
use crate::codes::recovery::Salt;
use crate::codes::secret::{self, SecretError};
use crate::host::clock::UnixTime;

/// Characters of a code.
const LENGTH: usize = 8;
/// No 0, 1, I and O, which look alike.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// An invitation code that was typed or just made. Debug does not show it.
pub struct InvitationCode(Zeroizing<String>);

impl InvitationCode {
    /// A new code, uniform over all 2^40.
    pub fn generate() -> Result<Self, SecretError> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        secret::fill_random(&mut *bytes)?;
        let letters = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
        Ok(Self(Zeroizing::new(letters.map(|letter| char::from(*letter)).collect())))
    }

    /// Reads a typed code, in any case, with or without the hyphen; `None` when it cannot be a code.
    pub fn parse(typed: &[u8]) -> Option<Self> {
        let mut code = Zeroizing::new(String::with_capacity(LENGTH));
        for byte in typed {
            match byte.to_ascii_uppercase() {
                b' ' | b'-' | b'\t' | b'\r' | b'\n' => {}
                letter if ALPHABET.contains(&letter) && code.len() < LENGTH => code.push(char::from(letter)),
                _ => return None,
            }
        }
        (code.len() == LENGTH).then_some(Self(code))
    }

    /// The code as it is shown: `4QX7-9M2P`.
    pub fn expose_grouped(&self) -> Zeroizing<String> {
        let (first, second) = self.0.split_at_checked(LENGTH / 2).unwrap_or((&self.0, ""));
        Zeroizing::new(format!("{first}-{second}"))
    }

    /// The letters, for hashing.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for InvitationCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InvitationCode")
    }
}

/// An invitation as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation {
    /// Makes the digest incomparable with others.
    pub salt: Salt,
    /// The code's digest.
    pub digest: Digest,
    /// From then on it is void.
    pub until: UnixTime,
}

impl Invitation {
    /// The stored form of a code.
    pub fn of(code: &InvitationCode, until: UnixTime) -> Result<Self, SecretError> {
        let salt = Salt::generate()?;
        Ok(Self { salt, digest: digest(salt, code), until })
    }

    /// True when `code` is the invited user's, in time.
    pub fn admits(&self, code: &InvitationCode, now: UnixTime) -> bool {
        let right = digest(self.salt, code) == self.digest;
        right && now < self.until
    }

    /// Until when it admits its code; `None` once it has expired.
    pub fn open_until(&self, now: UnixTime) -> Option<UnixTime> {
        Some(self.until).filter(|until| now < *until)
    }
}

fn digest(salt: Salt, code: &InvitationCode) -> Digest {
    Digest::of("invitation", &[salt.expose(), code.expose().as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    #[test]
    fn a_code_has_forty_bits_and_is_read_as_people_type_it() {
        let code = InvitationCode::generate().unwrap();
        let shown = code.expose_grouped();
        assert_eq!(shown.len(), 9);
        for typed in [shown.to_lowercase(), shown.replace('-', " "), format!(" {}\r\n", *shown)] {
            assert_eq!(InvitationCode::parse(typed.as_bytes()).unwrap().expose(), code.expose());
        }
        for typed in ["", "4QX79M2", "4QX79M2PP", "4QX7-9M2O", "４QX79M2P", "pass word"] {
            assert!(InvitationCode::parse(typed.as_bytes()).is_none(), "{typed:?}");
        }
    }

    #[test]
    fn an_invitation_admits_its_code_until_it_expires() {
        let code = InvitationCode::generate().unwrap();
        let invitation = Invitation::of(&code, NOW.after(Duration::from_hours(24))).unwrap();
        assert!(invitation.admits(&code, NOW));
        assert!(!invitation.admits(&code, NOW.after(Duration::from_hours(24))));
        assert!(!invitation.admits(&InvitationCode::generate().unwrap(), NOW));
        let until = NOW.after(Duration::from_hours(24));
        assert_eq!((invitation.open_until(NOW), invitation.open_until(until)), (Some(until), None));
        assert!(!format!("{invitation:?}{code:?}").contains(code.expose()));
    }
}
