//! Administration of the security keys that users log in to ssh with.

use std::fmt::Write as _;

use thiserror::Error;

use super::token_error::LastCredential;
use crate::account::factors::Attestation;
use crate::account::{EnrolledKey, MOST_SSH_KEYS};
use crate::codes::secret::SecretError;
use crate::codes::ssh_key::{Fingerprint, KeyType};
use crate::codes::token::Label;
use crate::host::clock::UnixTime;
use crate::host::user::{Person, UserName};
use crate::store::error::StoreError;

/// Administration of a user's ssh keys; [`AccountStatus`](super::AccountStatus) lists them.
pub trait SshKeyAdministration {
    /// Enrolls a key. The account is made when there is none. A key that the user has without its maker's word, and that comes
    /// with it, is attested from now on.
    fn add_ssh_key(&self, person: &Person, key: EnrolledKey) -> Result<AddedKey, SshKeyError>;

    /// Takes a key, by its fingerprint or its label. The next login with it is asked for a code.
    fn remove_ssh_key(&self, user: &UserName, name: &str, last: LastCredential) -> Result<EnrolledKey, SshKeyError>;
}

/// An enrolled key as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKeyView {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Its type.
    pub kind: KeyType,
    /// The user's name for it.
    pub label: Label,
    /// The time at which it was enrolled.
    pub issued: UnixTime,
    /// Its attestation.
    pub attestation: Attestation,
}

impl SshKeyView {
    /// The view of an enrolled key.
    pub fn of(EnrolledKey { key, label, issued, attestation }: &EnrolledKey) -> Self {
        let (fingerprint, kind, label) = (key.fingerprint(), key.kind(), label.clone());
        Self { fingerprint, kind, label, issued: *issued, attestation: *attestation }
    }

    /// The one of a user's keys that `name` names: by its fingerprint, or by a label that one key alone has. No label is a
    /// fingerprint, because those have a colon.
    pub fn named<'k>(name: &str, user: &UserName, keys: &'k [Self]) -> Result<&'k Self, SshKeyError> {
        if let Some(key) = keys.iter().find(|key| key.fingerprint.as_str() == name) {
            return Ok(key);
        }
        let called: Vec<&Self> = keys.iter().filter(|key| key.label.as_str() == name).collect();
        match called.as_slice() {
            [only] => Ok(only),
            [] => Err(SshKeyError::NoKey(user.clone(), name.to_owned())),
            _ => {
                let keys = called.into_iter().map(|key| key.fingerprint.clone()).collect();
                Err(SshKeyError::Ambiguous { user: user.clone(), label: name.to_owned(), keys })
            }
        }
    }
}

/// The effect of adding a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddedKey {
    /// The user has it from now on.
    New {
        /// The time until which an invitation would have been open that is void now: a user who is enrolled sets up nothing
        /// with one.
        voided: Option<UnixTime>,
    },
    /// The user had it, and from now on it is attested. With the label and the time of its enrollment.
    Attested(EnrolledKey),
}

/// The reason for which a user's ssh keys were not changed.
#[derive(Debug, Error)]
pub enum SshKeyError {
    /// The user has it.
    #[error("{0} already has the ssh key {1}")]
    AlreadyEnrolled(UserName, Fingerprint),
    /// The user has [`MOST_SSH_KEYS`].
    #[error("{0} has {MOST_SSH_KEYS} ssh keys already")]
    TooMany(UserName),
    /// The user has no key of that name.
    #[error("{0} has no ssh key \"{1}\"")]
    NoKey(UserName, String),
    /// Several keys have the label.
    #[error("{user} has several ssh keys \"{label}\":{}", in_words(keys))]
    Ambiguous {
        /// The user.
        user: UserName,
        /// The label.
        label: String,
        /// The keys.
        keys: Vec<Fingerprint>,
    },
    /// The store is that of a fleet, whose servers take no host's word for a key.
    #[error("ssh keys count at no host of a fleet, so none is enrolled")]
    CountsNowhere,
    /// It is the user's last credential.
    #[error("this is the last credential of {0}")]
    LastCredential(UserName),
    /// No salt could be made.
    #[error(transparent)]
    Entropy(#[from] SecretError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn in_words(fingerprints: &[Fingerprint]) -> String {
    fingerprints.iter().fold(String::new(), |mut text, fingerprint| {
        let _ = write!(text, " {fingerprint}");
        text
    })
}
