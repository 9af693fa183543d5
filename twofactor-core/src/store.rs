//! Where accounts are kept, seen from a login: one verb that matters, [`Store::redeem`].
//!
//! The trait exposes verbs, not data. There is no "read the secret" on the login path, so that a store may one day verify
//! where the host never sees a seed. Success exists only as a [`Redeemed`], which only a store can make, and only after
//! it has recorded the success durably.

pub mod files;
pub mod registry;

use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::account::App;
use crate::account::invitation::{Invitation, InvitationCode};
use crate::account::remembered::{Place, Recall};
use crate::account::throttle::{Limits, Source};
use crate::codes::answer::Answer;
use crate::codes::otp::{Code, Digits, Progress, Reaches, Window};
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::SecretError;
use crate::codes::token::{Serial, Token};
use crate::config::rule::Factors;
use crate::host::clock::ClockError;
use crate::host::shell;
use crate::host::trusted::FileError;
use crate::host::user::{Person, Uid, UserName};
use crate::log::reason::Reason;
use crate::store::registry::RegistryError;

/// Answers whether a code opens a session, and burns it in the same transaction.
pub trait Store {
    /// Whether there is an account under this name, whoever it belongs to. Absence comes as a proof; whatever cannot be read
    /// is an error.
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError>;

    /// The code lengths of the user's tokens, for finding the code at the end of a combined answer. Empty without an
    /// account.
    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError>;

