//! The rules by which a store judges answers. They belong to the store; no caller passes them.

use crate::account::throttle::{Count, Limits};
use crate::codes::otp::{Reaches, Window};
use crate::config::Config;

/// The window of codes and the throttle of guesses.
#[derive(Debug, Clone, Copy)]
pub struct VerificationRules {
    /// The window of one code.
    pub window: Window,
    /// The reach of two consecutive codes.
    pub reaches: Reaches,
    /// The throttle.
    pub limits: Limits,
    /// The count that wrong codes go on.
    pub count: Count,
}

impl VerificationRules {
    /// The same rules for attempts that go on another count.
    #[must_use]
    pub fn counting_on(self, count: Count) -> Self {
        Self { count, ..self }
    }

    /// The rules of a configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            window: config.window,
            reaches: Reaches::at_login(config.resync),
            limits: config.throttle,
            count: Count::Logins,
        }
    }
}
