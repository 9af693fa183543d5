//! The quota of wrong codes that a host of a fleet has: with more of them it is slowed for each user, and never stopped.
//!
//! The throttle bounds the guesses against one user. A host that guesses for a whole fleet stays below it with each of them; the
//! quota bounds their sum.

use std::time::Duration;

/// The pause after a wrong code at a host that has filled its quota once. It doubles each time that the quota is filled again.
const PAUSE: Duration = Duration::from_hours(1);

/// The longest pause.
const LONGEST: Duration = Duration::from_hours(24);

/// A count of one host in this hour and in the one before, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hourly {
    /// The hour, since 1970.
    pub hour: i64,
    /// The count of it.
    pub count: i32,
    /// The count of the hour before.
    pub before: i32,
}

impl Hourly {
    /// The number within the last sixty minutes, at a time in seconds since 1970. Those of the hour before count in part, as if they
    /// had come evenly.
    pub fn lately(self, now: f64) -> f64 {
        let hours = now / 3600.0;
        let left = 1.0 - hours.fract();
        #[expect(clippy::cast_possible_truncation, reason = "a cast to an integer saturates")]
        match hours as i64 - self.hour {
            // A clock that was set back forgives nothing.
            ..=0 => f64::from(self.count) + f64::from(self.before) * left,
            1 => f64::from(self.count) * left,
            _ => 0.0,
        }
    }
}

/// The pause after each wrong code for a user at a host from which so many wrong codes have come lately; `None` within the quota.
pub fn pause(lately: f64, quota: u32) -> Option<Duration> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast to an integer saturates")]
    let filled = (lately / f64::from(quota.max(1))) as u32;
    let doublings = filled.checked_sub(1)?;
    Some(PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wrong_codes_of_sixty_minutes_are_counted_across_the_hour() {
        let counted = Hourly { hour: 500_000, count: 40, before: 200 };
        let at = |minutes: f64| format!("{:.0}", counted.lately((500_000.0 * 60.0 + minutes) * 60.0));
        assert_eq!([0.0, 30.0, 59.9].map(at), ["240", "140", "40"]);
        assert_eq!([60.0, 90.0, 120.0].map(at), ["40", "20", "0"]);
        assert_eq!(at(-60.0), "240", "a clock that was set back");
    }

    #[test]
    fn the_pause_doubles_each_time_that_the_quota_is_filled_and_ends_at_a_day() {
        let hours = |lately| pause(lately, 200).map(|pause| pause.as_secs() / 3600);
        assert_eq!([0.0, 199.9].map(hours), [None; 2]);
        assert_eq!([200.0, 399.0, 400.0, 800.0, 1000.0, 1200.0, 1e12].map(hours), [1, 1, 2, 8, 16, 24, 24].map(Some));
    }
}
