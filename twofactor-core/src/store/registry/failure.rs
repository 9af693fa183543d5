//! The errors of SQLite as those of the registry.

use super::error::RegistryError;
use super::file_names::JOURNAL;
use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};

/// The meaning of an error of SQLite.
pub(super) fn failure(path: &Path, error: &rusqlite::Error) -> RegistryError {
    let (path, problem) = (path.to_owned(), error.to_string());
    match error {
        rusqlite::Error::SqliteFailure(code, _) => match code.code {
            ErrorCode::NotADatabase => RegistryError::Foreign(path),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => RegistryError::Busy(path),
            ErrorCode::DiskFull => RegistryError::Full(path),
            _ if code.extended_code == rusqlite::ffi::SQLITE_READONLY_ROLLBACK => {
                interrupted(path.with_file_name(JOURNAL))
            }
            ErrorCode::ReadOnly => RegistryError::ReadOnly(path),
            // There was no room for the shared memory.
            _ if code.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => RegistryError::Full(path),
            ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed => RegistryError::Unavailable { path, problem },
            // What remains is a table, a column or a value that is not as we wrote it.
            _ => RegistryError::Damaged { path, problem },
        },
        _ => RegistryError::Damaged { path, problem },
    }
}

/// A journal that SQLite finds at work and must not roll back while it only reads.
pub(super) fn interrupted(path: PathBuf) -> RegistryError {
    RegistryError::Beside { path, problem: "is of a change that was interrupted" }
}
