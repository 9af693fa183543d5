//! `make guessing`: how many codes a guesser who has the password gets looked at, by the throttle that the module uses.
//!
//! The guesser tries whenever the next code would be looked at. Prints a line for each kind of guesser and each number of
//! accepted logins a day of the user, and how long it takes until one guess in two was right.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of the tests"
)]

use std::time::Duration;

use twofactor_core::clock::UnixTime;
use twofactor_core::recovery::Salt;
use twofactor_core::throttle::{Limits, Source, Throttle};

const DAYS: u64 = 30;
const DAY: u64 = 24 * 3600;
/// Codes of six digits that are right at one moment, in the default window.
const ACCEPTABLE: f64 = 5.0;
const CODES: f64 = 1_000_000.0;

/// Where the guesses come from.
#[derive(Clone, Copy)]
enum Guesser {
    OneAddress,
    TwentyAddresses,
    ANewAddressEachTime,
}

impl Guesser {
    fn in_words(self) -> &'static str {
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

/// Guesses on the first day and in all days.
fn guesses(from: Guesser, logins_a_day: u64, limits: Limits) -> (u32, u32) {
    let (home, start) = (Source::from_rhost(Some("192.0.2.7")), UnixTime::from_seconds(1_800_000_000));
    let (mut throttle, mut guessed, mut first_day) = (Throttle::default(), 0, 0);
    for second in 0..DAYS * DAY {
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
    (first_day, guessed)
}

fn main() {
    let limits = Limits::default();
    println!(
        "{:<24} {:>13} {:>10} {:>11} {:>12}",
        "guesses from", "logins a day", "first day", "later days", "even chance"
    );
    for guesser in [Guesser::OneAddress, Guesser::TwentyAddresses, Guesser::ANewAddressEachTime] {
        for logins in [0, 1, 10, 100, 1000] {
            let (first, all) = guesses(guesser, logins, limits);
            let later = f64::from(all - first) / f64::from(u32::try_from(DAYS - 1).expect("a few days"));
            let years = 0.5_f64.ln() / (1.0 - ACCEPTABLE / CODES).ln() / later / 365.25;
            let name = guesser.in_words();
            println!("{name:<24} {logins:>13} {first:>10} {later:>11.1} {years:>8.1} years");
        }
    }
}
