//! The host's time zone: for dates as people type them, and for log lines that leave it out.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use twofactor_admin::logbook::timestamp::{Yearless, Zone};
use twofactor_core::host::clock::UnixTime;

use crate::args::log::When;

/// The time zone of this host.
#[derive(Debug)]
pub(super) struct HostZone(TimeZone);

impl HostZone {
    /// As `TZ` or `/etc/localtime` say.
    pub(super) fn of_this_host() -> Self {
        Self(TimeZone::system())
    }

    /// The moment that is meant. Moments before 1970 are the beginning of time.
    pub(super) fn moment_of(&self, when: When, now: UnixTime) -> UnixTime {
        let beginning = UnixTime::from_seconds(0);
        match when {
            When::At(at) => at,
            When::Ago(duration) => UnixTime::from_seconds(now.seconds().saturating_sub(duration.as_secs())),
            When::Local(local) => self.at(local).unwrap_or(beginning),
            When::Midnight { days_ago } => self.midnight(now, days_ago).unwrap_or(beginning),
        }
    }

    fn midnight(&self, now: UnixTime, days_ago: u8) -> Option<UnixTime> {
        let now = Timestamp::from_second(i64::try_from(now.seconds()).ok()?).ok()?;
        let today = self.0.to_datetime(now).date();
        let day = today.checked_sub(i64::from(days_ago).days()).ok()?;
        self.at(day.at(0, 0, 0, 0))
    }

    /// The first of the moments at which the clocks show this, or would have, had they not been put forward.
    fn at(&self, local: DateTime) -> Option<UnixTime> {
        let at = self.0.to_ambiguous_timestamp(local).compatible().ok()?;
        u64::try_from(at.as_second()).ok().map(UnixTime::from_seconds)
    }
}

impl Zone for HostZone {
    fn moment(&self, year: i32, yearless: Yearless) -> Option<UnixTime> {
        let Yearless { month, day, time: [hour, minute, second] } = yearless;
        let number = |value: u8| i8::try_from(value).ok();
        let year = i16::try_from(year).ok()?;
        let day = Date::new(year, number(month)?, number(day)?).ok()?;
        // A leap second has no place of its own.
        let time = Time::new(number(hour)?, number(minute)?, number(second.min(59))?, 0).ok()?;
        self.at(day.to_datetime(time))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// Central Europe, whatever this host's zones are.
    fn berlin() -> HostZone {
        HostZone(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap())
    }

    fn moment(when: When) -> String {
        let now = UnixTime::from_rfc3339("2026-11-21T23:30:00Z").unwrap();
        berlin().moment_of(when, now).to_string()
    }

    #[test]
    fn days_begin_at_the_hosts_own_midnight() {
        assert_eq!(moment(When::Midnight { days_ago: 0 }), "2026-11-21T23:00:00Z");
        assert_eq!(moment(When::Midnight { days_ago: 1 }), "2026-11-20T23:00:00Z");
        assert_eq!(moment(When::Local(date(2026, 7, 1).at(12, 0, 0, 0))), "2026-07-01T10:00:00Z");
        assert_eq!(moment(When::Ago(std::time::Duration::from_hours(2))), "2026-11-21T21:30:00Z");
        assert_eq!(moment(When::Local(date(1969, 1, 1).at(0, 0, 0, 0))), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_line_without_a_zone_is_of_the_hosts_zone() {
        let line = |month, day, hour| Yearless { month, day, time: [hour, 30, 60] };
        let at = |yearless| berlin().moment(2026, yearless).map(|at| at.to_string());
        assert_eq!(at(line(11, 21, 22)).as_deref(), Some("2026-11-21T21:30:59Z"));
        assert_eq!(at(line(7, 1, 22)).as_deref(), Some("2026-07-01T20:30:59Z"));
        // An hour that does not exist, and a day that does not.
        assert_eq!(at(line(3, 29, 2)).as_deref(), Some("2026-03-29T01:30:59Z"));
        assert_eq!(at(line(2, 29, 2)), None);
    }
}
