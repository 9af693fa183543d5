//! Time as a value.
//!
//! The core never makes a clock: a [`Clock`] is handed to stories and to the store, and everything below them takes a
//! [`UnixTime`]. What judges an attempt reads its clock once it holds the lock: a process that was stopped between the two
//! would carry a time of the past, at which burned codes were good and counted failures had not happened.

use std::fmt;
use std::time::{Duration, SystemTime};

use thiserror::Error;

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

/// The last moment we can write down: 9999-12-31T23:59:59Z.
const LAST: u64 = 253_402_300_799;

/// The clock cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the system clock is set before 1970 or after 9999")]
pub struct ClockError;

impl UnixTime {
    /// A time from seconds since 1970; later than the year 9999 is cut to its end.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(if seconds < LAST { seconds } else { LAST })
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// Reads RFC 3339 in UTC (`2026-11-21T22:27:54Z`).
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let time = humantime::parse_rfc3339(text).ok()?;
        Self::try_from(time).ok()
    }

    /// This moment plus `duration`.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self::from_seconds(self.0.saturating_add(duration.as_secs()))
    }

    /// The time that passed since `earlier`; `None` when `earlier` lies in the future.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0).map(Duration::from_secs)
    }
}

impl TryFrom<SystemTime> for UnixTime {
    type Error = ClockError;

    fn try_from(time: SystemTime) -> Result<Self, ClockError> {
        let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| ClockError)?;
        if since_epoch.as_secs() <= LAST { Ok(Self(since_epoch.as_secs())) } else { Err(ClockError) }
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(self.0);
        humantime::format_rfc3339_seconds(time).fmt(formatter)
    }
}

/// Tells the time to a story, which needs it again after every prompt, and to a store, which needs it under the lock.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> Result<UnixTime, ClockError>;
}

/// The host's clock. The programs hand it in; nothing in the core makes one.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Result<UnixTime, ClockError> {
        SystemTime::now().try_into()
    }
}

/// A fixed moment is a clock too: for tests and for judging a given time.
impl Clock for UnixTime {
    fn now(&self) -> Result<UnixTime, ClockError> {
        Ok(*self)
    }
}

/// A clock that a test sets by hand. Clones show the same time.
#[cfg(test)]
#[derive(Debug, Clone)]
pub(crate) struct HandSet(std::sync::Arc<std::sync::atomic::AtomicU64>);

#[cfg(test)]
impl HandSet {
    pub(crate) fn at(time: UnixTime) -> Self {
        Self(std::sync::Arc::new(time.0.into()))
    }

    pub(crate) fn set(&self, time: UnixTime) {
        self.0.store(time.0, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(test)]
impl Clock for HandSet {
    fn now(&self) -> Result<UnixTime, ClockError> {
        Ok(UnixTime(self.0.load(std::sync::atomic::Ordering::SeqCst)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_as_rfc_3339_in_utc() {
        let time = UnixTime::from_seconds(1_795_300_074);
        assert_eq!(time.to_string(), "2026-11-21T22:27:54Z");
        assert_eq!(UnixTime::from_rfc3339("2026-11-21T22:27:54Z"), Some(time));
        assert_eq!(UnixTime::from_rfc3339("yesterday"), None);
    }

    #[test]
    fn a_clock_before_1970_is_an_error_and_not_a_panic() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(UnixTime::try_from(before), Err(ClockError));
    }
}
