//! Why a store cannot answer.

use crate::codes::secret::SecretError;
use crate::host::clock::ClockError;
use crate::host::shell;
use crate::host::trusted::FileError;
use crate::host::user::{Uid, UserName};
use crate::log::reason::Reason;
use crate::store::registry::RegistryError;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The store does not answer. Every one of these denies a login.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The files of the store cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder of the store is not there.
    #[error("the folder {} does not exist", .0.display())]
    NoFolder(PathBuf),
    /// The state of this host is not there: it is not mounted, or what is there belongs to another host.
    #[error(
        "{} names the state of this host, and {} {}",
        marker.display(),
        state.display(),
        if *has_identity { "is another one" } else { "is not it: is it not mounted?" }
    )]
    ForeignState {
        /// Where the state should be.
        state: PathBuf,
        /// What names it.
        marker: PathBuf,
        /// Whether what is there has an identity of its own.
        has_identity: bool,
    },
    /// The folder of all users is not the one of the state: it is not mounted, or belongs to another state.
    #[error(
        "{} names the accounts of this host, and {} {}",
        copy.display(),
        users.display(),
        if *has_identity { "holds others" } else { "is empty: is it not mounted?" }
    )]
    ForeignUsers {
        /// Where the accounts should be.
        users: PathBuf,
        /// What names them.
        copy: PathBuf,
        /// Whether what is there has an identity of its own.
        has_identity: bool,
    },
    /// A file that says which state belongs to this host says something else.
    #[error("{} holds no identity of a state", .0.display())]
    BadIdentity(PathBuf),
    /// An identity could not be made.
    #[error(transparent)]
    Entropy(#[from] SecretError),
    /// Credentials or tokens stand there without the state that says which of their codes are burned.
    #[error("{} is missing, so nobody knows which codes were used", .0.display())]
    LostState(PathBuf),
    /// The state names credentials whose file is gone.
    #[error("{} is missing, and the account's state says that it was there", .0.display())]
    LostCredentials(PathBuf),
    /// The user holds tokens that the registry does not know of: it is not what it was.
    #[error("{user} holds {held} physical tokens, but {} knows of {known}", path.display())]
    LostTokens {
        /// The registry.
        path: PathBuf,
        /// Who holds them.
        user: UserName,
        /// How many.
        held: usize,
        /// How many the registry knows of.
        known: usize,
    },
    /// The account belongs to another person than the one who has its name now.
    #[error("the account belongs to uid {recorded}, and {user} is uid {now} now")]
    UidChanged {
        /// The name of both.
        user: UserName,
        /// The uid that is written down in the account.
        recorded: Uid,
        /// The uid that the name stands for now.
        now: Uid,
    },
    /// The registry of physical tokens cannot answer.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The clock cannot be used.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// A file holds something we did not write. Says where, never what.
    #[error("{}:{}:{} is damaged", path.display(), place.0, place.1)]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// Where in the file, as line and column from 1.
        place: (usize, usize),
    },
}

impl StoreError {
    /// The log's word for it.
    pub fn reason(&self) -> Reason {
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
            | Self::BadIdentity(_)
            | Self::Entropy(_)
            | Self::Clock(_) => Reason::StoreUnavailable,
            Self::UidChanged { .. } => Reason::UidChanged,
            Self::Registry(error) => error.reason(),
        }
    }

    /// What a sysadmin can do about it.
    pub fn hint(&self) -> String {
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
            Self::Clock(_) => "set the clock".to_owned(),
            Self::LostTokens { path, user, .. } => format!(
                "twofactor doctor --fix; if that does not help, restore {} from a backup or run: twofactor reset {}",
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
            Self::UidChanged { user, .. } => {
                let user = shell::quoted(user.as_str());
                format!("the same person: twofactor state adopt-uids {user}; another person: twofactor reset {user}")
            }
            Self::BadIdentity(_) => "restore it, or run: twofactor state adopt".to_owned(),
            Self::Entropy(_) => "is /dev/urandom there?".to_owned(),
            Self::NoFolder(path) if path.ends_with("users") => {
                "mount it or restore it from a backup; if no account was ever kept there: twofactor state adopt"
                    .to_owned()
            }
            Self::NoFolder(path) => format!("make it: install -d -m 0700 -o root -g root {}", shell::path(path)),
        }
    }
}

/// The user whose folder a file lies in.
pub(super) fn user_of(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name);
    folder.map_or_else(|| "USER".to_owned(), |name| name.to_string_lossy().into_owned())
}
