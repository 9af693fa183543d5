//! The time of a line: RFC 3339 says it, RFC 3164 leaves out the year and the zone.
//!
//! Invariants: a line without a year belongs to the latest year in which it is not younger than its file. A file that
//! was written for longer is seen to pass from December to January, and the years are counted.

use std::time::Duration;

use twofactor_core::host::clock::UnixTime;

/// The time at which a daemon had a line, by its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// With year and zone.
    Exact(UnixTime),
    /// Without.
    Yearless(Yearless),
}

/// A moment of some year, in the host's own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Yearless {
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// Hour, minute, second.
    pub time: [u8; 3],
}

/// The local time of the host.
pub trait Zone {
    /// The moment; `None` when that year does not have it.
    fn moment(&self, year: i32, yearless: Yearless) -> Option<UnixTime>;
}

impl Stamp {
    /// Reads the beginning of a line, and gives what follows the blank behind it.
    pub fn read(line: &str) -> Option<(Self, &str)> {
        if line.as_bytes().first()?.is_ascii_digit() {
            let (stamp, rest) = line.split_once(' ')?;
            return Some((Self::Exact(with_offset(stamp)?), rest));
        }
        let (yearless, rest) = (Yearless::read(line.get(..15)?)?, line.get(15..)?);
        Some((Self::Yearless(yearless), rest.strip_prefix(' ')?))
    }
}

impl Yearless {
    /// `Nov  1 22:27:54`.
    fn read(text: &str) -> Option<Self> {
        let month = month(text)?;
        let day = text.get(4..6)?.trim_start().parse().ok().filter(|day| (1..=31).contains(day))?;
        let mut time = [0; 3];
        let mut parts = text.get(7..)?.split(':');
        for (part, bound) in time.iter_mut().zip([24, 60, 61]) {
            *part = parts.next().filter(|part| part.len() == 2)?.parse().ok().filter(|number| *number < bound)?;
        }
        Some(Self { month, day, time })
    }
}

/// The month that a line without a year begins with.
pub fn month(line: &str) -> Option<u8> {
    const NAMES: [&str; 12] =
        ["Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ", "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec "];
    let name = line.get(..4)?;
    (1..).zip(NAMES).find(|(_, known)| *known == name).map(|(number, _)| number)
}

/// RFC 3339 with any offset.
pub fn with_offset(text: &str) -> Option<UnixTime> {
    if text.ends_with('Z') {
        return UnixTime::from_rfc3339(text);
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (sign, offset) = offset.split_at_checked(1)?;
    let (hours, minutes) = offset.split_once(':').filter(|(hours, _)| hours.len() == 2)?;
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let offset = 3600 * hours + 60 * minutes;
    let local = UnixTime::from_rfc3339(&format!("{local}Z"))?.seconds();
    let seconds = match sign {
        "+" => local.checked_sub(offset)?,
        "-" => local + offset,
        _ => return None,
    };
    Some(UnixTime::from_seconds(seconds))
}

/// Sees a file pass through the months, and counts the years that begin.
#[derive(Debug, Default, Clone, Copy)]
pub struct Turns {
    month: Option<u8>,
    years: i32,
}

impl Turns {
    /// The next line is of that month.
    pub fn see(&mut self, month: u8) {
        let last = self.month.replace(month).unwrap_or(month);
        match (last, month) {
            // Lines may be out of order by a little, also around New Year.
            (1, 12) => self.years -= 1,
            (last, month) if last > month + 1 => self.years += 1,
            _ => {}
        }
    }
}

/// The years that the lines of a file belong to.
pub struct Years<'z> {
    zone: &'z dyn Zone,
    /// The time at which the file was written last.
    written: UnixTime,
    /// The year of its first line, once that is known.
    first: Option<i32>,
    turns: Turns,
}

/// A clock that was set right in between may have been ahead by so much.
const AHEAD: Duration = Duration::from_hours(24);

impl<'z> Years<'z> {
    /// For a file that was written last at that moment. `seen` are the months of all its lines, `last` is its last line;
    /// `None` when nothing was looked up.
    pub fn new(zone: &'z dyn Zone, written: UnixTime, seen: Option<(Turns, Yearless)>) -> Self {
        let first = seen.and_then(|(turns, last)| Some(latest(zone, last, written)?.0 - turns.years));
        Self { zone, written, first, turns: Turns::default() }
    }

    /// The time of the file's next line.
    pub fn moment(&mut self, stamp: Stamp) -> Option<UnixTime> {
        let yearless = match stamp {
            Stamp::Exact(at) => return Some(at),
            Stamp::Yearless(yearless) => yearless,
        };
        match self.first {
            Some(first) => {
                self.turns.see(yearless.month);
                self.zone.moment(first + self.turns.years, yearless)
            }
            None => latest(self.zone, yearless, self.written).map(|(_, at)| at),
        }
    }

    /// Passes a line of that month that is not asked for.
    pub fn pass(&mut self, month: u8) {
        self.turns.see(month);
    }
}

