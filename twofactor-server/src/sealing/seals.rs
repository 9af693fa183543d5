//! Seals what the database keeps: XChaCha20-Poly1305 with a key of the servers.
//!
//! Invariants: what is sealed for one place opens in no other, because store, owner, kind and key are bound to it. A nonce is
//! random, of 24 bytes. Plain text is wiped.

use std::sync::{Arc, PoisonError, RwLock};

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::ServerError;
use crate::sealing::keys::{BYTES, Key, Keys};

/// The version of the sealed form.
const FORM: u8 = 1;

const NONCE: usize = 24;

/// The kind of a sealed record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What a user has.
    Credentials,
    /// How far it is used.
    State,
    /// An answer that may be asked for again.
    Answer,
    /// The secret of keyed digests.
    DigestSecret,
    /// The secret and the parameters of a physical token.
    Token,
    /// How far former owners used it.
    TokenUse,
    /// How far the seed of a deleted token was used.
    Burned,
    /// The key that signs the certificates of hosts and servers, with its own certificate.
    Authority,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::State => "state",
            Self::Answer => "answer",
            Self::DigestSecret => "digest secret",
            Self::Token => "token",
            Self::TokenUse => "token use",
            Self::Burned => "burned",
            Self::Authority => "authority",
        }
    }
}

/// A sealed record, with the number of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The key.
    pub(crate) key: i32,
    /// Nonce, ciphertext and tag.
    pub(crate) bytes: Vec<u8>,
}

/// The keys of one store, and its secret of digests, which outlasts each of them.
pub(crate) struct Seals {
    store: String,
    keys: RwLock<Arc<Keys>>,
    digest_secret: Zeroizing<[u8; BYTES]>,
}

impl Seals {
    /// The seals of a store whose secret of digests is not known yet: none is made with them.
    pub(crate) fn new(store: String, keys: Keys) -> Self {
        Self { store, keys: RwLock::new(Arc::new(keys)), digest_secret: Zeroizing::new([0; BYTES]) }
    }

    /// The same with a secret of digests.
    pub(crate) fn with_digest_secret(self, secret: &[u8]) -> Result<Self, ServerError> {
        let digest_secret = secret.try_into().map_err(|_| ServerError::BrokenSeal(self.store.clone()))?;
        Ok(Self { digest_secret: Zeroizing::new(digest_secret), ..self })
    }

    /// The keys as they are now.
    pub(crate) fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes other keys from now on.
    pub(crate) fn renew(&self, keys: Keys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// The name of the store.
    pub(crate) fn store(&self) -> &str {
        &self.store
    }

    /// Seals a record of `owner`.
    pub(crate) fn seal(&self, kind: Kind, owner: &str, plain: &[u8]) -> Result<Sealed, ServerError> {
        let keys = self.keys();
        let key = keys.find(keys.sealing)?;
        let nonce = random_nonce()?;
        let aad = self.place(kind, owner, key.number);
        let payload = Payload { msg: plain, aad: &aad };
        let sealed = cipher(key).encrypt(XNonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|_| ServerError::BrokenSeal(owner.to_owned()))?;
        Ok(Sealed { key: key.number, bytes: [nonce.as_slice(), &sealed].concat() })
    }

    /// A new secret of digests, sealed.
    pub(crate) fn seal_digest_secret(&self) -> Result<Sealed, ServerError> {
        let mut secret = Zeroizing::new([0; BYTES]);
        getrandom::fill(secret.as_mut_slice()).map_err(|_| ServerError::NoRandomness)?;
        self.seal(Kind::DigestSecret, &self.store, secret.as_slice())
    }

    /// Opens a record of `owner`.
    pub(crate) fn open(&self, kind: Kind, owner: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, ServerError> {
        let Sealed { key: number, bytes } = sealed;
        let keys = self.keys();
        let key = keys.find(*number)?;
        let broken = || ServerError::BrokenSeal(owner.to_owned());
        let (nonce, msg) = bytes.split_at_checked(NONCE).ok_or_else(broken)?;
        let aad = self.place(kind, owner, *number);
        let plain = cipher(key).decrypt(XNonce::from_slice(nonce), Payload { msg, aad: &aad });
        plain.map(Zeroizing::new).map_err(|_| broken())
    }

    /// The same as text.
    pub(crate) fn open_text(&self, kind: Kind, owner: &str, sealed: &Sealed) -> Result<Zeroizing<String>, ServerError> {
        let mut bytes = self.open(kind, owner, sealed)?;
        let text = String::from_utf8(std::mem::take(&mut *bytes));
        text.map(Zeroizing::new).map_err(|_| ServerError::BrokenSeal(owner.to_owned()))
    }

    /// The digest under which the answer to a question of `host` is kept. Without the key a question, which holds a code, cannot be
    /// guessed from it.
    pub(crate) fn digest_of(&self, host: &str, question: &[u8]) -> Result<Vec<u8>, ServerError> {
        self.digest(&[b"question".as_slice(), host.as_bytes(), question])
    }

    /// The keyed digest of these parts; the first says what it is for. It is the same under every key.
    pub(crate) fn digest(&self, parts: &[&[u8]]) -> Result<Vec<u8>, ServerError> {
        let mut mac = mac(self.digest_secret.as_slice())?;
        for part in [self.store.as_bytes()].iter().chain(parts) {
            mac.update(&length(part));
            mac.update(part);
        }
        Ok(mac.finalize().into_bytes().to_vec())
    }

    /// All that is bound to a record, each with its length before it.
    fn place(&self, kind: Kind, owner: &str, key: i32) -> Vec<u8> {
        let parts = [b"twofactor".as_slice(), &[FORM], self.store.as_bytes(), kind.word().as_bytes(), owner.as_bytes()];
        let bound = parts.iter().flat_map(|part| [length(part).to_vec(), part.to_vec()].concat());
        bound.chain(key.to_be_bytes()).collect()
    }
}

fn length(part: &[u8]) -> [u8; 8] {
    u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes()
}

fn random_nonce() -> Result<[u8; NONCE], ServerError> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|_| ServerError::NoRandomness)?;
    Ok(nonce)
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&*key.secret).into())
}

