//! The rules by which a store judges answers. They belong to the store; no caller passes them.

use std::time::Duration;

use crate::account::throttle::{Count, Limits, Source, Throttle};
use crate::codes::otp::{Reaches, Window};
use crate::config::Config;
use crate::host::clock::UnixTime;

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
    /// The pause after each wrong code, beside that of the throttle, at a host of a fleet from which too many have come.
    pub slowed: Option<Duration>,
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
            slowed: None,
        }
    }

    /// True while no attempt from `source` is looked at, by the wrong codes of this throttle.
    pub(super) fn block(&self, throttle: &Throttle, source: &Source, now: UnixTime) -> bool {
        let pause = self.slowed.and_then(|pause| throttle.paused_until(source, pause, now));
        throttle.blocked_until(source, self.limits, now).is_some() || pause.is_some()
    }
}
