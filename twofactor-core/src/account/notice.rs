//! Changes of an account that its owner is told of at the next login.

use std::fmt;

use crate::host::clock::UnixTime;
use crate::host::user::Uid;

/// Most notices that wait. Older ones give way: the log has all.
pub const MOST_NOTICES: usize = 16;

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
    /// A security key of ssh was enrolled.
    SshKeyAdded,
    /// A security key of ssh was taken away.
    SshKeyRemoved,
    /// A physical token was assigned by the helpdesk.
    TokenAssigned,
    /// The helpdesk has tried two codes of a physical token, to set it right.
    TokenResynced,
    /// The helpdesk has tried a code.
    CodeChecked,
    /// Wrong codes were forgotten by the helpdesk.
    Unlocked,
    /// The helpdesk has given a temporary code.
    CodeGiven,
    /// The helpdesk has taken a temporary code back.
    CodeRevoked,
}

impl NoticedChange {
    /// Every change.
    pub const ALL: [Self; 13] = [
        Self::AppEnrolled,
        Self::AppReplaced,
        Self::Reset,
        Self::RecoveryReplaced,
        Self::TokenRegistered,
        Self::SshKeyAdded,
        Self::SshKeyRemoved,
        Self::TokenAssigned,
        Self::TokenResynced,
        Self::CodeChecked,
        Self::Unlocked,
        Self::CodeGiven,
        Self::CodeRevoked,
    ];

    /// The word in the state.
    pub fn word(self) -> &'static str {
        match self {
            Self::AppEnrolled => "app-enrolled",
            Self::AppReplaced => "app-replaced",
            Self::Reset => "reset",
            Self::RecoveryReplaced => "recovery-replaced",
            Self::TokenRegistered => "token-registered",
            Self::SshKeyAdded => "ssh-key-added",
            Self::SshKeyRemoved => "ssh-key-removed",
            Self::TokenAssigned => "token-assigned",
            Self::TokenResynced => "token-resynced",
            Self::CodeChecked => "code-checked",
            Self::Unlocked => "unlocked",
            Self::CodeGiven => "code-given",
            Self::CodeRevoked => "code-revoked",
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
            Self::Reset => "apps, ssh keys and recovery codes forgotten",
            Self::RecoveryReplaced => "new recovery codes",
            Self::TokenRegistered => "physical token registered",
            Self::SshKeyAdded => "ssh key added",
            Self::SshKeyRemoved => "ssh key taken away",
            Self::TokenAssigned => "physical token assigned",
            Self::TokenResynced => "two codes of a token tried",
            Self::CodeChecked => "a code tried",
            Self::Unlocked => "wrong codes forgotten",
            Self::CodeGiven => "temporary code given out",
            Self::CodeRevoked => "temporary code taken back",
        })
    }
}
