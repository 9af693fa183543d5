//! The life of a physical token: inventory → assigned → active, disabled and lost on the way, revoked at the end.
//!
//! Invariants: only an assigned or active token opens a session; nothing leads back from revoked.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The states of a token's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// In stock, without an owner.
    Inventory,
    /// It has an owner, who has not logged in with it yet.
    Assigned,
    /// Its owner has logged in with it.
    Active,
    /// Put aside for a while; opens nothing.
    Disabled,
    /// Reported lost; opens nothing.
    Lost,
    /// For good: the secret is wiped, the serial stays known.
    Revoked,
}

/// A sysadmin's change to one token or many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Lets it open sessions again.
    Enable,
    /// Puts it aside.
    Disable,
    /// It cannot be found.
    ReportLost,
    /// Ends it for good.
    Revoke,
}

/// A change that the token's present state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Impossible {
    /// The end is the end.
    #[error("is revoked")]
    Revoked,
}

impl Stage {
    /// All stages, with the words of the interface.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Inventory, "inventory"),
        (Self::Assigned, "assigned"),
        (Self::Active, "active"),
        (Self::Disabled, "disabled"),
        (Self::Lost, "lost"),
        (Self::Revoked, "revoked"),
    ];

    /// The word of the interface.
    pub fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(stage, _)| *stage == self).map_or("", |(_, word)| word)
    }

    /// True when its codes open sessions.
    pub fn is_usable(self) -> bool {
        matches!(self, Self::Assigned | Self::Active)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// Not one of [`Stage::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a state is one of inventory, assigned, active, disabled, lost, revoked")]
pub struct UnknownStage;

impl FromStr for Stage {
    type Err = UnknownStage;

    fn from_str(text: &str) -> Result<Self, UnknownStage> {
        let found = Self::ALL.into_iter().find(|(_, word)| *word == text);
        found.map(|(stage, _)| stage).ok_or(UnknownStage)
    }
}

/// The recorded part of a token's life. Its use by the owner shows in the owner's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStatus {
    /// Nothing stands against it.
    Good,
    /// Put aside.
    Disabled,
    /// Lost.
    Lost,
    /// Revoked.
    Revoked,
}

impl TokenStatus {
    /// All of them, with the words in the registry.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Good, "good"), (Self::Disabled, "disabled"), (Self::Lost, "lost"), (Self::Revoked, "revoked")];

    /// The word in the registry.
    pub fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(status, _)| *status == self).map_or("", |(_, word)| word)
    }

    /// Reads the registry's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == word).map(|(status, _)| status)
    }

    /// The status after `change`.
    pub fn after(self, change: Change) -> Result<Self, Impossible> {
        match (self, change) {
            (Self::Revoked, _) => Err(Impossible::Revoked),
            (_, Change::Enable) => Ok(Self::Good),
            (_, Change::Disable) => Ok(Self::Disabled),
            (_, Change::ReportLost) => Ok(Self::Lost),
            (_, Change::Revoke) => Ok(Self::Revoked),
        }
    }

    /// The stage, given the token's owner and its use by the owner.
    pub fn stage(self, owned: Owned) -> Stage {
        match (self, owned) {
            (Self::Revoked, _) => Stage::Revoked,
            (Self::Lost, _) => Stage::Lost,
            (Self::Disabled, _) => Stage::Disabled,
            (Self::Good, Owned::No) => Stage::Inventory,
            (Self::Good, Owned::Unused) => Stage::Assigned,
            (Self::Good, Owned::Used) => Stage::Active,
        }
    }
}

/// A token's owner, and its use since it became theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owned {
    /// No owner.
    No,
    /// Never used.
    Unused,
    /// Used.
    Used,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_assigned_and_active_tokens_open_anything() {
        let usable: Vec<&str> =
            Stage::ALL.iter().filter(|(stage, _)| stage.is_usable()).map(|(_, word)| *word).collect();
        assert_eq!(usable, ["assigned", "active"]);
    }

    #[test]
    fn nothing_leads_back_from_revoked() {
        for change in [Change::Enable, Change::Disable, Change::ReportLost, Change::Revoke] {
            assert_eq!(TokenStatus::Revoked.after(change), Err(Impossible::Revoked));
        }
        assert_eq!(TokenStatus::Lost.after(Change::Enable), Ok(TokenStatus::Good), "it was found again");
    }

    #[test]
    fn words_are_read_back() {
        for (stage, word) in Stage::ALL {
            assert_eq!((word.parse(), stage.word()), (Ok(stage), word));
        }
        for (status, word) in TokenStatus::ALL {
            assert_eq!((TokenStatus::parse(word), status.word()), (Some(status), word));
        }
    }
}
