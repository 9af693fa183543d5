//! Refusals about ssh keys: exit codes and ways out.

use thiserror::Error;
use twofactor_admin::attestation::{MakersError, NotAttested};
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
        | SshKeyError::CountsNowhere
        | SshKeyError::LastCredential(_) => ExitStatus::Refused,
        SshKeyError::Entropy(_) => ExitStatus::Failed,
        SshKeyError::Store(error) => of_store(error),
    }
}

/// The user whose keys a command changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyOwner {
    /// Root names that user.
    Named,
    /// The user who runs the command.
    Oneself,
}

pub(super) fn hint(error: &SshKeyError, owner: KeyOwner) -> Option<String> {
    match error {
        SshKeyError::NoKey(..) | SshKeyError::TooMany(_) | SshKeyError::AlreadyEnrolled(..)
            if owner == KeyOwner::Oneself =>
        {
            Some("see: twofactor self ssh-key list".to_owned())
        }
        SshKeyError::NoKey(user, _) | SshKeyError::TooMany(user) | SshKeyError::AlreadyEnrolled(user, _) => {
            Some(format!("see: twofactor ssh-key list {}", quoted(user.as_str())))
        }
        SshKeyError::CountsNowhere if owner == KeyOwner::Oneself => {
            Some("an app or a token counts on all hosts: twofactor self status".to_owned())
        }
        SshKeyError::CountsNowhere => {
            Some("an app or a token counts on all hosts: twofactor enroll USER, twofactor token assign".to_owned())
        }
        SshKeyError::Ambiguous { .. } => Some("name the one by its fingerprint".to_owned()),
        SshKeyError::LastCredential(_) if owner == KeyOwner::Oneself => {
            let more = "enroll another first that counts wherever this one does: \"twofactor self ssh-key add\" or, where apps \
                        count, \"twofactor self replace\"; \"twofactor self reset\" forgets all";
            Some(more.to_owned())
        }
        SshKeyError::LastCredential(user) => {
            let enroll = format!("twofactor enroll {}", quoted(user.as_str()));
            Some(format!("--force takes it all the same; \"{enroll}\" gives another first"))
        }
        SshKeyError::Store(error) => Some(error.hint()),
        SshKeyError::Entropy(_) => None,
    }
}

/// The reason for which a file about a key is refused.
#[derive(Debug, Error)]
pub(crate) enum KeyFileError {
    #[error(transparent)]
    PublicKey(#[from] PublicKeyError),
    #[error(transparent)]
    Attestation(#[from] NotAttested),
    #[error(transparent)]
    Makers(#[from] MakersError),
}

pub(super) fn hint_for_file(error: &KeyFileError) -> Option<String> {
    let hint = match error {
        KeyFileError::PublicKey(PublicKeyError::NoSecurityKey(_)) => "users with such a key are asked for a code",
        KeyFileError::PublicKey(_) => return None,
        KeyFileError::Attestation(NotAttested::NoCertificate) => {
            "this security key gives none: without --attestation it is enrolled as not attested"
        }
        KeyFileError::Attestation(
            NotAttested::NotOfSecurityKeys
            | NotAttested::PerhapsAuthority
            | NotAttested::Certificate
            | NotAttested::AnotherModel,
        ) => {
            "its maker does not vouch for it as WebAuthn demands: without --attestation it is enrolled as not attested"
        }
        KeyFileError::Attestation(NotAttested::ShortChallenge) => "a challenge: head -c 32 /dev/urandom >challenge",
        KeyFileError::Attestation(NotAttested::Maker(_)) | KeyFileError::Makers(_) => {
            "put the certificates of the makers you trust there, as they publish them"
        }
        KeyFileError::Attestation(_) => {
            "make a new key: ssh-keygen -t ed25519-sk -O challenge=FILE -O write-attestation=FILE"
        }
    };
    Some(hint.to_owned())
}
