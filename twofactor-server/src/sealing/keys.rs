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

    /// The same with a new key, which opens and does not seal.
    pub(crate) fn with_another(mut self) -> Result<Self, ServerError> {
        let newest = self.all.last().map_or(0, |key| key.number);
        self.all.push(Key::random(newest.saturating_add(1))?);
        Ok(self)
    }

    /// The same where the newest key seals.
    pub(crate) fn sealing_with_the_newest(self) -> Self {
        let sealing = self.all.last().map_or(self.sealing, |key| key.number);
        Self { sealing, ..self }
    }

    /// The same without these keys. The one that seals stays.
    pub(crate) fn without(mut self, numbers: &[i32]) -> Self {
        self.all.retain(|key| key.number == self.sealing || !numbers.contains(&key.number));
        self
    }

    /// True where these are the same keys, and the same one seals.
    pub(crate) fn are(&self, others: &Self) -> bool {
        let same = |(one, other): (&Key, &Key)| one.number == other.number && *one.secret == *other.secret;
        self.sealing == others.sealing
            && self.all.len() == others.all.len()
            && self.all.iter().zip(&others.all).all(same)
    }

    /// True when a server may go on with these keys after `before`: what it has sealed last can be opened.
    pub(crate) fn can_follow(&self, before: &Self) -> bool {
        let is_kept = |key: &Key| self.find(key.number).is_ok_and(|kept| *kept.secret == *key.secret);
        before.find(before.sealing).is_ok_and(is_kept)
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
