//! The reasons for which an attestation is refused.

use thiserror::Error;

/// The largest attestation, in bytes.
pub const LARGEST: usize = 64 * 1024;

/// The shortest challenge, in bytes, that cannot be foreseen.
pub const SHORTEST_CHALLENGE: usize = 16;

/// The reason for which a key is not taken for one of a maker's.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum NotAttested {
    /// The file is something else.
    #[error("this is no attestation that ssh-keygen has written")]
    Form,
    /// It is one of the first form, in which what was signed is not whole.
    #[error("this attestation is of a form before OpenSSH 8.4, and cannot be checked")]
    OldForm,
    /// The challenge can be foreseen.
    #[error("the challenge has less than {SHORTEST_CHALLENGE} bytes")]
    ShortChallenge,
    /// The security key has signed with the new key alone, as a key in software can.
    #[error("there is no maker's certificate in it")]
    NoCertificate,
    /// It is about another key.
    #[error("it is about another key")]
    AnotherKey,
    /// The security key was not touched.
    #[error("the security key was not touched when it made the key")]
    NotTouched,
    /// The subject of the maker's certificate names no unit "Authenticator Attestation".
    #[error(
        "the certificate in it is not one of security keys: its subject has no OU \"Authenticator Attestation\" alone"
    )]
    NotOfSecurityKeys,
    /// The maker's certificate may be an authority's.
    #[error("the certificate in it may be an authority's: its basicConstraints do not say CA:FALSE")]
    PerhapsAuthority,
    /// The maker's certificate cannot be read, or is no longer usual.
    #[error("the certificate in it is not of X.509 version 3, or is damaged")]
    Certificate,
    /// The maker's certificate is for another model.
    #[error("the maker's certificate in it is for another model of security key")]
    AnotherModel,
    /// The signature is wrong: of another challenge, or damaged.
    #[error("the signature is not over this challenge and this key")]
    Signature,
    /// The maker is not trusted, or the certificate is not valid today.
    #[error("its certificate is not of a maker in the folder: {0}")]
    Maker(String),
}
