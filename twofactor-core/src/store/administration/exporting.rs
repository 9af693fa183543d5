//! The secrets of an account, as they are handed on to another system.

use crate::account::Confirmation;
use crate::account::lifecycle::TokenStatus;
use crate::codes::token::Token;

/// The secrets of a user. Recovery codes are digests and cannot be handed on.
#[derive(Debug)]
pub struct ExportedAccount {
    /// Apps, oldest first, then physical tokens.
    pub secrets: Vec<ExportedSecret>,
    /// The number of recovery codes that are still good.
    pub recovery_left: usize,
    /// The number of ssh keys.
    pub ssh_keys: usize,
}

/// A secret that leaves the store.
#[derive(Debug)]
pub struct ExportedSecret {
    /// The secret, its names and parameters. It begins where its codes are used up to.
    pub token: Token,
    /// Its standing: a lost token opens no session here.
    pub standing: SecretStanding,
}

/// The standing of a secret in its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretStanding {
    /// Of an app.
    App(Confirmation),
    /// Of a physical token.
    Token(TokenStatus),
}

impl SecretStanding {
    /// True when its codes open sessions.
    pub fn is_in_use(self) -> bool {
        matches!(self, Self::App(Confirmation::Confirmed) | Self::Token(TokenStatus::Good))
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::App(Confirmation::Confirmed) | Self::Token(TokenStatus::Good) => "in-use",
            Self::App(Confirmation::Pending) => "pending",
            Self::Token(status) => status.word(),
        }
    }
}
