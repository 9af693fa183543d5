//! The types of account administration.

use thiserror::Error;

use super::sharing::Sharer;
use super::tokens::TokenView;
use crate::account::{Confirmation, EnrolledKey, LastAccepted, MOST_APPS};
use crate::codes::otp::Parameters;
use crate::codes::secret::SecretError;
use crate::codes::token::{Label, Serial};
use crate::host::clock::UnixTime;
use crate::host::trusted::FileError;
use crate::host::user::{Uid, UserName};
use crate::store::error::StoreError;

/// Treatment of an app that already has the label of the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and the new one is refused.
    Keep,
    /// It is replaced.
    Replace,
}

/// The extent of a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// Apps, recovery codes and counts. The burned steps of each seed stay: the same secret may be enrolled again, its
    /// old codes stay used.
    Everything,
    /// Only the confirmations: the next enrollment offers the same secrets again.
    Confirmations,
}

/// The reason for which an app was not enrolled. Nothing was changed.
#[derive(Debug, Error)]
pub enum EnrollError {
    /// The user has a confirmed app of that label.
    #[error("{0} already has a token \"{1}\"")]
    AlreadyEnrolled(UserName, Label),
    /// The user has [`MOST_APPS`] apps.
    #[error("{0} has {MOST_APPS} tokens already")]
    TooMany(UserName),
    /// Another user or an unassigned token has the secret.
    #[error("{0} has this secret already: who has the one can log in as both users")]
    Shared(Sharer),
    /// No salt could be made.
    #[error(transparent)]
    Entropy(#[from] SecretError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FileError> for EnrollError {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

/// The reason for which an account of another system was not taken in. Nothing was changed.
#[derive(Debug, Error)]
pub enum MoveInError {
    /// The user has a second factor already.
    #[error("{0} is enrolled already")]
    Enrolled(UserName),
    /// The user has had this secret here, and a reset has forgotten it together with the used recovery codes.
    #[error("{0} has had this secret here before a reset")]
    WasReset(UserName),
    /// Its apps cannot be enrolled.
    #[error(transparent)]
    Enroll(#[from] EnrollError),
}

/// The view of an account without its secrets.
#[derive(Debug)]
pub struct AccountStatus {
    /// The user's apps, oldest first.
    pub apps: Vec<AppStatus>,
    /// The user's physical tokens.
    pub tokens: Vec<TokenView>,
    /// The error that hides the tokens.
    pub tokens_problem: Option<StoreError>,
    /// The user's ssh keys, oldest first.
    pub ssh_keys: Vec<EnrolledKey>,
    /// Recovery codes that are still good.
    pub recovery_left: usize,
    /// Wrong codes that count: since the last accepted login, and those of other sources.
    pub failures: u32,
    /// The time until which every source but the trusted one is refused.
    pub blocked_until: Option<UnixTime>,
    /// Wrong codes of programs without root that count.
    pub own_failures: u32,
    /// The time until which such programs are refused.
    pub own_blocked_until: Option<UnixTime>,
    /// The last accepted login.
    pub last_accepted: Option<LastAccepted>,
    /// The time until which the user may enroll at login with an invitation code.
    pub invited_until: Option<UnixTime>,
    /// The time until which a temporary code opens a session.
    pub temporary_until: Option<UnixTime>,
    /// The uid of the account's owner; `None` when it is not recorded yet.
    pub uid: Option<Uid>,
}

/// A user with an open invitation and neither app nor token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newcomer {
    /// The uid that the account belongs to; `None` when it is not recorded.
    pub uid: Option<Uid>,
    /// The time until which the invitation code is valid.
    pub invited_until: UnixTime,
    /// Wrong codes that count.
    pub failures: u32,
    /// The time until which every source is refused.
    pub blocked_until: Option<UnixTime>,
}

/// The view of an app without its secret.
#[derive(Debug)]
pub struct AppStatus {
    /// Its serial.
    pub serial: Serial,
    /// The label that the user gave it.
    pub label: Label,
    /// The parameters of its codes.
    pub parameters: Parameters,
    /// The time of its enrollment.
    pub issued: UnixTime,
    /// Its learned drift in steps.
    pub drift: i32,
    /// The time until which no code of it is valid, because the clock was ahead when the last one was used.
    pub burned_until: Option<UnixTime>,
    /// The confirmation by a first code.
    pub confirmation: Confirmation,
    /// The time of the last accepted code.
    pub last_accepted: Option<UnixTime>,
}

/// The owner of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belongs {
    /// No person: it has no app, no recovery code, no token and no invitation.
    ToNobody,
    /// A person whose uid is not recorded yet.
    ToUnknown,
    /// The person with this uid.
    To(Uid),
}

impl Belongs {
    /// The recorded uid.
    pub fn uid(self) -> Option<Uid> {
        match self {
            Self::To(uid) => Some(uid),
            Self::ToNobody | Self::ToUnknown => None,
        }
    }
}

/// The outcome of assigning an account to a uid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Adoption {
    /// The account belongs to the person's uid now.
    Done,
    /// The account changed since it was looked at, and stays unchanged.
    Overtaken,
}
