//! The clocks of a server and of its database.
//!
//! Invariant: no code is judged by a time that the two do not agree on. They are compared in the statement that reads the account, and
//! behind the lock of tokens.

use twofactor_core::host::clock::{Clock as _, SystemClock, UnixTime};

use crate::error::ServerError;

/// Clocks that differ by more seconds than this judge nothing.
const MOST_APART: u64 = 60;

/// The present by this server's clock, where it agrees with the database's, which is in seconds since 1970.
pub(crate) fn agreed(theirs: f64) -> Result<UnixTime, ServerError> {
    let ours = SystemClock.now()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast to an integer saturates")]
    let apart = ours.seconds().abs_diff(theirs as u64);
    if apart > MOST_APART { Err(ServerError::ClockOff(apart)) } else { Ok(ours) }
}
