//! The arguments of `log` as they are typed. Dates and times of day are the host's; which moment they are, the command says.

use std::time::Duration;

use clap::Args;
use twofactor_admin::logbook::timestamp::with_offset;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::log::record::Event;

use super::values::PAGE;

const LOG_EXAMPLES: &str = "\
Examples:
  twofactor log --user alice --since yesterday
  twofactor log --denied --since 2h             who was refused, and why
  twofactor log --event assigned --event lost   what became of tokens
  twofactor log -n 20                           the last twenty events";

/// Show who logged in, who was refused, and what sysadmins did
#[derive(Debug, Args)]
#[command(help_template = PAGE, before_help = "From the journal, the syslog files and the registry, by time and without duplicates. Times are printed in UTC.", after_help = LOG_EXAMPLES)]
pub(crate) struct Log {
    /// Only what is about this user
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Only from this time on: 2026-11-01, "2026-11-01 22:15", RFC 3339, 2h (ago), today, yesterday
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub(crate) since: Option<When>,
    /// Only before this time
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub(crate) until: Option<When>,
    /// Only this event, like accepted or assigned; can be given more than once
    #[arg(long, value_name = "EVENT", value_parser = event)]
    pub(crate) event: Vec<Event>,
    /// Only refused logins: the same as --event denied
    #[arg(long)]
    pub(crate) denied: bool,
    /// Only what is about this PAM service
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: Option<String>,
    /// Only the last N events
    #[arg(long, short = 'n', value_name = "N", value_parser = lines)]
    pub(crate) lines: Option<u32>,
    /// Print one JSON object a line, instead of a list
    #[arg(long)]
    pub(crate) json_lines: bool,
}

/// The last events are held in memory until the end is known.
const MOST_LINES: u32 = 100_000;

fn lines(typed: &str) -> Result<u32, String> {
    let number = typed.parse().ok().filter(|number| (1..=MOST_LINES).contains(number));
    number.ok_or_else(|| format!("not a number from 1 to {MOST_LINES}"))
}

/// A moment as people say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// With its zone.
    At(UnixTime),
    /// So long ago.
    Ago(Duration),
    /// The beginning of the day that was so many days ago.
    Midnight { days_ago: u8 },
    /// The time on the host's clock.
    Local(jiff::civil::DateTime),
}

fn when(text: &str) -> Result<When, &'static str> {
    match text {
        "today" => return Ok(When::Midnight { days_ago: 0 }),
        "yesterday" => return Ok(When::Midnight { days_ago: 1 }),
        _ => {}
    }
    if let Ok(duration) = humantime::parse_duration(text) {
        return Ok(When::Ago(duration));
    }
    if let Some(at) = with_offset(text) {
        return Ok(When::At(at));
    }
    // Nothing else that jiff understands is promised.
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b' ' | b'T'));
    let local = text.parse().ok().filter(|_| plain && text.len() >= "2026-11-01".len());
    local
        .map(When::Local)
        .ok_or("a time is like 2026-11-01, \"2026-11-01 22:15\", 2026-11-01T22:15:00Z, 2h, today or yesterday")
}

fn event(word: &str) -> Result<Event, String> {
    let known = || Event::ALL.map(Event::word).join(", ");
    Event::from_word(word).ok_or_else(|| format!("the events are: {}", known()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_type_them() {
        assert_eq!(when("2h"), Ok(When::Ago(Duration::from_hours(2))));
        assert_eq!(when("1day 2h"), Ok(When::Ago(Duration::from_hours(26))));
        assert_eq!(when("yesterday"), Ok(When::Midnight { days_ago: 1 }));
        assert_eq!(when("2026-11-01"), Ok(When::Local(jiff::civil::date(2026, 11, 1).at(0, 0, 0, 0))));
        for text in ["2026-11-01 22:15", "2026-11-01T22:15", "2026-11-01 22:15:00"] {
            assert_eq!(when(text), Ok(When::Local(jiff::civil::date(2026, 11, 1).at(22, 15, 0, 0))), "{text}");
        }
        let at = UnixTime::from_rfc3339("2026-11-01T21:15:00Z").unwrap();
        assert_eq!(when("2026-11-01T21:15:00Z"), Ok(When::At(at)));
        assert_eq!(when("2026-11-01T22:15:00+01:00"), Ok(When::At(at)));
        for wrong in ["", "tomorrow", "11/01/2026", "2026-13-01", "2026-11-31", "22:15", "20261101", "-2h"] {
            assert!(when(wrong).is_err(), "{wrong}");
        }
    }
}
