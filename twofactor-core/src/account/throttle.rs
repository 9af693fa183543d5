//! Slows guessing down: free attempts, then a delay that doubles up to a cap. Never a permanent lock.
//!
//! Failures are counted per user and per (user, source). A login is judged by both counts, with one exception: the
//! source of the last accepted login is judged by its own count alone, so that an attacker elsewhere who knows a user's
//! name can slow himself down but not lock the user out. What an accepted login clears is its own source's count; the
//! user's count falls to the largest that another source has left.
//!
//! An accepted login would so make room for further guesses from addresses that were never seen before. What bounds them
//! is a budget of wrong codes from anywhere but the trusted source, which no login refills: time does, by one code each
//! `max_delay`. It is as large as the burst that the delays allow at once, so it never binds who guesses from one address.
//!
//! In a fleet a source is an address at a host, and the host of the last accepted login has a budget of its own: an attempt there, from
//! another address or by a program without root, is judged by what was guessed there, so no other host delays it. A host that becomes
//! the host of the last login begins with what was counted before, or each login elsewhere would make room for guesses.
//!
//! With the default limits an attacker who has the password and guesses without pause gets 96 guesses a day, and eleven more
//! on the first, however many addresses he has and however often the user logs in; in a fleet as many more where he guesses at the host of
//! the user's last login, too; with five acceptable codes out of 10^6
//! that is an even chance after about four years.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::codes::digest::Digest;
use crate::host::clock::UnixTime;

/// The `[throttle]` section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wrong codes without a delay.
    pub free_attempts: u32,
    /// The delay after the last free attempt; doubles with every further wrong code.
    pub first_delay: Duration,
    /// The longest delay.
    pub max_delay: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { free_attempts: 5, first_delay: Duration::from_secs(15), max_delay: Duration::from_mins(15) }
    }
}

impl Limits {
    /// Limits that allow no more guesses than either of two.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        Self {
            free_attempts: self.free_attempts.min(other.free_attempts),
            first_delay: self.first_delay.max(other.first_delay),
            max_delay: self.max_delay.max(other.max_delay),
        }
    }

    /// Wrong codes that a budget allows within this time at most. `None` where nothing is delayed.
    pub fn most_within(self, time: Duration) -> Option<u32> {
        let forgiven = time.as_secs().div_ceil(self.max_delay.as_secs().max(1));
        Some(self.burst()?.saturating_add(u32::try_from(forgiven).unwrap_or(u32::MAX)))
    }

    /// Wrong codes that the delays allow at once: the free ones, and one for each delay that is shorter than the longest.
    /// `None` where nothing is delayed.
    fn burst(self) -> Option<u32> {
        if self.first_delay.is_zero() || self.max_delay.is_zero() {
            return None;
        }
        let mut delay = self.first_delay;
        let mut burst = self.free_attempts.max(1);
        while delay < self.max_delay {
            delay = delay.saturating_mul(2);
            burst = burst.saturating_add(1);
        }
        Some(burst)
    }
}

/// The counts of wrong codes that an account has for attempts to open something. One says nothing to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Logins that root's programs ask about.
    Logins,
    /// Answers to such logins where no code is needed and one may be there.
    Stripping,
    /// Attempts of processes without root. A program in a user's session that guesses delays none of the user's logins.
    Unprivileged,
    /// Codes that users read to a helpdesk without root. A member who guesses delays nothing of the user's, and no member can
    /// forget these.
    Helpdesk,
}

impl Count {
    /// The counts that a helpdesk forgets for a user. Only root forgets those of the helpdesk, or guessing there had no bound.
    pub const OF_USER: [Self; 3] = [Self::Logins, Self::Stripping, Self::Unprivileged];
    /// Every count.
    pub const ALL: [Self; 4] = [Self::Logins, Self::Stripping, Self::Unprivileged, Self::Helpdesk];

    /// The count for an answer to which no code is needed. Of processes without root, all attempts go on one.
    #[must_use]
    pub fn where_none_is_needed(self) -> Self {
        match self {
            Self::Logins | Self::Stripping => Self::Stripping,
            Self::Unprivileged => Self::Unprivileged,
            Self::Helpdesk => Self::Helpdesk,
        }
    }
}

