//! The errors of the files of this host.

use crate::host::shell;
use crate::host::trusted::FileError;
use crate::host::user::UserName;
use crate::log::reason::Reason;
use crate::store::administration::TokenError;
use crate::store::error::{Loss, StoreError, Unusable};
use crate::store::registry::RegistryError;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The files do not answer.
#[derive(Debug, Error)]
pub enum FilesError {
    /// The files of the store cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder of the store is not there.
    #[error("the folder {} does not exist", .0.display())]
    NoFolder(PathBuf),
    /// The state of this host is absent: it is not mounted, or the state found belongs to another host.
    #[error(
        "{} names the state of this host, and {} {}",
        marker.display(),
        state.display(),
        if *has_identity { "is another one" } else { "is not it: is it not mounted?" }
    )]
    ForeignState {
        /// The path of the state.
        state: PathBuf,
        /// The marker, which names the state of this host.
        marker: PathBuf,
        /// The state found has an identity of its own.
        has_identity: bool,
    },
    /// The users folder is not the one of the state: it is not mounted, or belongs to another state.
    #[error(
        "{} names the accounts of this host, and {} {}",
        copy.display(),
        users.display(),
        if *has_identity { "holds others" } else { "is empty: is it not mounted?" }
    )]
    ForeignUsers {
        /// The path of the accounts.
        users: PathBuf,
        /// The file in the state that names them.
        copy: PathBuf,
        /// The folder found has an identity of its own.
        has_identity: bool,
    },
    /// The file that names the state of this host holds no identity.
    #[error("{} holds no identity of a state", .0.display())]
    BadIdentity(PathBuf),
    /// Credentials or tokens exist without the state that records their burned codes.
    #[error("{} is missing, so the codes that were used are not known", .0.display())]
    LostState(PathBuf),
    /// The state names credentials whose file is gone.
    #[error("{} is missing, and the account's state says that it was there", .0.display())]
    LostCredentials(PathBuf),
    /// The user holds tokens that stand in an older version's registry alone.
    #[error("{held} physical tokens of {user} are not in the user's own file yet")]
    NotMigrated {
        /// The owner.
        user: UserName,
        /// Their number.
        held: usize,
    },
    /// A token is registered by a process that has the registry.
    #[error("a physical token is registered through the broker")]
    NeedsBroker,
    /// The user holds tokens that the registry does not have: it has lost them.
    #[error("{user} holds {held} physical tokens, but {} knows of {known}", path.display())]
    LostTokens {
        /// The registry.
        path: PathBuf,
        /// The owner.
        user: UserName,
        /// The number in the owner's state.
        held: usize,
        /// The number in the registry.
        known: usize,
    },
    /// The registry of physical tokens cannot answer.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A file holds text that no version of ours writes. The error names the place and never the text.
    #[error("{}:{}:{} is damaged", path.display(), place.0, place.1)]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The place in the file: line and column from 1.
        place: (usize, usize),
    },
}

impl Unusable for FilesError {
    fn reason(&self) -> Reason {
        match self {
            Self::File(FileError::Unsafe { .. }) => Reason::UnsafeFile,
            Self::File(FileError::LockTimeout { .. }) => Reason::LockTimeout,
            Self::File(FileError::TooLarge { .. })
            | Self::LostState(_)
            | Self::LostCredentials(_)
            | Self::LostTokens { .. }
            | Self::Corrupt { .. } => Reason::StoreCorrupt,
            Self::File(FileError::Io { .. })
            | Self::NoFolder(_)
            | Self::ForeignState { .. }
            | Self::ForeignUsers { .. }
            | Self::NotMigrated { .. }
            | Self::NeedsBroker
            | Self::BadIdentity(_) => Reason::StoreUnavailable,
            Self::Registry(error) => error.reason(),
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::File(FileError::Unsafe { remedy, .. }) => format!("check it, then run: {remedy}"),
            Self::File(FileError::LockTimeout { path, holder, .. }) => FileError::hint_at_holder(path, *holder),
            Self::File(FileError::Io { source, .. }) if source.raw_os_error() == Some(nix::libc::ENOSPC) => {
                "the disk is full; free some space".to_owned()
            }
            Self::File(FileError::Io { source, .. }) if source.raw_os_error() == Some(nix::libc::EROFS) => {
                "the file system is read-only; logins must be recorded".to_owned()
            }
            Self::File(FileError::Io { source, .. }) if source.raw_os_error() == Some(nix::libc::EACCES) => {
                "root was refused: SELinux or AppArmor? see: ausearch -m avc -ts recent".to_owned()
            }
            Self::File(FileError::Io { path, .. }) => format!("look at it: ls -ld {}", shell::path(path)),
            Self::File(FileError::TooLarge { path, .. })
            | Self::LostState(path)
            | Self::LostCredentials(path)
            | Self::Corrupt { path, .. } => {
                format!(
                    "restore {} from a backup, or run: twofactor reset {}",
                    path.display(),
                    shell::quoted(&user_of(path))
                )
            }
            Self::Registry(error) => error.hint(),
            Self::NeedsBroker => "systemctl enable --now twofactord.socket".to_owned(),
            Self::NotMigrated { .. } => "run: twofactor migrate".to_owned(),
            Self::LostTokens { path, user, .. } => format!(
                "restore {} from a backup and run twofactor migrate, or run: twofactor reset {}",
                path.display(),
                shell::quoted(user.as_str())
            ),
            Self::ForeignState { state, .. } => format!(
                "mount it (see: findmnt -T {}); if this state belongs to this host now: twofactor state adopt",
                shell::path(state)
            ),
            Self::ForeignUsers { users, .. } => format!(
                "mount it (see: findmnt -T {}) or restore it; if it belongs to this host as it is: twofactor state adopt",
                shell::path(users)
            ),
            Self::BadIdentity(_) => "restore it, or run: twofactor state adopt".to_owned(),
            Self::NoFolder(path) if path.ends_with("users") => {
                "mount it or restore it from a backup; if no account was ever kept there: twofactor state adopt"
                    .to_owned()
            }
            Self::NoFolder(path) => format!("make it: install -d -m 0700 -o root -g root {}", shell::path(path)),
        }
    }

    fn loss(&self) -> Option<Loss> {
        match self {
            Self::LostState(_) => Some(Loss::State),
            Self::LostCredentials(_) => Some(Loss::Credentials),
            Self::Corrupt { path, .. } if path.ends_with("secret.toml") => Some(Loss::Credentials),
            _ => None,
        }
    }
}

impl FilesError {
    /// The error of files behind an error of a store.
    pub fn of(error: &StoreError) -> Option<&Self> {
        error.kind()
    }

    /// Whether the state is lost or unreadable.
    pub(super) fn is_of_the_state(error: &StoreError) -> bool {
        matches!(Self::of(error), Some(Self::LostState(_) | Self::Corrupt { .. }))
    }
}

impl From<FilesError> for StoreError {
    fn from(error: FilesError) -> Self {
        Self::Unusable(Box::new(error))
    }
}

impl From<FileError> for StoreError {
    fn from(error: FileError) -> Self {
        FilesError::File(error).into()
    }
}

impl From<RegistryError> for StoreError {
    fn from(error: RegistryError) -> Self {
        FilesError::Registry(error).into()
    }
}

impl From<RegistryError> for TokenError {
    fn from(error: RegistryError) -> Self {
        Self::Store(error.into())
    }
}

/// The user whose folder a file lies in.
pub(super) fn user_of(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name);
    folder.map_or_else(|| "USER".to_owned(), |name| name.to_string_lossy().into_owned())
}
