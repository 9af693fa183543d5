//! The words in which a sysadmin and a store speak of accounts.

use thiserror::Error;

use super::sharing::Sharer;
use super::tokens::TokenView;
use crate::account::{Confirmation, LastAccepted, MOST_APPS};
use crate::codes::otp::Parameters;
use crate::codes::secret::SecretError;
use crate::codes::token::{Label, Serial};
use crate::host::clock::UnixTime;
use crate::host::trusted::FileError;
use crate::host::user::{Uid, UserName};
use crate::store::error::StoreError;

/// What enrolling does when the user has an app of that label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Refuses.
    Keep,
    /// Takes its place.
    Replace,
}

/// How much a reset forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// The user's apps, recovery codes and counts. What stays is which steps of which seeds are burned: the same secret
    /// may be enrolled again, its old codes may not.
    Everything,
    /// Only the confirmations: the next enrollment offers the same secrets again.
    Confirmations,
}

/// Why an app was not enrolled. Nothing was changed.
#[derive(Debug, Error)]
pub enum EnrollError {
    /// The user has a confirmed app of that label.
    #[error("{0} already has a token \"{1}\"")]
    AlreadyEnrolled(UserName, Label),
    /// The user has [`MOST_APPS`] apps.
    #[error("{0} has {MOST_APPS} tokens already")]
    TooMany(UserName),
    /// Another user, or a token that anybody may get, has the secret.
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

/// What there is to know about an account without its secrets.
#[derive(Debug)]
pub struct Status {
    /// The user's apps, oldest first.
    pub apps: Vec<AppStatus>,
    /// The user's physical tokens.
    pub tokens: Vec<TokenView>,
    /// Why these are not known.
    pub tokens_problem: Option<StoreError>,
    /// Recovery codes that are still good.
    pub recovery_left: usize,
    /// Wrong codes that count: since the last accepted login, and those of other sources.
    pub failures: u32,
    /// Until when every source but the trusted one is refused.
    pub blocked_until: Option<UnixTime>,
    /// The last accepted login.
    pub last_accepted: Option<LastAccepted>,
    /// Until when the user may enroll at login with an invitation code.
    pub invited_until: Option<UnixTime>,
    /// Whose account it is; `None` when that is not written down yet.
    pub uid: Option<Uid>,
}

/// A user with an open invitation and neither app nor token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newcomer {
    /// The uid that the account belongs to; `None` when it is not known.
    pub uid: Option<Uid>,
    /// Until when the invitation code is good.
    pub invited_until: UnixTime,
    /// Wrong codes that count.
    pub failures: u32,
    /// Until when every source is refused.
    pub blocked_until: Option<UnixTime>,
}

/// What there is to know about an app without its secret.
#[derive(Debug)]
pub struct AppStatus {
    /// Its serial.
    pub serial: Serial,
    /// What the user calls it.
    pub label: Label,
    /// How its codes are made.
    pub parameters: Parameters,
    /// When it was made.
    pub issued: UnixTime,
    /// Its learned drift in steps.
    pub drift: i32,
    /// Until when no code of it is good, because the clock was ahead when the last one was used.
    pub burned_until: Option<UnixTime>,
    /// Whether a code ever confirmed it.
    pub confirmation: Confirmation,
}

/// Whose account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belongs {
    /// There is nothing in it: no app, no recovery code, no token, no invitation.
    ToNobody,
    /// No uid is written down yet.
    ToUnknown,
    /// To the person with this uid.
    To(Uid),
}

impl Belongs {
    /// The uid that is written down.
    pub fn uid(self) -> Option<Uid> {
        match self {
            Self::To(uid) => Some(uid),
            Self::ToNobody | Self::ToUnknown => None,
        }
    }
}

/// What became of an account that was to be made that of a uid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Adoption {
    /// The account is of the person's uid now.
    Done,
    /// It changed since it was looked at, and stays as it is.
    Overtaken,
}