/// A count without a wrong code for this long is forgotten. It is far longer than any delay, so waiting for it gains
/// nothing over guessing at the capped rate.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// The same wrong code sent again within this time counts once: clients retry by themselves.
const REPEATED_WITHIN: Duration = Duration::from_mins(1);

/// Sources remembered for one user; the one that was quiet longest makes room.
pub const MOST_SOURCES: usize = 16;

/// The source of a login, as far as counting needs to know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source(String);

impl Source {
    /// From PAM_RHOST: an address in its canonical form, the empty text when there is none, `?` for what is too long or not printable
    /// ASCII (all of these share one count, and none of them is ever trusted).
    pub fn from_rhost(rhost: Option<&str>) -> Self {
        let Some(rhost) = rhost.filter(|rhost| !rhost.is_empty()) else {
            return Self(String::new());
        };
        if let Ok(address) = rhost.parse::<IpAddr>() {
            return Self(address.to_canonical().to_string());
        }
        let plain = rhost.len() <= LONGEST_SOURCE
            && rhost.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
        Self(if plain { rhost.to_ascii_lowercase() } else { UNNAMED.to_owned() })
    }

    /// The source of what a program without root asks, which can claim any other: never trusted.
    pub fn claimed() -> Self {
        Self(UNNAMED.to_owned())
    }

    /// The source as one of a host of a fleet, which says itself where its logins come from. What is never trusted is that there, too.
    #[must_use]
    pub fn at_host(&self, host: &str) -> Self {
        if self.is_unnamed() {
            let unnamed = format!("{}{UNNAMED_THERE}", host.to_ascii_lowercase());
            let digest = || format!("{}{UNNAMED_THERE}", Digest::of("source", &[host.as_bytes()])).to_ascii_lowercase();
            return Self(if unnamed.len() <= LONGEST_SOURCE { unnamed } else { digest() });
        }
        let named = format!("{host}/{}", self.0);
        if named.len() <= LONGEST_SOURCE {
            return Self::from_rhost(Some(&named));
        }
        // Under a digest: no two share one.
        Self(Digest::of("source", &[named.as_bytes()]).to_string().to_ascii_lowercase())
    }

    /// The host of a fleet that it is at; `None` on a host alone.
    fn host(&self) -> Option<&str> {
        self.0.split_once('/').map(|(host, _)| host)
    }

    /// True for what is not told from others, so that an accepted login makes none of it trusted.
    fn is_unnamed(&self) -> bool {
        self.0 == UNNAMED || self.0.ends_with(UNNAMED_THERE)
    }

    /// The text that is stored; [`Source::from_rhost`] reads it back.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// For people: `local` is no name a remote host could have in the stored form.
impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_empty() { "local" } else { &self.0 })
    }
}

const UNNAMED: &str = "?";

/// The end of the same at a host of a fleet.
const UNNAMED_THERE: &str = "/?";

/// The longest text of a source, in bytes.
pub const LONGEST_SOURCE: usize = 128;

/// Wrong codes in a row, and when the last one came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failures {
    /// The number of attempts.
    pub count: u32,
    /// The time of the last one; `None` when there was none.
    pub last: Option<UnixTime>,
}

impl Failures {
    /// The moment from which the next attempt is looked at; `None` when that is now.
    ///
    /// A last failure dated later than now counts as made now: the clock has been set back. So it delays by one delay at
    /// most, once [`Throttle::set_back`] has written that down, and an attacker who makes the clock lag gains nothing.
    pub fn blocked_until(&self, limits: Limits, now: UnixTime) -> Option<UnixTime> {
        let last = self.last?.min(now);
        if self.forgotten(now) {
            return None;
        }
        // The first attempt is always free: there is no failure yet that a delay could follow.
        let doublings = self.count.checked_sub(limits.free_attempts.max(1))?;
        let delay = limits.first_delay.saturating_mul(2_u32.saturating_pow(doublings)).min(limits.max_delay);
        let until = last.after(delay);
        (until > now).then_some(until)
    }

