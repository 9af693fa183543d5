//! A key, as its blob has it, and its fingerprint.

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD};
use sha2::{Digest as _, Sha256};

use super::blob::{self, Fields};
use super::kind::KeyType;

/// The longest blob of a key, in bytes.
const LONGEST_BLOB: usize = 512;

/// The public half of a security key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKey {
    kind: KeyType,
    blob: Vec<u8>,
}

impl SshKey {
    /// The key of a type word and a blob in base64, as they stand in `authorized_keys`.
    pub fn parse(word: &str, base64: &str) -> Option<Self> {
        Self::of_blob(KeyType::of_word(word)?, &decoded(base64, LONGEST_BLOB)?)
    }

    /// The key with this blob.
    pub(super) fn of_blob(kind: KeyType, blob: &[u8]) -> Option<Self> {
        let mut fields = Fields::of(blob);
        if fields.string()? != kind.word().as_bytes() {
            return None;
        }
        fields.key(kind)?;
        (fields.are_over() && blob.len() <= LONGEST_BLOB).then(|| Self { kind, blob: blob.to_vec() })
    }

    /// The key that a certificate is about. The certificate's nonce stands between its type and the fields of the key, and
    /// its own fields follow (openssh, PROTOCOL.certkeys).
    pub(super) fn of_certificate(kind: KeyType, certificate: &[u8]) -> Option<Self> {
        let mut fields = Fields::of(certificate);
        if fields.string()? != kind.certificate_word().as_bytes() {
            return None;
        }
        let _nonce = fields.string()?;
        let key = fields.key(kind)?;
        fields.rest_of_certificate()?;
        let mut plain = Vec::with_capacity(LONGEST_BLOB);
        blob::push_string(&mut plain, kind.word().as_bytes());
        plain.extend_from_slice(key);
        Self::of_blob(kind, &plain)
    }

    /// Its type.
    pub fn kind(&self) -> KeyType {
        self.kind
    }

    /// Its blob in base64, as in `authorized_keys`.
    pub fn base64(&self) -> String {
        BASE64.encode(&self.blob)
    }

    /// The 32 bytes of an Ed25519 key, or the point of P-256 that is not compressed; and the application it was made for.
    pub fn public(&self) -> (&[u8], &[u8]) {
        let mut fields = Fields::of(&self.blob);
        let _type = fields.string();
        if self.kind == KeyType::Ecdsa {
            let _curve = fields.string();
        }
        (fields.string().unwrap_or_default(), fields.string().unwrap_or_default())
    }

    /// Its fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(format!("SHA256:{}", BASE64_NOPAD.encode(&Sha256::digest(&self.blob))))
    }
}

/// The name of a key, as ssh-keygen and sshd's log write it: `SHA256:` and 43 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Reads a fingerprint as text.
    pub fn parse(text: &str) -> Option<Self> {
        let digest = BASE64_NOPAD.decode(text.strip_prefix("SHA256:")?.as_bytes()).ok()?;
        (digest.len() == Sha256::output_size()).then(|| Self(text.to_owned()))
    }

    /// The fingerprint as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The bytes of a word of base64; `None` where it is none or stands for more than `longest`.
pub(super) fn decoded(base64: &str, longest: usize) -> Option<Vec<u8>> {
    (base64.len() <= longest.div_ceil(3) * 4).then(|| BASE64.decode(base64.as_bytes()).ok())?
}
