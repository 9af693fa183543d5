//! A public key file, as ssh-keygen writes it: one line with type, blob and comment.

use thiserror::Error;

use super::key::SshKey;
use super::kind::KeyType;

/// The largest file that is read, in bytes.
const LARGEST: usize = 64 * 1024;

/// A key with the comment beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The key.
    pub key: SshKey,
    /// The comment; empty without one.
    pub comment: String,
}

/// The reason for which a text is no public half of a security key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PublicKeyError {
    /// It holds no line of a key.
    #[error("this is no public key of ssh: a line of type, key and comment is expected")]
    NoKey,
    /// It holds a private key, which nothing but ssh needs.
    #[error("this is a private key: the public one is in the file beside it that ends in .pub")]
    Private,
    /// It holds several keys.
    #[error("there are several keys in it: enroll them one by one")]
    Several,
    /// It holds a certificate.
    #[error("this is a certificate: enroll the key that it is about")]
    Certificate,
    /// It holds a key that needs no authenticator.
    #[error("a key of type {0:?} is kept by no security key: ssh-keygen makes one with -t ed25519-sk or -t ecdsa-sk")]
    NoSecurityKey(String),
    /// The type is one of a security key, and the key is not.
    #[error("the key is damaged, or not of the type before it")]
    Damaged,
}

impl PublicKey {
    /// Reads a file's text.
    pub fn read(text: &str) -> Result<Self, PublicKeyError> {
        if text.len() > LARGEST {
            return Err(PublicKeyError::NoKey);
        }
        if text.contains("-----BEGIN ") {
            return Err(PublicKeyError::Private);
        }
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let line = lines.next().ok_or(PublicKeyError::NoKey)?;
        if lines.next().is_some() {
            return Err(PublicKeyError::Several);
        }
        let (word, rest) = line.split_once([' ', '\t']).ok_or(PublicKeyError::NoKey)?;
        let rest = rest.trim_start();
        let (base64, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        if KeyType::of_certificate_word(word).is_some() {
            return Err(PublicKeyError::Certificate);
        }
        if KeyType::of_word(word).is_none() {
            // Every blob begins with the length of its type's name, whose first two bytes are zero.
            let is_a_key = base64.starts_with("AAAA") && is_type(word);
            return Err(if is_a_key { PublicKeyError::NoSecurityKey(word.to_owned()) } else { PublicKeyError::NoKey });
        }
        let key = SshKey::parse(word, base64).ok_or(PublicKeyError::Damaged)?;
        Ok(Self { key, comment: comment.trim().to_owned() })
    }
}

/// True for the shape of a type's word, so that an error repeats nothing else.
fn is_type(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'@' | b'.' | b'_');
    word.len() <= 64 && word.bytes().all(plain)
}
