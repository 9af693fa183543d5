//! The keys that seal what the database keeps.

use zeroize::Zeroizing;

use crate::error::ServerError;

/// The length of a key in bytes.
pub(crate) const BYTES: usize = 32;

/// A key.
pub(crate) struct Key {
    /// Its number, which rises with each new key.
    pub(crate) number: i32,
    /// Its bytes.
    pub(crate) secret: Zeroizing<[u8; BYTES]>,
}

impl Key {
    pub(crate) fn random(number: i32) -> Result<Self, ServerError> {
        let mut secret = Zeroizing::new([0; BYTES]);
        getrandom::fill(secret.as_mut_slice()).map_err(|_| ServerError::NoRandomness)?;
        Ok(Self { number, secret })
    }
}

/// The keys of a server. One seals, and all of them open.
///
/// Invariants: there is at least one; their numbers rise; the one that seals is among them.
pub struct Keys {
    pub(crate) all: Vec<Key>,
    pub(crate) sealing: i32,
}

impl Keys {
    /// These keys, oldest first. `None` where the invariants do not hold.
    pub(crate) fn new(all: Vec<Key>, sealing: i32) -> Option<Self> {
        let rises = all.windows(2).all(|pair| matches!(pair, [one, next] if one.number < next.number));
        let seals = all.iter().any(|key| key.number == sealing);
        (rises && seals).then_some(Self { all, sealing })
    }

    /// A first key.
    pub(crate) fn first() -> Result<Self, ServerError> {
        Ok(Self { all: vec![Key::random(1)?], sealing: 1 })
    }

    /// The numbers of the keys, oldest first.
    pub fn numbers(&self) -> Vec<i32> {
        self.all.iter().map(|key| key.number).collect()
    }

    /// The number of the key that seals.
    pub fn sealing(&self) -> i32 {
        self.sealing
    }

    pub(crate) fn find(&self, number: i32) -> Result<&Key, ServerError> {
        self.all.iter().find(|key| key.number == number).ok_or(ServerError::UnknownKey(number))
    }
}

/// Numbers alone.
impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Keys").field("all", &self.numbers()).field("sealing", &self.sealing).finish()
    }
}
