//! Changes of an account that its owner is told of at the next login.

use std::fmt;

use crate::host::clock::UnixTime;
use crate::host::user::Uid;

/// Most notices that wait. Older ones give way: the log has all.
pub const MOST_NOTICES: usize = 8;

/// A change of an account, of which its owner has not been told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The time of the change.
    pub at: UnixTime,
    /// The uid of the process that asked for it.
    pub by: Uid,
    /// The change.
    pub change: NoticedChange,
}

/// A change of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticedChange {
    /// An app was set up where there was no factor.
    AppEnrolled,
    /// An app was put in the place of another one.
    AppReplaced,
    /// Apps and recovery codes were forgotten.
    Reset,
    /// The recovery codes were replaced.
    RecoveryReplaced,
    /// A physical token was registered.
    TokenRegistered,
}

impl NoticedChange {
    /// Every change.
    pub const ALL: [Self; 5] =
        [Self::AppEnrolled, Self::AppReplaced, Self::Reset, Self::RecoveryReplaced, Self::TokenRegistered];

    /// The word in the state.
    pub fn word(self) -> &'static str {
        match self {
            Self::AppEnrolled => "app-enrolled",
            Self::AppReplaced => "app-replaced",
            Self::Reset => "reset",
            Self::RecoveryReplaced => "recovery-replaced",
            Self::TokenRegistered => "token-registered",
        }
    }

    /// The change with that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.word() == word)
    }
}

impl fmt::Display for NoticedChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::AppEnrolled => "first app",
            Self::AppReplaced => "new app and new recovery codes",
            Self::Reset => "app and recovery codes forgotten",
            Self::RecoveryReplaced => "new recovery codes",
            Self::TokenRegistered => "physical token registered",
        })
    }
}
