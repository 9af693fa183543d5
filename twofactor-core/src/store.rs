//! Where accounts are kept, seen from a login: one verb that matters, [`Store::redeem`].
//!
//! The trait exposes verbs, not data. There is no "read the secret" on the login path, so that a store may one day verify
//! where the host never sees a seed. Success exists only as a [`Redeemed`], which only a store can make, and only after
//! it has recorded the success durably.

pub mod files;
pub mod registry;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::answer::Answer;
use crate::clock::UnixTime;
use crate::otp::{Digits, Window};
use crate::reason::Reason;
use crate::store::registry::RegistryError;
use crate::throttle::{Limits, Source};
use crate::trusted::FileError;
use crate::user::UserName;

/// Answers whether a code opens a session, and burns it in the same transaction.
pub trait Store {
    /// Whether the user has an account. Absence comes as a proof; whatever cannot be read is an error.
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError>;

    /// The code lengths of the user's tokens, for finding the code at the end of a combined answer. Empty without an
    /// account.
    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError>;

    /// Checks an attempt and burns what it used: lock, read, throttle, charge, verify, put on disk.
    fn redeem(&self, user: &UserName, attempt: &Attempt<'_>) -> Result<Redemption, StoreError>;
}

/// What somebody offers, and the rules it is judged by.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// What the answer can mean; more than one for combined answers. All together are one attempt.
    pub readings: &'a [Answer],
    /// Where the login comes from.
    pub source: &'a Source,
    /// How far off a code may be.
    pub window: Window,
    /// How guessing is slowed.
    pub limits: Limits,
    /// The time at which the answer is judged.
    pub now: UnixTime,
}

/// Whether a user has an account.
#[derive(Debug)]
#[must_use]
pub enum Presence {
    /// There is one, whatever its condition: apps, recovery codes, or a physical token, be it lost.
    Enrolled,
    /// There provably is none.
    Absent(Absent),
}

/// Proof that a user has no account: the entry was not there in a folder that was opened, and no token is assigned in a
/// registry that could be read.
#[derive(Debug)]
pub struct Absent(());

/// What became of an attempt.
#[derive(Debug)]
#[must_use]
pub enum Redemption {
    /// The code was right, and it is burned.
    Redeemed(Redeemed),
    /// It was not.
    Refused {
        /// The log's word for it.
        reason: Reason,
        /// What a sysadmin should know beside it.
        hint: Option<String>,
    },
}

impl Redemption {
    /// A refusal that its reason explains.
    fn refused(reason: Reason) -> Self {
        Self::Refused { reason, hint: None }
    }
}

/// Proof that a code was right and that its use is on disk. Only a store can make one.
#[derive(Debug)]
#[must_use]
pub struct Redeemed {
    factor: Factor,
    reading: usize,
    problem: Option<StoreError>,
}

/// What opened the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Factor {
    /// A token's code.
    Token {
        /// What the user calls it; a physical token's serial.
        label: String,
        /// Its learned drift in steps, after this login.
        drift: i32,
    },
    /// A recovery code.
    Recovery {
        /// How many are left.
        left: usize,
    },
}

impl Redeemed {
    /// What opened the session.
    pub fn factor(&self) -> &Factor {
        &self.factor
    }

    /// Which of the attempt's readings was right.
    pub fn reading(&self) -> usize {
        self.reading
    }

    /// What kept another part of the store from answering. This login did not need it; the next may.
    pub fn problem(&self) -> Option<&StoreError> {
        self.problem.as_ref()
    }
}

/// The store cannot answer. Every one of these denies a login.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The files of the store cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder of the store is not there.
    #[error("the folder {} does not exist", .0.display())]
    NoFolder(PathBuf),
    /// Credentials or tokens stand there without the state that says which of their codes are burned.
    #[error("{} is missing, so nobody knows which codes were used", .0.display())]
    LostState(PathBuf),
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
    /// The registry of physical tokens cannot answer.
    #[error(transparent)]
    Registry(#[from] RegistryError),
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
            | Self::LostTokens { .. }
            | Self::Corrupt { .. } => Reason::StoreCorrupt,
            Self::File(FileError::Io { .. }) | Self::NoFolder(_) => Reason::StoreUnavailable,
            Self::Registry(error) => error.reason(),
        }
    }

    /// What a sysadmin can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::File(FileError::Unsafe { remedy, .. }) => format!("check it, then run: {remedy}"),
            Self::File(FileError::LockTimeout { path, .. }) => {
                format!("see who holds it: fuser -v {}", path.display())
            }
            Self::File(FileError::Io { source, .. }) if source.raw_os_error() == Some(nix::libc::ENOSPC) => {
                "the disk is full; free some space".to_owned()
            }
            Self::File(FileError::Io { source, .. }) if source.raw_os_error() == Some(nix::libc::EROFS) => {
                "the file system is read-only; logins must be recorded".to_owned()
            }
            Self::File(FileError::Io { source, .. }) if source.raw_os_error() == Some(nix::libc::EACCES) => {
                "root was refused: SELinux or AppArmor? see: ausearch -m avc -ts recent".to_owned()
            }
            Self::File(FileError::Io { path, .. }) => format!("look at it: ls -ld {}", path.display()),
            Self::File(FileError::TooLarge { path, .. }) | Self::LostState(path) | Self::Corrupt { path, .. } => {
                format!("restore {} from a backup, or run: twofactor reset {}", path.display(), user_of(path))
            }
            Self::Registry(error) => error.hint(),
            Self::LostTokens { path, user, .. } => {
                format!("restore {} from a backup, or run: twofactor reset {user}", path.display())
            }
            Self::NoFolder(path) => format!("make it: install -d -m 0700 -o root -g root {}", path.display()),
        }
    }
}

/// The user whose folder a file lies in.
fn user_of(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name);
    folder.map_or_else(|| "USER".to_owned(), |name| name.to_string_lossy().into_owned())
}