/// The latest year in which a moment is not younger than `written`. Leap days come every eight years at the least.
fn latest(zone: &dyn Zone, yearless: Yearless, written: UnixTime) -> Option<(i32, UnixTime)> {
    let limit = written.after(AHEAD);
    let year: i32 = limit.to_string().get(..4)?.parse().ok()?;
    (year - 8..=year + 1)
        .rev()
        .filter_map(|year| Some((year, zone.moment(year, yearless)?)))
        .find(|(_, at)| *at <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host whose clock shows UTC.
    struct Utc;

    impl Zone for Utc {
        fn moment(&self, year: i32, yearless: Yearless) -> Option<UnixTime> {
            let Yearless { month, day, time: [hour, minute, second] } = yearless;
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
            UnixTime::from_rfc3339(&text).filter(|at| at.to_string() == text)
        }
    }

    fn at(text: &str) -> UnixTime {
        UnixTime::from_rfc3339(text).unwrap()
    }

    fn yearless(text: &str) -> Yearless {
        Yearless::read(text).unwrap()
    }

    /// The times of a whole file, and when it was written last.
    fn times(stamps: &[&str], written: &str) -> Vec<String> {
        let mut turns = Turns::default();
        for stamp in stamps {
            turns.see(month(stamp).unwrap());
        }
        let last = yearless(stamps.last().unwrap());
        let mut years = Years::new(&Utc, at(written), Some((turns, last)));
        stamps.iter().map(|stamp| years.moment(Stamp::Yearless(yearless(stamp))).unwrap().to_string()).collect()
    }

    #[test]
    fn a_line_belongs_to_the_latest_year_in_which_it_is_not_younger_than_its_file() {
        assert_eq!(times(&["Nov 21 22:27:54"], "2026-11-21T22:27:55Z"), ["2026-11-21T22:27:54Z"]);
        assert_eq!(times(&["Dec 31 23:59:59"], "2027-01-03T00:00:00Z"), ["2026-12-31T23:59:59Z"]);
        assert_eq!(times(&["Nov  1 00:00:00"], "2026-11-01T00:00:00Z"), ["2026-11-01T00:00:00Z"]);
        // The clock was half an hour ahead.
        assert_eq!(times(&["Nov 21 22:30:00"], "2026-11-21T22:00:00Z"), ["2026-11-21T22:30:00Z"]);
        assert_eq!(times(&["Feb 29 12:00:00"], "2027-01-01T00:00:00Z"), ["2024-02-29T12:00:00Z"]);
    }

    #[test]
    fn years_are_counted_in_a_file_that_was_never_rotated() {
        let stamps = ["Nov  1 00:00:00", "Jan  2 00:00:00", "Dec  3 00:00:00", "Jan  4 00:00:00"];
        let expected = ["2024-11-01T00:00:00Z", "2025-01-02T00:00:00Z", "2025-12-03T00:00:00Z", "2026-01-04T00:00:00Z"];
        assert_eq!(times(&stamps[..2], "2025-02-01T00:00:00Z"), expected[..2]);
        // From January to December at once is a line out of order, not eleven silent months.
        let in_between =
            ["Nov  1 00:00:00", "Jan  2 00:00:00", "Jun  3 00:00:00", "Dec  3 00:00:00", "Jan  4 00:00:00"];
        let times = times(&in_between, "2026-02-01T00:00:00Z");
        assert_eq!([&times[0], &times[1], &times[3], &times[4]], [expected[0], expected[1], expected[2], expected[3]]);
    }

    #[test]
    fn lines_out_of_order_at_new_year_begin_no_year_of_their_own() {
        let stamps = ["Dec 31 23:59:58", "Jan  1 00:00:00", "Dec 31 23:59:59", "Jan  1 00:00:01", "Feb  1 00:00:00"];
        let times = times(&stamps, "2026-02-01T00:00:00Z");
        assert_eq!(times[2], "2025-12-31T23:59:59Z");
        assert_eq!(times[3], "2026-01-01T00:00:01Z");
    }

    #[test]
    fn offsets_are_taken_into_account() {
        assert_eq!(with_offset("2026-11-21T22:27:54.5+01:00"), Some(at("2026-11-21T21:27:54Z")));
        assert_eq!(with_offset("2026-11-21T22:27:54-05:30"), Some(at("2026-11-22T03:57:54Z")));
        assert_eq!(with_offset("2026-11-21T22:27:54Z"), Some(at("2026-11-21T22:27:54Z")));
        for wrong in ["", "2026-11-21", "2026-11-21T22:27:54", "2026-11-21T22:27:54*01:00", "ä+01:00"] {
            assert_eq!(with_offset(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for wrong in ["Foo 21 22:27:54", "Nov 32 22:27:54", "Nov 21 24:27:54", "Nov 21 2:27:54 ", "Nov 21 22:27"] {
            assert_eq!(Yearless::read(wrong), None, "{wrong}");
        }
    }
}