    /// This count as a budget: one code each `max_delay` is forgiven, whatever happens.
    fn drained(self, limits: Limits, now: UnixTime) -> Self {
        let passed = self.last.and_then(|last| now.since(last)).unwrap_or_default();
        let forgiven = passed.as_secs().checked_div(limits.max_delay.as_secs()).unwrap_or(u64::MAX);
        match u32::try_from(forgiven).ok().and_then(|forgiven| Some((forgiven, self.count.checked_sub(forgiven)?))) {
            Some((forgiven, count)) if count > 0 => {
                Self { count, last: self.last.map(|last| last.after(limits.max_delay.saturating_mul(forgiven))) }
            }
            _ => Self { count: 0, last: Some(now) },
        }
    }

    /// This budget after one wrong code more. Further than what delays by one `max_delay` it goes by `over` codes at most.
    fn spent(self, over: u32, limits: Limits, now: UnixTime) -> Self {
        let Self { count, last } = self.drained(limits, now);
        let most = limits.burst().map_or(u32::MAX, |burst| burst.saturating_add(over));
        Self { count: count.saturating_add(1).min(most), last }
    }

    /// The moment from which a budget allows another wrong code; `None` when that is now.
    fn exhausted_until(self, limits: Limits, now: UnixTime) -> Option<UnixTime> {
        let left = Self { last: self.last.map(|last| last.min(now)), ..self }.drained(limits, now);
        let excess = left.count.checked_sub(limits.burst()?)?.saturating_add(1);
        Some(left.last?.after(limits.max_delay.saturating_mul(excess)))
    }

    fn charged(self, now: UnixTime) -> Self {
        let count = if self.forgotten(now) { 0 } else { self.count };
        Self { count: count.saturating_add(1), last: Some(now) }
    }

    fn forgotten(self, now: UnixTime) -> bool {
        self.last.and_then(|last| now.since(last)).is_some_and(|quiet| quiet >= FORGOTTEN_AFTER)
    }
}

/// The attempts of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRecord {
    /// The source.
    pub source: Source,
    /// Its wrong codes.
    pub failures: Failures,
}

/// The counts of one user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Throttle {
    /// Wrong codes from anywhere.
    pub user: Failures,
    /// Wrong codes by source, at most [`MOST_SOURCES`].
    pub sources: Vec<SourceRecord>,
    /// Wrong codes from anywhere but the trusted source, as a budget. No login forgives them, only time.
    pub budget: Failures,
    /// The same of the host of the last accepted login, where it is one of a fleet. From the trusted source as well: who holds that
    /// host can claim it.
    pub home: Failures,
    /// The source of the last accepted login. One that is never trusted stands here where it names the host.
    pub last_source: Option<Source>,
    /// The last wrong answer, to recognise a client that sends it again.
    pub last_wrong: Option<(Digest, UnixTime)>,
}

impl Throttle {
    /// The moment from which an attempt from `source` is looked at; `None` when that is now.
    pub fn blocked_until(&self, source: &Source, limits: Limits, now: UnixTime) -> Option<UnixTime> {
        let own = self.record(source).and_then(|record| record.failures.blocked_until(limits, now));
        if self.trusts(source) {
            return own;
        }
        let others = if self.is_at_home(source) {
            self.home.exhausted_until(limits, now)
        } else {
            self.others_blocked_until(limits, now)
        };
        own.max(others)
    }

    /// The same for a source that has no wrong code of its own, and is not that of the last accepted login or at its host.
    pub fn others_blocked_until(&self, limits: Limits, now: UnixTime) -> Option<UnixTime> {
        self.user.blocked_until(limits, now).max(self.budget.exhausted_until(limits, now))
    }

