//! Temporary codes: ten digits that the helpdesk gives to a user who has neither phone nor token at hand.
//!
//! Invariants: only a salted digest is stored, with a time after which the code is void; a code opens one session. Ten
//! digits are no length of any other code, so an answer is never taken for the wrong kind.

use std::fmt;

use zeroize::Zeroizing;

use crate::codes::digest::Digest;
use crate::codes::recovery::Salt;
use crate::codes::secret::{self, SecretError};
use crate::host::clock::UnixTime;

/// Digits of a temporary code.
pub const LENGTH: usize = 10;

/// A temporary code that was typed or just made. Debug does not show it.
#[derive(Clone)]
pub struct TemporaryCode(Zeroizing<String>);

impl TemporaryCode {
    /// Takes exactly ten ASCII digits; anything else is not a temporary code.
    pub fn new(digits: Zeroizing<String>) -> Option<Self> {
        (digits.len() == LENGTH && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(Self(digits))
    }

    /// A new code, uniform over all 10^10.
    pub fn generate() -> Result<Self, SecretError> {
        const POSSIBLE: u64 = 10_u64.pow(10);
        loop {
            let mut bytes = [0; 8];
            secret::fill_random(&mut bytes)?;
            // 34 bits: drawing again when the number is too large keeps the distribution uniform.
            let number = u64::from_le_bytes(bytes) >> 30;
            if number < POSSIBLE {
                return Ok(Self(Zeroizing::new(format!("{number:010}"))));
            }
        }
    }

    /// The code as it is shown: `12345-67890`.
    pub fn expose_grouped(&self) -> Zeroizing<String> {
        let (first, second) = self.0.split_at_checked(LENGTH / 2).unwrap_or((&self.0, ""));
        Zeroizing::new(format!("{first}-{second}"))
    }

    /// The digits, for hashing.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TemporaryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TemporaryCode")
    }
}

/// A temporary code as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handout {
    /// Makes the digest incomparable with others.
    pub salt: Salt,
    /// The code's digest.
    pub digest: Digest,
    /// From then on it is void.
    pub until: UnixTime,
    /// True once it has opened a session.
    pub is_used: bool,
}

impl Handout {
    /// The stored form of a code.
    pub fn of(code: &TemporaryCode, until: UnixTime) -> Result<Self, SecretError> {
        let salt = Salt::generate()?;
        Ok(Self { salt, digest: digest(salt, code), until, is_used: false })
    }

    /// True when `code` is this one, in time, used or not.
    pub fn is(&self, code: &TemporaryCode, now: UnixTime) -> bool {
        let right = digest(self.salt, code) == self.digest;
        right && now < self.until
    }

    /// Until when it opens a session; `None` once it has, or has expired.
    pub fn open_until(&self, now: UnixTime) -> Option<UnixTime> {
        Some(self.until).filter(|until| !self.is_used && now < *until)
    }
}

fn digest(salt: Salt, code: &TemporaryCode) -> Digest {
    Digest::of("temporary code", &[salt.expose(), code.expose().as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    #[test]
    fn a_code_has_ten_digits_in_two_groups() {
        let code = TemporaryCode::generate().unwrap();
        let shown = code.expose_grouped();
        assert_eq!(shown.split('-').map(str::len).collect::<Vec<_>>(), [5, 5]);
        assert_eq!(shown.replace('-', ""), code.expose());
        for typed in ["123456789", "12345678901", "12345a7890", ""] {
            assert!(TemporaryCode::new(Zeroizing::new(typed.to_owned())).is_none(), "{typed:?}");
        }
    }

    #[test]
    fn a_handout_is_its_code_until_it_expires_and_open_until_it_is_used() {
        let code = TemporaryCode::generate().unwrap();
        let until = NOW.after(Duration::from_hours(1));
        let handout = Handout::of(&code, until).unwrap();
        assert!(handout.is(&code, NOW) && !handout.is(&code, until));
        assert!(!handout.is(&TemporaryCode::generate().unwrap(), NOW));
        assert_eq!((handout.open_until(NOW), handout.open_until(until)), (Some(until), None));
        let used = Handout { is_used: true, ..handout };
        assert!(used.is(&code, NOW) && used.open_until(NOW).is_none());
        assert!(!format!("{handout:?}{code:?}").contains(code.expose()));
    }
}
