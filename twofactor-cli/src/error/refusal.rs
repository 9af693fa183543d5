//! Reasons for which a code would not open a session, in words, with the log's word and a way out.

use thiserror::Error;
use twofactor_core::account::lifecycle::Stage;
use twofactor_core::codes::token::{Label, Serial};
use twofactor_core::host::shell::quoted;
use twofactor_core::host::user::{Uid, UserName};

/// The refusal of a login with a code, with the log's word.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    #[error("not a valid code for {0} right now (wrong-code)")]
    Wrong(UserName),
    #[error("that is no code (wrong-code)")]
    NoCode,
    #[error("it was used already (replayed)")]
    Replayed,
    #[error("it is right, but no code ever confirmed this secret (not-confirmed)")]
    NotConfirmed,
    #[error("the account belongs to uid {recorded}, and the user is uid {now} now (uid-changed)")]
    AnotherPerson { recorded: Uid, now: Uid },
    #[error("it is right, but token {serial} is {stage} (token-disabled)")]
    Unusable { serial: Serial, stage: Stage },
    #[error("token {serial} seems to be {} (wrong-code)", in_steps(*steps))]
    TokenOutOfStep { serial: Serial, steps: i64 },
    #[error("the app \"{label}\" seems to be {} (wrong-code)", in_steps(*steps))]
    AppOutOfStep { label: Label, steps: i64 },
}

/// The refusal of a token's code, with the log's word.
#[derive(Debug, Clone, Copy, Error)]
pub(crate) enum TokenRefusal {
    #[error("not a valid code of this token right now (wrong-code)")]
    Wrong,
    #[error("it was used already (replayed)")]
    Replayed,
}

/// `3 steps ahead`.
pub(crate) fn in_steps(steps: i64) -> String {
    match steps {
        0 => "in step".to_owned(),
        1 => "1 step ahead".to_owned(),
        -1 => "1 step behind".to_owned(),
        2.. => format!("{steps} steps ahead"),
        _ => format!("{} steps behind", steps.unsigned_abs()),
    }
}

impl Refusal {
    /// A way out for the sysadmin.
    pub(super) fn hint(&self, user: &UserName) -> String {
        match self {
            Self::Wrong(_) => "is the clock of the phone right? see: date -u".to_owned(),
            Self::NoCode => "a code has 6 to 8 digits, a recovery code 16".to_owned(),
            Self::Replayed => "wait for the next code".to_owned(),
            Self::AnotherPerson { .. } => {
                let user = quoted(user.as_str());
                format!("the same person: twofactor state adopt-uids {user}; another person: twofactor reset {user}")
            }
            Self::NotConfirmed => {
                format!("run \"twofactor enroll {}\", it shows the same secret again", quoted(user.as_str()))
            }
            Self::Unusable { serial, .. } => format!("run \"twofactor token enable {}\"", quoted(serial.as_str())),
            Self::TokenOutOfStep { serial, .. } => {
                format!("run \"twofactor token resync {}\"", quoted(serial.as_str()))
            }
            Self::AppOutOfStep { .. } => "set the clock of the phone, and look at this host's: date -u".to_owned(),
        }
    }
}

impl TokenRefusal {
    /// A way out for the sysadmin.
    pub(super) fn hint(self, serial: &Serial) -> String {
        match self {
            Self::Wrong => format!("is its clock off? run \"twofactor token resync {}\"", quoted(serial.as_str())),
            Self::Replayed => "wait for the next code".to_owned(),
        }
    }
}