    /// The moment from which an attempt from `source` is looked at where each wrong code is followed by this pause; `None` when that
    /// is now. As with the delays, the source of the last accepted login is judged by its own wrong codes alone, and others at the
    /// host of that login by those at this host.
    pub fn paused_until(&self, source: &Source, pause: Duration, now: UnixTime) -> Option<UnixTime> {
        let own = self.record(source).and_then(|record| record.failures.last);
        let last = if self.trusts(source) {
            own
        } else if self.is_at_home(source) {
            let there = self.sources.iter().filter(|record| record.source.host() == source.host());
            there.filter_map(|record| record.failures.last).max()
        } else {
            own.max(self.user.last)
        };
        last.map(|last| last.min(now).after(pause)).filter(|until| *until > now)
    }

    /// Counts as made now all that is dated later than `now`.
    pub fn set_back(&mut self, now: UnixTime) {
        let failures = self.sources.iter_mut().map(|record| &mut record.failures);
        let failures = failures.chain([&mut self.user, &mut self.budget, &mut self.home]);
        let last_wrong = self.last_wrong.iter_mut().map(|(_, at)| at);
        for time in failures.filter_map(|failures| failures.last.as_mut()).chain(last_wrong) {
            *time = now.min(*time);
        }
    }

    /// The time of the last entry here.
    pub fn latest(&self) -> Option<UnixTime> {
        let failures = self.sources.iter().map(|record| record.failures).chain([self.user, self.budget, self.home]);
        failures.filter_map(|failures| failures.last).chain(self.last_wrong.iter().map(|(_, at)| *at)).max()
    }

    /// Counts an attempt before its code is looked at. The same answer within a minute counts once.
    pub fn charge(&mut self, source: &Source, answer: Digest, limits: Limits, now: UnixTime) {
        let repeated = self.last_wrong.as_ref().is_some_and(|(digest, at)| {
            *digest == answer && now.since(*at).is_some_and(|passed| passed < REPEATED_WITHIN)
        });
        if repeated {
            return;
        }
        self.last_wrong = Some((answer, now));
        self.user = self.user.charged(now);
        if !self.trusts(source) {
            self.budget = self.budget.spent(0, limits, now);
        }
        if self.is_at_home(source) {
            // The trusted source is not held up by it: its guesses go on top, or who claims both would have twice as many.
            self.home = self.home.spent(1, limits, now);
        }
        if let Some(record) = self.sources.iter_mut().find(|record| record.source == *source) {
            record.failures = record.failures.charged(now);
            return;
        }
        if self.sources.len() >= MOST_SOURCES {
            let quietest = self.sources.iter().enumerate().min_by_key(|(_, record)| record.failures.last);
            if let Some((position, _)) = quietest {
                self.sources.remove(position);
            }
        }
        self.sources.push(SourceRecord { source: source.clone(), failures: Failures::default().charged(now) });
    }

    /// Forgets what an accepted login from `source` makes up for, which is nothing of the budgets, and trusts that source from now on,
    /// where it is one that is told from others.
    pub fn accept(&mut self, source: &Source, limits: Limits, now: UnixTime) {
        self.sources.retain(|record| record.source != *source);
        let largest = self.sources.iter().map(|record| record.failures).max_by_key(|failures| failures.count);
        self.user = largest.unwrap_or_default();
        if !self.is_at_home(source) {
            let [home, budget] = [self.home, self.budget].map(|budget| budget.drained(limits, now));
            let larger = if home.count > budget.count { home } else { budget };
            self.home = if source.host().is_some() { larger } else { Failures::default() };
        }
        self.last_source = (source.0 != UNNAMED).then(|| source.clone());
        self.last_wrong = None;
    }

    /// True for the source of the last accepted login.
    fn trusts(&self, source: &Source) -> bool {
        self.last_source.as_ref() == Some(source) && !source.is_unnamed()
    }

    /// True at the host of the last accepted login, in a fleet.
    fn is_at_home(&self, source: &Source) -> bool {
        let home = self.last_source.as_ref().and_then(Source::host);
        home.is_some() && home == source.host()
    }

