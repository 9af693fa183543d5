//! One-time codes: HOTP (RFC 4226) and TOTP (RFC 6238), matched by step.
//!
//! A match is a [`Step`], never a yes: the caller must record the step, or the code could be used twice
//! (RFC 6238 §5.2). Steps at or below the watermark are reported as [`Match::Replayed`] and never as fresh.

//!
//! Looking far beyond the window, for tokens whose clock is off, is in `resynchronization`.

mod code;
mod key;
mod parameters;
mod progress;
mod resynchronization;
mod search;
mod step;
#[cfg(test)]
pub(crate) mod wrong_codes;

pub(crate) use key::hashed_key;
pub use parameters::{Algorithm, Digits, Kind, ParameterError, Parameters, Period, StatedParameters};
pub use progress::{Progress, Window};
pub use resynchronization::{
    APP_RESYNC_TIME, RESYNC_COUNTERS, RESYNC_TIME, Reach, Reaches, near_miss, recognize, resynchronize, steps_to,
};
pub(crate) use resynchronization::{distance, step_at};

pub use code::Code;
#[cfg(test)]
pub(crate) use code::code_of;
pub(crate) use search::is_within;
pub use search::{Match, burned_until, find};
pub use step::{LARGEST_DRIFT, LAST_COUNTER, Step, current_step};