fn mac(key: &[u8]) -> Result<Hmac<Sha256>, ServerError> {
    <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).map_err(|_| ServerError::UnknownKey(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(numbers: &[i32], sealing: i32) -> Keys {
        let key = |number: &i32| Key { number: *number, secret: Zeroizing::new([u8::try_from(*number).unwrap(); 32]) };
        Keys::new(numbers.iter().map(key).collect(), sealing).unwrap()
    }

    fn seals(store: &str, numbers: &[i32], sealing: i32) -> Seals {
        Seals::new(store.to_owned(), keys(numbers, sealing)).with_digest_secret(&[7; 32]).unwrap()
    }

    #[test]
    fn what_is_sealed_for_one_place_opens_in_no_other() {
        let ours = seals("store", &[1], 1);
        let sealed = ours.seal(Kind::Credentials, "alice", b"a seed").unwrap();
        assert_eq!(ours.open(Kind::Credentials, "alice", &sealed).unwrap().as_slice(), b"a seed");
        assert!(ours.open(Kind::Credentials, "bob", &sealed).is_err());
        assert!(ours.open(Kind::State, "alice", &sealed).is_err());
        assert!(seals("another", &[1], 1).open(Kind::Credentials, "alice", &sealed).is_err());
        for place in 0..sealed.bytes.len() {
            let mut bytes = sealed.bytes.clone();
            bytes[place] ^= 1;
            assert!(ours.open(Kind::Credentials, "alice", &Sealed { key: 1, bytes }).is_err(), "byte {place}");
        }
        let cut = Sealed { key: 1, bytes: sealed.bytes[..20].to_vec() };
        assert!(ours.open(Kind::Credentials, "alice", &cut).is_err());
    }

    #[test]
    fn one_key_seals_and_all_of_them_open() {
        let ours = seals("store", &[1], 1);
        let old = ours.seal(Kind::State, "alice", b"old").unwrap();
        let (behind, digest) = (seals("store", &[1], 1), ours.digest_of("web1", b"question").unwrap());
        // The new key is there before it seals.
        ours.renew(keys(&[1, 2], 1));
        assert_eq!(ours.seal(Kind::State, "alice", b"as before").unwrap().key, 1);
        ours.renew(keys(&[1, 2], 2));
        assert_eq!(ours.open(Kind::State, "alice", &old).unwrap().as_slice(), b"old");
        let new = ours.seal(Kind::State, "alice", b"new").unwrap();
        assert_eq!(new.key, 2);
        assert!(matches!(behind.open(Kind::State, "alice", &new), Err(ServerError::UnknownKey(2))));
        // The number of a key that was not used says nothing.
        assert!(ours.open(Kind::State, "alice", &Sealed { key: 1, ..new.clone() }).is_err());
        ours.renew(keys(&[2], 2));
        assert_eq!(ours.open(Kind::State, "alice", &new).unwrap().as_slice(), b"new");
        assert!(matches!(ours.open(Kind::State, "alice", &old), Err(ServerError::UnknownKey(1))));
        assert_eq!(ours.digest_of("web1", b"question").unwrap(), digest, "a question is recognized under every key");
        assert_ne!(digest, ours.digest_of("web", b"1question").unwrap());
    }
}
