//! How many codes a guesser who has the password gets looked at, by the throttle that the module uses.
//!
//! The guesser tries whenever the next code would be looked at. `make guessing` prints it, and `SECURITY.md` has the table.

use std::time::Duration;

use twofactor_core::account::quota::{self, Hourly};
use twofactor_core::account::throttle::{Limits, Source, Throttle};
use twofactor_core::codes::recovery::Salt;
use twofactor_core::host::clock::UnixTime;

/// Days of the whole simulation.
pub const DAYS: u64 = 30;
const DAY: u64 = 24 * 3600;
/// Codes of six digits that are right at one moment, in the default window.
const ACCEPTABLE: f64 = 5.0;
const CODES: f64 = 1_000_000.0;

/// Where the guesses come from.
#[derive(Debug, Clone, Copy)]
pub enum Guesser {
    /// One that is not the user's.
    OneAddress,
    /// Twenty, in turns.
    TwentyAddresses,
    /// Another one for every guess.
    ANewAddressEachTime,
}

impl Guesser {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OneAddress, Self::TwentyAddresses, Self::ANewAddressEachTime];

    /// As the tables have it.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::OneAddress => "one address",
            Self::TwentyAddresses => "twenty addresses",
            Self::ANewAddressEachTime => "a new address each time",
        }
    }

    fn source(self, guess: u32) -> Source {
        let number = match self {
            Self::OneAddress => 0,
            Self::TwentyAddresses => guess % 20,
            Self::ANewAddressEachTime => guess,
        };
        Source::from_rhost(Some(&format!("guesser-{number}.example.org")))
    }
}

/// The host at which the users of a fleet log in.
#[derive(Debug, Clone, Copy)]
pub enum LoginsOfUsers {
    /// The one whose certificate the guesser has.
    AtThatHost,
    /// Another one.
    Elsewhere,
}

impl LoginsOfUsers {
    /// As the table has it.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::AtThatHost => "at that host",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// The counts of each user on which a guesser with the certificate of a host tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// That of logins.
    Logins,
    /// That of logins, that of answers where no code is needed, and that of programs without root: one says nothing to the other.
    AllThree,
}

/// Codes that were looked at.
#[derive(Debug, Clone, Copy)]
pub struct Guesses {
    /// On the first day.
    pub first_day: u32,
    /// On a later day.
    pub later: f64,
}

impl Guesses {
    /// Runs a guesser against the throttle for some days, second by second, while the user logs in so many times a day.
    ///
    /// # Panics
    ///
    /// When the user is delayed.
    pub fn simulate(from: Guesser, logins_a_day: u64, limits: Limits, days: u64) -> Self {
        let (home, start) = (Source::from_rhost(Some("192.0.2.7")), UnixTime::from_seconds(1_800_000_000));
        let (mut throttle, mut guessed, mut first_day) = (Throttle::default(), 0, 0);
        for second in 0..days * DAY {
            let now = start.after(Duration::from_secs(second));
            if logins_a_day > 0 && second % (DAY / logins_a_day) == 0 {
                assert_eq!(throttle.blocked_until(&home, limits, now), None, "the user is never delayed");
                throttle.accept(&home, limits, now);
            }
            while throttle.blocked_until(&from.source(guessed), limits, now).is_none() {
                throttle.charge(&from.source(guessed), Salt::NONE.fingerprint(&guessed.to_string()), limits, now);
                guessed += 1;
            }
            if second < DAY {
                first_day = guessed;
            }
        }
        let later_days = f64::from(u32::try_from(days - 1).expect("a few days"));
        Self { first_day, later: f64::from(guessed - first_day) / later_days }
    }

    /// Runs a guesser who has the certificate of a host of a fleet, and the passwords of all its users, minute by minute.
    ///
    /// Each user logs in once a day, at that host or at another one. The guesser knows at which address the last login at the host
    /// was, and claims it. Programs without root claim nothing, and no login is accepted on the two counts beside that of logins.
    pub fn with_a_certificate(users: u32, logins: LoginsOfUsers, counts: Counts, quota: u32, days: u64) -> Self {
        const MINUTES: u64 = 24 * 60;
        let limits = Limits::default();
        let from = |host: &str, rhost: &str| Source::from_rhost(Some(rhost)).at_host(host);
        let last_login = match logins {
            LoginsOfUsers::AtThatHost => from("stolen", "192.0.2.7"),
            LoginsOfUsers::Elsewhere => from("home", "192.0.2.7"),
        };
        let claimed = [from("stolen", "192.0.2.7"), from("stolen", "192.0.2.8")];
        let unnamed = [Source::claimed().at_host("stolen")];
        let tried = match counts {
            Counts::Logins => vec![&claimed[..]],
            Counts::AllThree => vec![&claimed[..], &claimed, &unnamed],
        };
        let mut throttles = vec![vec![Throttle::default(); tried.len()]; users as usize];
        let (mut counted, mut guessed, mut first_day) = (Hourly { hour: 0, count: 0, before: 0 }, 0_u32, 0);
        for minute in 0..days * MINUTES {
            let now = UnixTime::from_seconds(1_800_000_000).after(Duration::from_secs(minute * 60));
            let hour = i64::try_from(now.seconds() / 3600).expect("a time of this century");
            if hour != counted.hour {
                counted = Hourly { hour, count: 0, before: counted.count };
            }
            for (user, throttles) in (0..).zip(&mut throttles) {
                if minute % MINUTES == user % MINUTES
                    && let Some(logins) = throttles.first_mut()
                {
                    logins.accept(&last_login, limits, now);
                }
                for (throttle, sources) in throttles.iter_mut().zip(&tried) {
                    for source in *sources {
                        #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
                        let pause = quota::pause(counted.lately(now.seconds() as f64), quota);
                        let paused = pause.and_then(|pause| throttle.paused_until(source, pause, now));
                        if paused.is_none() && throttle.blocked_until(source, limits, now).is_none() {
                            throttle.charge(source, Salt::NONE.fingerprint(&guessed.to_string()), limits, now);
                            guessed += 1;
                            counted.count += 1;
                        }
                    }
                }
            }
            if minute < MINUTES {
                first_day = guessed;
            }
        }
        let later_days = f64::from(u32::try_from(days - 1).expect("a few days"));
        Self { first_day, later: f64::from(guessed - first_day) / later_days }
    }

    /// The guesses of this one and of another on a count of its own.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { first_day: self.first_day + other.first_day, later: self.later + other.later }
    }

    /// Right guesses to expect within so many days.
    pub fn right_within(&self, days: f64) -> f64 {
        self.later * days * ACCEPTABLE / CODES
    }

    /// Years until one guess in two was right.
    pub fn years_to_an_even_chance(&self) -> f64 {
        0.5_f64.ln() / (1.0 - ACCEPTABLE / CODES).ln() / self.later / 365.25
    }
}
