//! Time steps and counters.

use super::parameters::Period;
use crate::host::clock::UnixTime;

/// The last counter that is ever used: no button is pressed that often, and it leaves room above it.
pub const LAST_COUNTER: u64 = 1 << 53;

/// The furthest that a token's clock may be off, in steps: what two consecutive codes can show for the shortest period.
pub const LARGEST_DRIFT: i32 = 24 * 3600 / 10;

/// A time step (TOTP) or a counter value (HOTP).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(pub u64);

/// The time step at `now` (RFC 6238 §4.2, T with T0 = 0).
pub fn current_step(period: Period, now: UnixTime) -> Step {
    Step(now.seconds() / u64::from(period.seconds()))
}
