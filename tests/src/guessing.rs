//! How many codes a guesser who has the password gets looked at, by the throttle that the module uses.
//!
//! The guesser tries whenever the next code would be looked at. `make guessing` prints it, and `SECURITY.md` has the table.

use std::time::Duration;

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
                throttle.accept(&home);
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

    /// The guesses of this one and of another on a count of its own.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { first_day: self.first_day + other.first_day, later: self.later + other.later }
    }

    /// Years until one guess in two was right.
    pub fn years_to_an_even_chance(&self) -> f64 {
        0.5_f64.ln() / (1.0 - ACCEPTABLE / CODES).ln() / self.later / 365.25
    }
}