    fn record(&self, source: &Source) -> Option<&SourceRecord> {
        self.sources.iter().find(|record| record.source == *source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::recovery::Salt;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    fn from(rhost: &str) -> Source {
        Source::from_rhost(Some(rhost))
    }

    fn digest(number: u32) -> Digest {
        Salt::parse("AAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap().fingerprint(&number.to_string())
    }

    fn later(seconds: u64) -> UnixTime {
        NOW.after(Duration::from_secs(seconds))
    }

    #[test]
    fn with_a_pause_one_wrong_code_is_looked_at_and_the_source_of_the_last_login_waits_for_its_own_alone() {
        let mut throttle = Throttle::default();
        let (home, elsewhere, limits, hour) =
            (from("home/"), from("web1/192.0.2.7"), Limits::default(), Duration::from_hours(1));
        throttle.accept(&home, Limits::default(), NOW);
        assert_eq!(throttle.paused_until(&elsewhere, hour, NOW), None);
        throttle.charge(&elsewhere, digest(0), limits, NOW);
        for source in [&elsewhere, &from("web1/192.0.2.8")] {
            assert_eq!(throttle.paused_until(source, hour, later(1)), Some(later(3600)));
            assert_eq!(throttle.paused_until(source, hour, later(3600)), None);
        }
        assert_eq!(throttle.paused_until(&home, hour, later(1)), None);
        throttle.charge(&home, digest(1), limits, later(10));
        assert_eq!(throttle.paused_until(&home, hour, later(11)), Some(later(3610)));
        // A login there makes room there, and nowhere else.
        throttle.accept(&home, Limits::default(), NOW);
        assert_eq!(throttle.paused_until(&home, hour, later(12)), None);
        assert_eq!(throttle.paused_until(&elsewhere, hour, later(12)), Some(later(3600)));
    }

    #[test]
    fn five_attempts_are_free_then_the_delay_doubles_up_to_the_cap() {
        let mut throttle = Throttle::default();
        let (source, limits) = (from("192.0.2.7"), Limits::default());
        for number in 0..4 {
            throttle.charge(&source, digest(number), Limits::default(), NOW);
        }
        assert_eq!(throttle.blocked_until(&source, limits, NOW), None);
        for (number, delay) in (4..).zip([15, 30, 60, 120, 240, 480, 900, 900]) {
            throttle.charge(&source, digest(number), Limits::default(), NOW);
            assert_eq!(throttle.blocked_until(&source, limits, NOW), Some(later(delay)), "after {}", number + 1);
        }
        assert_eq!(throttle.blocked_until(&source, limits, later(900)), None, "never a permanent lock");
    }

    #[test]
    fn the_same_wrong_code_within_a_minute_counts_once() {
        let mut throttle = Throttle::default();
        for second in 0..10 {
            throttle.charge(&from("192.0.2.7"), digest(1), Limits::default(), later(second));
        }
        assert_eq!(throttle.user.count, 1);
        throttle.charge(&from("192.0.2.7"), digest(1), Limits::default(), later(60));
        assert_eq!(throttle.user.count, 2);
    }

    #[test]
    fn a_stranger_cannot_lock_out_the_source_that_logged_in_last() {
        let (home, stranger, limits) = (from("192.0.2.7"), from("198.51.100.9"), Limits::default());
        let mut throttle = Throttle::default();
        throttle.accept(&home, Limits::default(), NOW);
        for number in 0..50 {
            throttle.charge(&stranger, digest(number), Limits::default(), NOW);
        }
        assert!(throttle.blocked_until(&stranger, limits, NOW).is_some());
        assert!(
            throttle.blocked_until(&from("203.0.113.1"), limits, NOW).is_some(),
            "other sources share the user's count"
        );
        assert_eq!(throttle.blocked_until(&home, limits, NOW), None);
    }

    #[test]
    fn an_accepted_login_does_not_forgive_another_source() {
        let (home, stranger, limits) = (from("192.0.2.7"), from("198.51.100.9"), Limits::default());
        let mut throttle = Throttle::default();
        for number in 0..8 {
            throttle.charge(&stranger, digest(number), Limits::default(), NOW);
        }
        throttle.accept(&home, Limits::default(), NOW);
        assert!(throttle.blocked_until(&stranger, limits, NOW).is_some());
        assert_eq!(throttle.user.count, 8, "nor does it let a stranger begin again from another address");
    }

    #[test]
    fn what_is_never_trusted_at_a_host_of_a_fleet_is_charged_to_the_budget_after_an_accepted_login_too() {
        let limits = Limits::default();
        let long = format!("{}.example.org", "h".repeat(60));
        for host in ["web1.example.org", &long] {
            for unnamed in [Source::claimed(), from("a b\n"), from(&"h".repeat(5000))] {
                let (there, elsewhere) = (unnamed.at_host(host), unnamed.at_host("web2"));
                assert_ne!(there, elsewhere, "counts of their own");
                assert_eq!(from(there.as_str()), there, "the stored text is read back");
                let mut throttle = Throttle::default();
                throttle.accept(&there, Limits::default(), NOW);
                assert!(!throttle.trusts(&there), "{there}");
                for number in 0..11 {
                    throttle.charge(&there, digest(number), limits, NOW);
                }
                throttle.accept(&there, Limits::default(), NOW);
                assert_eq!((throttle.budget.count, throttle.home.count), (11, 11));
                assert_eq!(throttle.blocked_until(&there, limits, NOW), Some(later(900)), "{there}");
                assert_eq!(throttle.blocked_until(&elsewhere, limits, NOW), Some(later(900)), "{there}");
            }
        }
        let mut throttle = Throttle::default();
        throttle.accept(&Source::claimed(), Limits::default(), NOW);
        assert_eq!(throttle.last_source, None, "a host alone");
        throttle.accept(&from("192.0.2.7").at_host("web1"), Limits::default(), NOW);
        assert!(throttle.trusts(&from("web1/192.0.2.7")));
    }

    #[test]
    fn at_the_host_of_the_last_login_in_a_fleet_only_guesses_there_delay() {
        let limits = Limits::default();
        let pause = Duration::from_hours(1);
        for login in ["192.0.2.7", "?"].map(|rhost| from(rhost).at_host("home")) {
            let mut throttle = Throttle::default();
            throttle.accept(&login, Limits::default(), NOW);
            for number in 0..200 {
                throttle.charge(&from(&format!("web{}/192.0.2.9", number % 20)), digest(number), limits, later(5));
            }
            for there in ["home/192.0.2.7", "home/203.0.113.1", "home/", "home/?"].map(from) {
                assert_eq!(throttle.blocked_until(&there, limits, later(6)), None, "{login} {there}");
                assert_eq!(throttle.paused_until(&there, pause, later(6)), None, "{login} {there}");
            }
            for elsewhere in ["web1/203.0.113.1", "web99/192.0.2.7", "homestead/192.0.2.7", "192.0.2.7"].map(from) {
                assert!(throttle.blocked_until(&elsewhere, limits, later(6)).is_some(), "{elsewhere}");
                assert!(throttle.paused_until(&elsewhere, pause, later(6)).is_some(), "{elsewhere}");
            }
            for number in 1000..1011 {
                let stranger = from(&format!("home/203.0.113.{}", number - 1000));
                assert_eq!(throttle.blocked_until(&stranger, limits, later(6)), None);
                throttle.charge(&stranger, digest(number), limits, later(6));
            }
            assert!(throttle.blocked_until(&from("home/203.0.113.99"), limits, later(6)).is_some(), "guesses there do");
            assert!(throttle.paused_until(&from("home/203.0.113.99"), pause, later(6)).is_some());
        }
    }

    /// Wrong codes that are looked at in a day at one host, from an address each, while the user logs in there and elsewhere in turn.
    fn guesses_at_home(logins: u64) -> u32 {
        let (limits, mut throttle, mut guessed) = (Limits::default(), Throttle::default(), 0);
        for second in 0..24 * 3600 {
            if second % (24 * 3600 / logins) == 0 {
                let host = if second % 7 < 3 { "web1" } else { "home" };
                throttle.accept(&from("192.0.2.7").at_host(host), limits, later(second));
            }
            for host in ["home", "web1", "web2"] {
                let stranger = from(&format!("{host}/host-{guessed}.example.org"));
                if throttle.blocked_until(&stranger, limits, later(second)).is_none() {
                    throttle.charge(&stranger, digest(guessed), limits, later(second));
                    guessed += 1;
                }
            }
        }
        guessed
    }

    #[test]
    fn the_logins_of_a_user_of_a_fleet_do_not_raise_the_guesses_that_a_day_allows() {
        for logins in [1, 10, 100, 1000] {
            let guessed = guesses_at_home(logins);
            assert!(guessed <= 2 * (11 + 96), "{logins} logins a day: {guessed} guesses");
        }
    }

    #[test]
    fn a_quiet_day_forgets_the_count() {
        let mut throttle = Throttle::default();
        let source = from("192.0.2.7");
        for number in 0..20 {
            throttle.charge(&source, digest(number), Limits::default(), NOW);
        }
        throttle.charge(&source, digest(99), Limits::default(), later(24 * 3600));
        assert_eq!(throttle.user.count, 1);
    }

    #[test]
    fn a_clock_that_was_set_back_delays_once_and_blocks_nobody_for_years() {
        let limits = Limits::default();
        for ahead in [3, 1200, 365 * 24 * 3600] {
            let failures = Failures { count: 9, last: Some(later(ahead)) };
            let last_wrong = Some((digest(1), later(ahead)));
            let sources = vec![SourceRecord { source: from("192.0.2.7"), failures }];
            let mut throttle = Throttle { user: failures, sources, last_wrong, ..Throttle::default() };
            assert_eq!(throttle.blocked_until(&from("192.0.2.9"), limits, NOW), Some(later(240)), "{ahead} s ahead");
            assert_eq!(throttle.latest(), Some(later(ahead)));
            throttle.set_back(NOW);
            assert_eq!(throttle.latest(), Some(NOW));
            for source in ["192.0.2.7", "192.0.2.9"] {
                assert_eq!(
                    throttle.blocked_until(&from(source), limits, later(239)),
                    Some(later(240)),
                    "{ahead} s ahead"
                );
                assert_eq!(throttle.blocked_until(&from(source), limits, later(240)), None, "{ahead} s ahead");
            }
            throttle.charge(&from("192.0.2.7"), digest(1), Limits::default(), later(1));
            assert_eq!(throttle.user.count, 9, "the answer that was sent again counts once");
        }
    }

    #[test]
    fn sources_are_bounded_and_canonical() {
        assert_eq!(Source::from_rhost(None), Source::from_rhost(Some("")));
        assert_ne!(Source::from_rhost(None), from("local"), "a host called local is not this host");
        assert_ne!(from("fe80::1%eth0"), from("fe80::1%eth1"), "the same address on two links is two hosts");
        assert_eq!(from("::ffff:192.0.2.7"), from("192.0.2.7"));
        assert_eq!(from("2001:DB8:0::1").as_str(), "2001:db8::1");
        assert_eq!(from(&"h".repeat(5000)).as_str(), UNNAMED);
        assert_eq!(from("a b\n").as_str(), UNNAMED);
        let mut throttle = Throttle::default();
        for number in 0..100 {
            throttle.charge(
                &from(&format!("192.0.2.{number}")),
                digest(number),
                Limits::default(),
                later(u64::from(number)),
            );
        }
        assert_eq!(throttle.sources.len(), MOST_SOURCES);
        assert!(throttle.record(&from("192.0.2.99")).is_some());
    }

    #[test]
    fn zero_free_attempts_delay_after_the_first_wrong_code() {
        let limits = Limits { free_attempts: 0, ..Limits::default() };
        let mut throttle = Throttle::default();
        let source = from("192.0.2.7");
        assert_eq!(throttle.blocked_until(&source, limits, NOW), None);
        throttle.charge(&source, digest(1), Limits::default(), NOW);
        assert_eq!(throttle.blocked_until(&source, limits, NOW), Some(later(15)));
    }

    /// Wrong codes that are looked at within some days, each from an address that was never seen, while the user logs in.
    fn guesses(days: u64, logins_a_day: u64, limits: Limits) -> u32 {
        let (home, mut throttle, mut guessed) = (from("192.0.2.7"), Throttle::default(), 0);
        for second in 0..days * 24 * 3600 {
            if logins_a_day > 0 && second % (24 * 3600 / logins_a_day) == 0 {
                assert_eq!(throttle.blocked_until(&home, limits, later(second)), None, "the user is never delayed");
                throttle.accept(&home, limits, later(second));
            }
            loop {
                let stranger = from(&format!("host-{guessed}.example.org"));
                if throttle.blocked_until(&stranger, limits, later(second)).is_some() {
                    break;
                }
                throttle.charge(&stranger, digest(guessed), limits, later(second));
                guessed += 1;
            }
        }
        guessed
    }

    #[test]
    fn the_logins_of_the_user_do_not_raise_the_guesses_that_a_day_allows() {
        let limits = Limits::default();
        assert_eq!(limits.burst(), Some(11));
        let alone = guesses(2, 0, limits);
        for logins in [1, 10, 100, 1000] {
            let guessed = guesses(2, logins, limits);
            assert!(guessed <= 11 + 2 * 96, "{logins} logins a day: {guessed} guesses");
            assert!(guessed <= alone + 3, "{logins} logins a day: {guessed} guesses, {alone} without any");
        }
        assert!(guesses(1, 24, limits) <= limits.most_within(Duration::from_hours(24)).unwrap());
        let strict = Limits { free_attempts: 1, first_delay: Duration::from_mins(15), ..limits };
        assert!(guesses(1, 100, strict) <= 1 + 96);
    }

    #[test]
    fn the_stricter_of_two_limits_allow_no_more_guesses_than_either() {
        let seconds = Duration::from_secs;
        let limits = |free_attempts, first_delay, max_delay| Limits { free_attempts, first_delay, max_delay };
        for other in [
            limits(5, seconds(0), seconds(900)),
            limits(1000, seconds(1), seconds(1)),
            limits(0, seconds(3600), seconds(7200)),
            limits(1000, seconds(12 * 3600), seconds(12 * 3600)),
        ] {
            let stricter = other.stricter(Limits::default());
            let bound = guesses(1, 0, Limits::default());
            // Where nothing is delayed, guesses have no end.
            let bound = if other.burst().is_some() { bound.min(guesses(1, 0, other)) } else { bound };
            let guessed = guesses(1, 0, stricter);
            assert!(guessed <= bound, "{other:?}: {guessed} and not {bound}");
        }
    }

    #[test]
    fn the_budget_is_forgiven_by_time_alone_and_soon_after_limits_are_loosened() {
        let (home, limits) = (from("192.0.2.7"), Limits::default());
        let mut throttle = Throttle::default();
        throttle.accept(&home, Limits::default(), NOW);
        for number in 0..20 {
            throttle.charge(&home, digest(number), limits, NOW);
        }
        assert_eq!(throttle.budget.count, 0, "typing errors where the user logs in are nobody's guesses");
        for number in 0..11 {
            throttle.charge(&from("198.51.100.9"), digest(number), limits, NOW);
        }
        throttle.accept(&home, Limits::default(), NOW);
        throttle.accept(&from("198.51.100.9"), Limits::default(), NOW);
        assert_eq!(throttle.user.count, 0);
        let new = from("203.0.113.1");
        assert_eq!(throttle.blocked_until(&new, limits, NOW), Some(later(900)));
        assert_eq!(throttle.blocked_until(&new, limits, later(900)), None);
        let loose = Limits { max_delay: Duration::from_secs(1), ..limits };
        assert_eq!(throttle.blocked_until(&new, loose, later(12)), None);
        let none = Limits { first_delay: Duration::ZERO, ..limits };
        assert_eq!(throttle.blocked_until(&new, none, NOW), None, "where nothing is delayed");
        let mut ahead =
            Throttle { budget: Failures { count: 11, last: Some(later(1_000_000)) }, ..Throttle::default() };
        assert_eq!(ahead.latest(), Some(later(1_000_000)), "it is known that the clock was ahead, by the budget alone");
        ahead.set_back(NOW);
        assert_eq!(ahead.blocked_until(&new, limits, NOW), Some(later(900)), "a clock that was ahead");
    }
}
