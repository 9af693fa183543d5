//! The key of a host, and its request for a certificate: the public half, signed by the private one.
//!
//! Invariants: the private half never leaves the host that made it. A request has no place for a name, so what it asks for is a
//! certificate of the name that the server knows.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use thiserror::Error;
use zeroize::Zeroizing;

/// The bytes of a public key: a point of P-256, not compressed.
pub const PUBLIC_BYTES: usize = 65;

/// Bound to each signature, so that none made for something else counts here.
const PURPOSE: &[u8] = b"twofactor: a certificate for this key";

/// No key could be made.
#[derive(Debug, Error)]
#[error("the kernel gave no random bytes")]
pub struct NoKey;

/// A key of ECDSA over P-256.
pub struct HostKey {
    /// The private half, in PKCS #8.
    pub private: Zeroizing<Vec<u8>>,
    /// The request for its certificate.
    pub request: Request,
}

impl HostKey {
    /// A new key.
    pub fn generate() -> Result<Self, NoKey> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| NoKey)?;
        let private = Zeroizing::new(document.as_ref().to_vec());
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &private, &random).map_err(|_| NoKey)?;
        let public = pair.public_key().as_ref().to_vec();
        let signature = pair.sign(&random, &signed(&public)).map_err(|_| NoKey)?.as_ref().to_vec();
        Ok(Self { private, request: Request { public, signature } })
    }
}

/// A request for a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The public key.
    pub public: Vec<u8>,
    /// Its signature over itself.
    pub signature: Vec<u8>,
}

impl Request {
    /// The public key, where the request is signed by its private half.
    pub fn checked(&self) -> Option<&[u8]> {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.public);
        let is_signed = self.public.len() == PUBLIC_BYTES && key.verify(&signed(&self.public), &self.signature).is_ok();
        is_signed.then_some(self.public.as_slice())
    }
}

fn signed(public: &[u8]) -> Vec<u8> {
    [PURPOSE, public].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_only_with_the_signature_of_its_key() {
        let (one, other) = (HostKey::generate().unwrap().request, HostKey::generate().unwrap().request);
        assert_eq!(one.checked(), Some(one.public.as_slice()));
        assert!(Request { public: one.public.clone(), signature: other.signature }.checked().is_none());
        assert!(Request { public: one.public[..64].to_vec(), signature: one.signature.clone() }.checked().is_none());
        assert!(Request { public: one.public, signature: Vec::new() }.checked().is_none());
    }
}
