//! What is asked of whom.
//!
//! What always holds: only this file can make a [`Waived`], and for `optional` it needs the store's proof that the user
//! has no account. Whatever is not known for certain is asked.

use crate::config::{Config, Level};
use crate::store::Absent;

/// The `nullok` argument of a PAM line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NullOk {
    /// `required` means required.
    #[default]
    No,
    /// `required` means `optional` on this line.
    Yes,
}

/// What the policy says of a login.
#[derive(Debug)]
#[must_use]
pub enum Decision {
    /// Ask for a code.
    Ask,
    /// Ask unless the user provably has no account.
    AskTheEnrolled(Optional),
    /// Do not ask.
    Waive(Waived),
}

/// The policy's leave to waive the second factor for somebody without an account.
#[derive(Debug)]
pub struct Optional(());

/// Proof that the policy asks nothing of this login.
#[derive(Debug)]
#[must_use]
pub struct Waived {
    why: &'static str,
}

impl Decision {
    /// For the log, when the line asks for `debug`.
    pub fn in_words(&self) -> &'static str {
        match self {
            Self::Ask => "policy: everybody is asked for a code",
            Self::AskTheEnrolled(_) => "policy: whoever is enrolled is asked for a code",
            Self::Waive(_) => "policy: nobody is asked for a code",
        }
    }
}

impl Optional {
    /// Waives the second factor for somebody whose absence the store has proved.
    pub fn waive(self, _proof: Absent) -> Waived {
        Waived { why: "optional-not-enrolled" }
    }
}

impl Waived {
    /// The log's word for it.
    pub fn why(&self) -> &'static str {
        self.why
    }
}

/// What `config` asks on a PAM line with or without `nullok`.
pub fn decide(config: &Config, null_ok: NullOk) -> Decision {
    match (config.default_level, null_ok) {
        (Level::Required, NullOk::No) => Decision::Ask,
        (Level::Required, NullOk::Yes) | (Level::Optional, _) => Decision::AskTheEnrolled(Optional(())),
        (Level::Off, _) => Decision::Waive(Waived { why: "off" }),
    }
}
