//! Security keys of ssh: public keys whose private half a FIDO authenticator keeps (openssh, PROTOCOL.u2f).
//!
//! Invariants: a key is its blob, byte for byte, and the blob is whole: the type in it is the type word beside it, and nothing
//! follows its fields. Every size is bounded. Only the two types of security keys are read. Nothing here is secret, so
//! nothing is wiped; that sshd has verified a signature is said by [`auth_info`] alone.

pub mod auth_info;
mod blob;
mod key;
mod kind;
mod public_key;
#[cfg(test)]
pub(crate) mod tests;

pub use blob::Fields;
pub use key::{Fingerprint, SshKey};
pub use kind::KeyType;
pub use public_key::{PublicKey, PublicKeyError};
