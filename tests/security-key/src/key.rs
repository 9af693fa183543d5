//! Keys, and what they sign: the assertions and attestations of WebAuthn (level 2, §6).

use std::path::Path;

use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};

/// `SSH_SK_ECDSA` and `SSH_SK_ED25519`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    EcdsaP256,
    Ed25519,
}

impl Algorithm {
    pub(crate) fn of(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::EcdsaP256),
            1 => Some(Self::Ed25519),
            _ => None,
        }
    }
}

/// A key, with its PKCS #8 form as its handle.
pub(crate) struct Key {
    pair: Pair,
    handle: Vec<u8>,
}

enum Pair {
    EcdsaP256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// In the authenticator data of a new key: the key is in it.
const KEY_INCLUDED: u8 = 0x40;

impl Key {
    pub(crate) fn generate(algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let document = match algorithm {
            Algorithm::EcdsaP256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
            Algorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random),
        };
        let document = document.expect("a new key");
        Self::of_handle(algorithm, document.as_ref()).expect("a key that was just made")
    }

    /// The key of a handle; `None` when it is no handle of this algorithm.
    pub(crate) fn of_handle(algorithm: Algorithm, handle: &[u8]) -> Option<Self> {
        let pair = match algorithm {
            Algorithm::EcdsaP256 => {
                let fixed = &ECDSA_P256_SHA256_FIXED_SIGNING;
                Pair::EcdsaP256(EcdsaKeyPair::from_pkcs8(fixed, handle, &SystemRandom::new()).ok()?)
            }
            Algorithm::Ed25519 => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(handle).ok()?),
        };
        Some(Self { pair, handle: handle.to_owned() })
    }

    pub(crate) fn handle(&self) -> &[u8] {
        &self.handle
    }

    /// The public key: 0x04 and a point of P-256, or the 32 bytes of Ed25519.
    pub(crate) fn public(&self) -> &[u8] {
        match &self.pair {
            Pair::EcdsaP256(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    /// The signature of a login, in the one or two numbers that OpenSSH wants.
    pub(crate) fn sign(&self, application: &[u8], flags: u8, counter: u32, message: &[u8]) -> [Vec<u8>; 2] {
        let mut signed = digest(&SHA256, application).as_ref().to_vec();
        signed.push(flags);
        signed.extend(counter.to_be_bytes());
        signed.extend(digest(&SHA256, message).as_ref());
        match &self.pair {
            Pair::EcdsaP256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), &signed).expect("a signature");
                let (r, s) = signature.as_ref().split_at(32);
                [r.to_vec(), s.to_vec()]
            }
            Pair::Ed25519(pair) => [pair.sign(&signed).as_ref().to_vec(), Vec::new()],
        }
    }

    /// The authenticator data of a new key, which a security key of this model has made.
    pub(crate) fn authenticator_data(&self, application: &[u8], flags: u8, model: &[u8; 16]) -> Vec<u8> {
        let mut data = digest(&SHA256, application).as_ref().to_vec();
        data.push(flags | KEY_INCLUDED);
        data.extend(0_u32.to_be_bytes());
        data.extend(model);
        data.extend(u16::try_from(self.handle.len()).expect("a short handle").to_be_bytes());
        data.extend(&self.handle);
        data.extend(self.public_in_cose());
        data
    }

    /// The message that a security key of U2F signs for a new key (FIDO U2F Raw Message Formats, section 4.3).
    pub(crate) fn in_u2f(&self, application: &[u8], challenge: &[u8]) -> Vec<u8> {
        let [application, challenge] = [application, challenge].map(|text| digest(&SHA256, text));
        [&[0], application.as_ref(), challenge.as_ref(), &self.handle, self.public()].concat()
    }

    /// The message that one of FIDO2 signs.
    pub(crate) fn packed(authenticator_data: &[u8], challenge: &[u8]) -> Vec<u8> {
        [authenticator_data, digest(&SHA256, challenge).as_ref()].concat()
    }

    /// The public key as a COSE map (RFC 9053, section 7).
    fn public_in_cose(&self) -> Vec<u8> {
        match &self.pair {
            // 1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y.
            Pair::EcdsaP256(_) => {
                let (x, y) = self.public()[1..].split_at(32);
                [&[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 32], x, &[0x22, 0x58, 32], y].concat()
            }
            // 1: 1 (OKP), 3: -8 (EdDSA), -1: 6 (Ed25519), -2: x.
            Pair::Ed25519(_) => [&[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 32], self.public()].concat(),
        }
    }
}

/// The signature of a vendor, whose key is in the file.
pub(crate) fn attest(file: &Path, message: &[u8]) -> Vec<u8> {
    let (document, random) = (std::fs::read(file).expect("the vendor's key"), SystemRandom::new());
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &document, &random).expect("a key of P-256");
    pair.sign(&random, message).expect("a signature").as_ref().to_vec()
}

/// A string of bytes in CBOR, which is how libfido2 gives authenticator data.
pub(crate) fn in_cbor(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a short string").to_be_bytes();
    [&[0x59][..], &length, content].concat()
}
