//! The rules by which a store judges answers. They belong to the store, and no caller says them.

use crate::account::throttle::Limits;
use crate::codes::otp::{Reaches, Window};
use crate::config::Config;

/// How far off a code may be, and how guessing is slowed.
#[derive(Debug, Clone, Copy)]
pub struct VerificationRules {
    /// How far off one code may be.
    pub window: Window,
    /// How far off two consecutive codes may be.
    pub reaches: Reaches,
    /// How guessing is slowed.
    pub limits: Limits,
}

impl VerificationRules {
    /// The rules of a configuration.
    pub fn of(config: &Config) -> Self {
        Self { window: config.window, reaches: Reaches::at_login(config.resync), limits: config.throttle }
    }
}
