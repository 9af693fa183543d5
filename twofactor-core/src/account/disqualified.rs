//! The obstacles that keep even a right code from opening a session.

use super::credentials::Confirmation;
use super::factors::{Attestation, Factors};
use super::lifecycle::Stage;
use crate::log::reason::Reason;

/// The obstacle of one credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disqualified {
    /// The app was never confirmed, or its confirmation was taken back.
    NotConfirmed,
    /// The token is disabled or lost.
    Disabled(Stage),
    /// The policy does not accept its kind.
    NotAllowed,
}

impl Disqualified {
    /// The obstacle of an app where the policy accepts `factors`.
    pub fn app(confirmation: Confirmation, factors: Factors) -> Option<Self> {
        let pending = (confirmation == Confirmation::Pending).then_some(Self::NotConfirmed);
        pending.or((!factors.app).then_some(Self::NotAllowed))
    }

    /// The obstacle of a physical token.
    pub fn token(stage: Stage, factors: Factors) -> Option<Self> {
        let disabled = (!stage.is_usable()).then_some(Self::Disabled(stage));
        disabled.or((!factors.token).then_some(Self::NotAllowed))
    }

    /// The obstacle of the recovery codes.
    pub fn recovery(factors: Factors) -> Option<Self> {
        (!factors.recovery).then_some(Self::NotAllowed)
    }

    /// The obstacle of an ssh key.
    pub fn ssh_key(attestation: Attestation, factors: Factors) -> Option<Self> {
        (!factors.accept_ssh_key(attestation)).then_some(Self::NotAllowed)
    }

    /// The log's word for it.
    pub fn reason(self) -> Reason {
        match self {
            Self::NotConfirmed => Reason::NotConfirmed,
            Self::Disabled(_) => Reason::TokenDisabled,
            Self::NotAllowed => Reason::FactorNotAllowed,
        }
    }
}