    /// Whether an accepted login like this one is still remembered, so that nobody has to be asked. Says `None` for whoever
    /// has nothing to be remembered of, and where what opened that one no longer counts.
    fn remembers(&self, person: &Person, like: &Recall<'_>, factors: Factors)
    -> Result<Option<Remembered>, StoreError>;

    /// How many recovery codes are still good; `None` for whoever never had any.
    fn recovery_left(&self, person: &Person) -> Result<Option<usize>, StoreError>;

    /// Checks an attempt and burns what it used: lock, read, throttle, charge, verify, put on disk.
    fn redeem(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Redemption, StoreError>;

    /// Burns a right code at the end of an answer to which no code is needed. Guesses count apart from those that could open
    /// a session: they delay no login, and no login makes up for them.
    fn strip(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Stripping, StoreError>;

    /// Does the same work for a user who does not exist, and changes nothing: how long it takes must not tell who exists.
    fn pretend(&self, attempt: &Attempt<'_>);
}

/// Sets up a second factor at login, for users who have none. Apart from [`Store`]: a store may verify and not enroll.
pub trait StoreFirst {
    /// What the user is to enrollment at login.
    fn prospect(&self, person: &Person) -> Result<Prospect, StoreError>;

    /// Checks an invitation code. Counted like any attempt; the invitation is spent when it has enrolled somebody.
    fn check_invitation(
        &self,
        person: &Person,
        typed: &InvitationCode,
        attempt: &Attempt<'_>,
    ) -> Result<Result<Invitation, Reason>, StoreError>;

    /// Checks two consecutive codes of a token that nobody owns. Counted like any attempt.
    fn check_registration(
        &self,
        person: &Person,
        serial: &Serial,
        codes: [&Code; 2],
        attempt: &Attempt<'_>,
    ) -> Result<Result<Registration, NotRegistered>, StoreError>;

    /// Stores what a login has confirmed, unless somebody was quicker. A secret that was kept must have been confirmed by a
    /// code that is within `window` still: it opens this login.
    fn store_pending(&self, pending: Pending, window: Window) -> Result<(), Superseded>;
}

/// What a user is to enrollment at login.
#[derive(Debug)]
pub enum Prospect {
    /// Without any second factor.
    New(Absent),
    /// With an app whose confirmation was taken back (`reset --keep-secret`), and nothing else.
    Waiting(Token),
    /// Enrolled, or the account under this name is another person's.
    Enrolled,
}

/// A second factor that was confirmed at a login and is not stored. Only the account phase stores it: applications run that
/// when the whole authentication was a success, and not before.
#[derive(Debug)]
pub struct Pending {
    /// Whose.
    pub user: Person,
    /// What.
    pub what: What,
    /// The invitation that is spent on it.
    pub invitation: Option<Invitation>,
}

/// What is going to be stored.
#[derive(Debug)]
pub enum What {
    /// An app with its recovery codes.
    App {
        /// Confirmed by a code, which is burned.
        app: App,
        /// To be shown once it is stored.
        recovery: Vec<RecoveryCode>,
        /// Where its secret came from.
        secret: Origin,
    },
    /// A physical token.
    Token(Registration),
}

/// Where the secret of an app that is confirmed at login came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was made for this login.
    New,
    /// The store has kept it, and must still have it.
    Kept,
}

impl What {
    /// What the log calls it: an app's label, a physical token's serial.
    pub fn name(&self) -> String {
        match self {
            Self::App { app, .. } => app.token().label.to_string(),
            Self::Token(registration) => registration.serial.to_string(),
        }
    }
}

/// Two consecutive codes of a token that nobody owns.
#[derive(Debug)]
pub struct Registration {
    /// Which token.
    pub(crate) serial: Serial,
    /// Where it stands; both codes are burned.
    pub(crate) progress: Progress,
}

impl Registration {
    /// Which token.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }
}

/// Why a token is not registered. For the log: whoever asks learns the same of all of them.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NotRegistered {
    /// The attempt came too early.
    #[error("the attempt came too early")]
    Throttled,
    /// What was typed is no token's serial. It is not repeated, because it may be anything.
    #[error("there is no token with the serial that was typed")]
    NoSuchToken,
    /// It has an owner, or opens nothing.
    #[error("token {0} is not free")]
    NotFree(Serial),
    /// It does not show these codes, or they are used.
    #[error("token {0} does not show these two codes")]
    WrongCodes(Serial),
}

/// Why nothing was stored.
#[derive(Debug, Error)]
pub enum Superseded {
    /// The user got a second factor meanwhile.
    #[error("somebody has set up a second factor for this account meanwhile")]
    Enrolled,
    /// The secret that was kept was forgotten.
    #[error("the secret that was shown was reset meanwhile")]
    Reset,
    /// The code that has confirmed the secret that was kept is too old by now.
    #[error("the code has run out meanwhile")]
    Expired,
    /// The token is no longer free.
    #[error("the token was given to somebody meanwhile")]
    TokenTaken,
    /// The invitation was used or replaced.
    #[error("the invitation was used or replaced meanwhile")]
    InvitationSpent,
    /// The kernel gave no random bytes.
    #[error(transparent)]
    Entropy(SecretError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FileError> for Superseded {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

impl From<RegistryError> for Superseded {
    fn from(error: RegistryError) -> Self {
        Self::Store(error.into())
    }
}

/// What somebody offers, and the rules it is judged by. Not the time: that the store reads under its lock.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// What the answer can mean; more than one for combined answers. All together are one attempt.
    pub readings: &'a [Answer],
    /// The code of the attempt before, when that was a [`Redemption::NearMiss`]: the two must be consecutive.
    pub previous: Option<&'a Code>,
    /// Where the login comes from.
    pub source: &'a Source,
    /// How far off a code may be.
    pub window: Window,
    /// How far off two consecutive codes may be.
    pub reaches: Reaches,
    /// How guessing is slowed.
    pub limits: Limits,
    /// What counts.
    pub factors: Factors,
    /// Where to remember an accepted login, and for how long.
    pub remember: Option<(Place<'a>, Duration)>,
}

/// Proof that a login like this one was accepted a while ago and is remembered.
#[derive(Debug)]
pub struct Remembered(());

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
    /// It is a wrong code, and counted as one; but it seems to be of a token whose clock is off, and the next code of that
    /// can prove it.
    NearMiss {
        /// What a sysadmin should know, when it happens again and again.
        hint: Option<String>,
    },
    /// It was not.
    Refused {
        /// The log's word for it.
        reason: Reason,
        /// What a sysadmin should know beside it.
        hint: Option<String>,
    },
}

/// What an answer to which no code is needed had at its end.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Stripping {
    /// A right code, which is burned.
    Burned {
        /// Which of the attempt's readings was right.
        reading: usize,
        /// What it is a code of.
        factor: Factor,
    },
    /// Nothing that is a right code.
    Nothing,
    /// There were too many guesses: it was not looked at.
    Throttled,
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
fn user_of(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name);
    folder.map_or_else(|| "USER".to_owned(), |name| name.to_string_lossy().into_owned())
}
