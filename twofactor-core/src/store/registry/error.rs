//! The errors of the registry.

use super::file_names::FILE;
use crate::codes::token::Serial;
use crate::host::shell;
use crate::host::trusted::FileError;
use crate::log::reason::Reason;
use std::path::PathBuf;
use thiserror::Error;

/// The registry cannot answer.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The files cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not a registry of ours, or no database at all.
    #[error("{} is not a token registry", .0.display())]
    Foreign(PathBuf),
    /// It was there once: its write-ahead log is left.
    #[error("{} is gone, but its write-ahead log is still there", .0.display())]
    Lost(PathBuf),
    /// There is none, where one has to be written.
    #[error("there is no registry at {}: it is lost, or this host never had one", .0.display())]
    Missing(PathBuf),
    /// A file beside it cannot be used.
    #[error("{} {problem}", path.display())]
    Beside {
        /// The file.
        path: PathBuf,
        /// The problem, as a predicate.
        problem: &'static str,
    },
    /// A newer version of this program wrote it.
    #[error("{} was written by a newer version of twofactor (format {found}; this version knows up to {known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// It holds something we did not write.
    #[error("{} is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The finding of SQLite or of ours. Never a secret.
        problem: String,
    },
    /// Another process held its lock for too long.
    #[error("{} was locked by another process for too long", .0.display())]
    Busy(PathBuf),
    /// The disk is full.
    #[error("cannot write {}: no space left on device", .0.display())]
    Full(PathBuf),
    /// It cannot be written where it is.
    #[error("cannot write {}: read-only file system", .0.display())]
    ReadOnly(PathBuf),
    /// The system refused.
    #[error("cannot use {}: {problem}", path.display())]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// The message of SQLite.
        problem: String,
    },
}

impl RegistryError {
    /// The log's word for it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::File(FileError::Unsafe { .. }) => Reason::UnsafeFile,
            Self::File(FileError::LockTimeout { .. }) | Self::Busy(_) => Reason::LockTimeout,
            Self::Foreign(_) | Self::Lost(_) | Self::Beside { .. } | Self::Damaged { .. } => Reason::StoreCorrupt,
            Self::File(_)
            | Self::Missing(_)
            | Self::Newer { .. }
            | Self::Full(_)
            | Self::ReadOnly(_)
            | Self::Unavailable { .. } => Reason::StoreUnavailable,
        }
    }

    /// The sysadmin's way out.
    pub fn hint(&self) -> String {
        match self {
            Self::File(FileError::Unsafe { remedy, .. }) => format!("check it, then run: {remedy}"),
            Self::File(FileError::LockTimeout { path, holder, .. }) => FileError::hint_at_holder(path, *holder),
            Self::Busy(path) => FileError::hint_at_holder(path, None),
            Self::File(_) => "look at it: ls -l".to_owned(),
            Self::Foreign(path) | Self::Lost(path) | Self::Damaged { path, .. } => {
                format!("restore {} from a backup", path.display())
            }
            Self::Missing(path) => format!(
                "restore {} from a backup; where there never was one, it is made by twofactor token import FILE, and for a \
                 helpdesk by twofactor doctor --fix",
                path.display()
            ),
            Self::Beside { .. } => {
                "the next change of a token sets it aside, and so does: twofactor doctor --fix".to_owned()
            }
            Self::Newer { .. } => "install the newer version of twofactor, or restore an older registry".to_owned(),
            Self::Full(_) => "the disk is full; free some space".to_owned(),
            Self::ReadOnly(_) => "mount the file system for writing".to_owned(),
            Self::Unavailable { path, .. } => format!("look at it: ls -l {}*", shell::path(path)),
        }
    }
}

impl RegistryError {
    /// An owner that is no user name.
    pub(crate) fn damaged_owner(serial: &Serial) -> Self {
        Self::Damaged { path: PathBuf::from(FILE), problem: format!("the owner of token {serial} is no user name") }
    }
}
