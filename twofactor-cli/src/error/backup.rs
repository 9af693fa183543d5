//! Failures of `backup` and `restore`.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use twofactor_admin::backup::StreamError;
use twofactor_core::store::administration::RestoreError;

use super::status::ExitStatus;

/// The reason for which no backup was written, or nothing restored.
#[derive(Debug, Error)]
pub(crate) enum BackupFailure {
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    #[error("{} is not a regular file, and is not replaced", .0.display())]
    NotAFile(PathBuf),
    #[error("another backup is being written to {}", .0.display())]
    Busy(PathBuf),
    #[error("\"{}\" is no recipient of age", .0.escape_debug())]
    BadRecipient(String),
    #[error("no recipient was named")]
    NoRecipient,
    #[error("that is no passphrase")]
    NoPassphrase,
    #[error("the two passphrases differ; nothing was written")]
    PassphrasesDiffer,
    #[error("{} holds no identity of age", .0.display())]
    BadIdentity(PathBuf),
    #[error("{}: none of the identities opens it", .0.display())]
    NoMatchingKey(PathBuf),
    #[error("{}: this passphrase does not open it", .0.display())]
    WrongPassphrase(PathBuf),
    #[error("{} was encrypted with a passphrase", .0.display())]
    NeedsPassphrase(PathBuf),
    #[error("{} was encrypted for recipients", .0.display())]
    NeedsIdentity(PathBuf),
    #[error("{}: its passphrase asks for more memory than is given", .0.display())]
    TooMuchWork(PathBuf),
    #[error("{} is no file of age, or it is damaged", .0.display())]
    NotAge(PathBuf),
    #[error("{}: {}; nothing was changed", path.display(), in_words(error))]
    Stream { path: PathBuf, error: StreamError },
    #[error("{0}; nothing was changed")]
    Restore(RestoreError),
}

/// True when an error of reading says that the file is not what was written.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
}

fn in_words(error: &StreamError) -> String {
    match error {
        StreamError::Input(error) if is_damage(error) => "it is damaged or cut off".to_owned(),
        other => other.to_string(),
    }
}

impl BackupFailure {
    pub(super) fn status(&self) -> ExitStatus {
        match self {
            Self::BadRecipient(_) | Self::NoRecipient => ExitStatus::Usage,
            Self::Exists(_)
            | Self::NotAFile(_)
            | Self::Busy(_)
            | Self::NoPassphrase
            | Self::PassphrasesDiffer
            | Self::Restore(RestoreError::InUse | RestoreError::Mounted(_)) => ExitStatus::Refused,
            Self::Stream { error: StreamError::Input(error), .. } if !is_damage(error) => ExitStatus::Failed,
            Self::Stream { error: StreamError::Input(_) | StreamError::Short, .. }
            | Self::NoMatchingKey(_)
            | Self::WrongPassphrase(_)
            | Self::NeedsPassphrase(_)
            | Self::NeedsIdentity(_)
            | Self::TooMuchWork(_)
            | Self::NotAge(_) => ExitStatus::WrongKey,
            Self::BadIdentity(_) | Self::Stream { .. } | Self::Restore(RestoreError::BadRecord { .. }) => {
                ExitStatus::BadInput
            }
            Self::Restore(RestoreError::BrokenOff | RestoreError::Store(_)) => ExitStatus::Failed,
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Exists(_) => "--force writes over it",
            Self::BadRecipient(_) => "it begins with age1, as age-keygen prints it",
            Self::BadIdentity(_) => "it is a file of age-keygen, with a line AGE-SECRET-KEY-1...",
            Self::NeedsPassphrase(_) => "--passphrase asks for it",
            Self::NeedsIdentity(_) => "--identity FILE opens it",
            Self::Restore(RestoreError::InUse | RestoreError::Mounted(_)) => {
                "--merge brings back what is missing, and keeps what is there"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
