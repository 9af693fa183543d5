//! Why a try failed, and what the log says about it beside the reason.
//!
//! The user learns none of it.

use super::{ConversationError, Unidentified};
use crate::clock::ClockError;
use crate::reason::Reason;
use crate::store::StoreError;
use crate::user::UserName;

/// Why a try failed, with what the log should say beside the reason.
pub(super) struct Denial {
    pub(super) reason: Reason,
    pub(super) problem: Option<String>,
    pub(super) hint: Option<String>,
    /// Whether the next code of the same token could make it good.
    pub(super) near_miss: bool,
}

impl Denial {
    pub(super) fn of(reason: Reason) -> Self {
        Self { reason, problem: None, hint: None, near_miss: false }
    }

    pub(super) fn explained(reason: Reason, problem: &dyn ToString, hint: impl Into<String>) -> Self {
        Self { problem: Some(problem.to_string()), hint: Some(hint.into()), ..Self::of(reason) }
    }

    pub(super) fn password_repeated() -> Self {
        let problem = "the client answered the code prompt with the password";
        let hint = "client used password authentication; enable KbdInteractiveAuthentication";
        Self::explained(Reason::PasswordRepeated, &problem, hint)
    }

    /// sshd puts its dummy password in the place of whatever a user typed whom it will not let in anyway.
    pub(super) fn dummy_password(identified: &Result<UserName, Unidentified>) -> Self {
        match identified {
            Err(identification) => identification.into(),
            Ok(_) => {
                let problem = "sshd sent its stand-in for an answer: it does not let this user in, whatever is typed";
                let hint = "see AllowUsers, DenyUsers and PermitRootLogin in sshd_config";
                Self::explained(Reason::PasswordRepeated, &problem, hint)
            }
        }
    }
}

impl From<&Unidentified> for Denial {
    fn from(identification: &Unidentified) -> Self {
        match identification {
            Unidentified::Unknown => Self::of(Reason::UnknownUser),
            Unidentified::Failed(error) => Self::explained(Reason::StoreUnavailable, error, "try: getent passwd USER"),
        }
    }
}

impl From<StoreError> for Denial {
    fn from(error: StoreError) -> Self {
        Self::explained(error.reason(), &error, error.hint())
    }
}

impl From<ConversationError> for Denial {
    fn from(_: ConversationError) -> Self {
        Self::of(Reason::Conversation)
    }
}

impl From<ClockError> for Denial {
    fn from(error: ClockError) -> Self {
        Self::explained(Reason::StoreUnavailable, &error, "set the clock")
    }
}
