//! The exit codes, as the manual has them, and which of them the errors of files and of the store end with.

use std::io;

use twofactor_core::host::trusted::FileError;
use twofactor_core::store::StoreError;
use twofactor_core::store::files::FilesError;
use twofactor_core::store::registry::RegistryError;

/// The exit codes. `0` is not among them: a failure is never success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitStatus {
    /// I/O, the store, anything else.
    Failed = 1,
    /// The command line contradicts itself; clap finds the rest.
    Usage = 2,
    /// There is no such user, token or series, or the user is not enrolled.
    NotThere = 3,
    /// Not root, or an unsafe file.
    NotPermitted = 4,
    /// The code is wrong, replayed or not confirmed.
    CodeRefused = 5,
    /// A seed file is encrypted and its password or key is missing or wrong, or it is damaged.
    WrongKey = 6,
    /// A conflict; the hint names the option that overrides it, if any.
    Refused = 7,
    /// The input file is invalid; nothing was imported.
    BadInput = 8,
    /// The configuration is invalid.
    BadConfig = 9,
    /// Ctrl-C, as shells report it.
    Interrupted = 130,
}

pub(super) fn of_store(error: &StoreError) -> ExitStatus {
    match (error, FilesError::of(error)) {
        (_, Some(FilesError::File(error) | FilesError::Registry(RegistryError::File(error)))) => of_file(error),
        (StoreError::UidChanged { .. }, _) => ExitStatus::Refused,
        (StoreError::Clock(_) | StoreError::Entropy(_) | StoreError::Unusable(_), _) => ExitStatus::Failed,
    }
}

pub(super) fn of_file(error: &FileError) -> ExitStatus {
    match error {
        FileError::Unsafe { .. } => ExitStatus::NotPermitted,
        error if is_denied(error) => ExitStatus::NotPermitted,
        FileError::TooLarge { .. } | FileError::Io { .. } | FileError::LockTimeout { .. } => ExitStatus::Failed,
    }
}

pub(super) fn is_denied(error: &FileError) -> bool {
    matches!(error, FileError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
}
