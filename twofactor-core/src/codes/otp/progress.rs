//! The progress of a token, and the tolerance around it.
//!
//! Invariants: the watermark never falls, and what is learned from single codes stays near what two codes have shown.

use std::time::Duration;

use super::parameters::{Kind, Period};
use super::step::{LAST_COUNTER, Step, current_step};
use crate::host::clock::UnixTime;

/// The tolerance: the distance that a code may have from the expected step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Time accepted either side of now for TOTP; rounded down to whole steps, at most [`Window::MOST_STEPS`].
    pub drift: Duration,
    /// Counters tried beyond the next one for HOTP (RFC 4226 §7.4, the parameter s).
    pub look_ahead: u8,
    /// Steps either side that are accepted in any case; 0 but for a token's first login.
    pub least_steps: u64,
}

impl Window {
    /// The widest window we accept, in steps either side.
    pub const MOST_STEPS: u64 = 10;
    /// The window of a token's first login, in steps either side.
    pub const FIRST_USE_STEPS: u64 = 20;

    /// The window of a physical token's first login after its assignment: it may have lain in a drawer for years.
    #[must_use]
    pub fn for_first_use(self) -> Self {
        Self { least_steps: Self::FIRST_USE_STEPS, ..self }
    }

    pub(super) fn steps(self, period: Period) -> u64 {
        (self.drift.as_secs() / u64::from(period.seconds())).min(Self::MOST_STEPS).max(self.least_steps)
    }
}

impl Default for Window {
    fn default() -> Self {
        Self { drift: Duration::from_mins(1), look_ahead: 10, least_steps: 0 }
    }
}

/// The progress of a token: the part of it that changes with every login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// The newest step ever accepted. Nothing at or below it is accepted again.
    pub watermark: Option<Step>,
    /// The steps by which the token's clock is ahead (+) or behind (−), as learned from accepted codes.
    pub drift: i32,
    /// The drift that was established at once: by two consecutive codes, or a first login. Learning from single codes
    /// stays within [`Progress::MOST_DRIFT`] of it.
    pub anchor: i32,
}

impl Progress {
    /// Unattended learning never leads further than 10 steps away from the anchor.
    pub const MOST_DRIFT: i32 = 10;

    /// The progress after `step` was accepted at `now`: the watermark rises and the drift moves by at most one step.
    #[must_use]
    pub fn advanced(self, step: Step, kind: Kind, now: UnixTime) -> Self {
        let towards = (offset(step, kind, now) - i64::from(self.drift)).signum();
        let learned = self.drift.saturating_add(i32::try_from(towards).unwrap_or(0));
        let (least, most) =
            (self.anchor.saturating_sub(Self::MOST_DRIFT), self.anchor.saturating_add(Self::MOST_DRIFT));
        let drift = match kind {
            Kind::Hotp => 0,
            Kind::Totp(_) => learned.clamp(least, most),
        };
        Self { watermark: Some(self.raised(step)), drift, anchor: self.anchor }
    }

    /// The progress after `step` has established at `now` where the token's clock stands.
    #[must_use]
    pub fn anchored(self, step: Step, kind: Kind, now: UnixTime) -> Self {
        let drift = i32::try_from(offset(step, kind, now)).unwrap_or(0);
        Self { watermark: Some(self.raised(step)), drift, anchor: drift }
    }

    /// The progress of a token whose record was lost: every code is burned that can have been accepted until now. Where
    /// a counter stood is not known, so all its codes are burned: such a token is of no use any more.
    #[must_use]
    pub fn burned_blindly(self, kind: Kind, now: UnixTime) -> Self {
        match kind {
            Kind::Hotp => Self { watermark: Some(self.raised(Step(LAST_COUNTER))), ..self },
            Kind::Totp(period) => {
                // As far ahead as a first login can be, and learning can lead from there, and the window reaches then.
                let learned = i64::from(self.drift.max(0)) + i64::from(Self::MOST_DRIFT);
                let window = Window::FIRST_USE_STEPS + Window::MOST_STEPS;
                let reach = window.saturating_add_signed(learned);
                let last = Step(current_step(period, now).0.saturating_add(reach));
                Self { watermark: Some(self.raised(last)), ..self }
            }
        }
    }

    /// The progress of a token out of a backup, restored at `now`: codes that were used since the backup was made are not
    /// known. All that the token has shown until now is burned. A counter has no time, so its next code counts only
    /// together with the one after it.
    #[must_use]
    pub fn restored(self, kind: Kind, now: UnixTime) -> Self {
        match kind {
            Kind::Hotp => Self { anchor: Self::IN_DOUBT, ..self },
            Kind::Totp(period) => {
                let shown = current_step(period, now).0.saturating_add_signed(i64::from(self.drift));
                Self { watermark: Some(self.raised(Step(shown))), ..self }
            }
        }
    }

    /// The anchor of a counter above whose watermark codes may have been used. A counter has no other use for it, and two
    /// consecutive codes set it back to 0.
    const IN_DOUBT: i32 = 1;

    /// True when one code does not count: it may have been used before a restore.
    pub fn is_in_doubt(self, kind: Kind) -> bool {
        kind == Kind::Hotp && self.anchor == Self::IN_DOUBT
    }

    /// Of two records of one seed the one that knows more.
    #[must_use]
    pub fn latest(self, other: Self) -> Self {
        let knows_no_drift = self.drift == 0 && self.anchor == 0;
        if other.watermark > self.watermark || (other.watermark == self.watermark && knows_no_drift) {
            other
        } else {
            self
        }
    }

    fn raised(self, step: Step) -> Step {
        self.watermark.map_or(step, |watermark| watermark.max(step))
    }
}

/// The steps by which `step` is ahead of the host's clock. A counter has no clock.
pub(super) fn offset(step: Step, kind: Kind, now: UnixTime) -> i64 {
    match kind {
        Kind::Hotp => 0,
        Kind::Totp(period) => i64::try_from(i128::from(step.0) - i128::from(current_step(period, now).0)).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    #[test]
    fn a_restore_burns_what_the_token_has_shown_by_its_own_clock() {
        let kind = Kind::Totp(Period::THIRTY);
        let here = current_step(Period::THIRTY, NOW);
        let behind = Progress { watermark: Some(Step(7)), drift: -4, anchor: -4 };
        assert_eq!(behind.restored(kind, NOW), Progress { watermark: Some(Step(here.0 - 4)), ..behind });
        let ahead = Progress { watermark: Some(Step(here.0 + 9)), ..Progress::default() };
        assert_eq!(ahead.restored(kind, NOW), ahead, "the watermark never falls");
    }

    #[test]
    fn a_counter_is_in_doubt_until_two_codes_have_shown_where_it_stands() {
        let used = Progress { watermark: Some(Step(7)), ..Progress::default() };
        let restored = used.restored(Kind::Hotp, NOW);
        assert!(restored.is_in_doubt(Kind::Hotp) && restored.watermark == used.watermark);
        for known in [used.latest(restored), restored.latest(used)] {
            assert!(known.is_in_doubt(Kind::Hotp), "a record without the doubt does not hide it");
        }
        let shown = restored.anchored(Step(9), Kind::Hotp, NOW);
        assert!(!restored.latest(shown).is_in_doubt(Kind::Hotp));
    }
}
