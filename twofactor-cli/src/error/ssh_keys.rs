//! Refusals about ssh keys: exit codes and ways out.

use twofactor_core::codes::ssh_key::PublicKeyError;
use twofactor_core::host::shell::quoted;
use twofactor_core::store::administration::SshKeyError;

use super::status::{ExitStatus, of_store};

pub(super) fn status(error: &SshKeyError) -> ExitStatus {
    match error {
        SshKeyError::NoKey(..) => ExitStatus::NotThere,
        SshKeyError::AlreadyEnrolled(..)
        | SshKeyError::TooMany(_)
        | SshKeyError::Ambiguous { .. }
        | SshKeyError::LastCredential(_) => ExitStatus::Refused,
        SshKeyError::Entropy(_) => ExitStatus::Failed,
        SshKeyError::Store(error) => of_store(error),
    }
}

pub(super) fn hint(error: &SshKeyError) -> Option<String> {
    match error {
        SshKeyError::NoKey(user, _) | SshKeyError::TooMany(user) => {
            Some(format!("see: twofactor ssh-key list {}", quoted(user.as_str())))
        }
        SshKeyError::Ambiguous { .. } => Some("name the one by its fingerprint".to_owned()),
        SshKeyError::LastCredential(user) => {
            let enroll = format!("twofactor enroll {}", quoted(user.as_str()));
            Some(format!("--force takes it all the same; \"{enroll}\" gives another first"))
        }
        SshKeyError::Store(error) => Some(error.hint()),
        SshKeyError::AlreadyEnrolled(..) | SshKeyError::Entropy(_) => None,
    }
}

pub(super) fn hint_for_file(error: &PublicKeyError) -> Option<String> {
    match error {
        PublicKeyError::NoSecurityKey(_) => Some("users with such a key are asked for a code".to_owned()),
        PublicKeyError::NoKey
        | PublicKeyError::Private
        | PublicKeyError::Several
        | PublicKeyError::Certificate
        | PublicKeyError::Damaged => None,
    }
}
