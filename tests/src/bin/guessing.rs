//! `make guessing`: how many codes a guesser who has the password gets looked at. A line for each kind of guesser and each number
//! of accepted logins a day of the user, and how long it takes until one guess in two was right.

#![allow(clippy::print_stdout, reason = "a program of the tests")]

use twofactor_core::account::throttle::Limits;
use twofactor_core::config::fleet::WRONG_CODES_PER_HOUR;
use twofactor_tests::guessing::{Counts, DAYS, Guesser, Guesses, LoginsOfUsers};

fn main() {
    println!(
        "{:<24} {:>13} {:>10} {:>11} {:>12}",
        "guesses from", "logins a day", "first day", "later days", "even chance"
    );
    let line = |name: &str, logins: u64, guesses: Guesses| {
        let Guesses { first_day, later } = guesses;
        let years = guesses.years_to_an_even_chance();
        println!("{name:<24} {logins:>13} {first_day:>10} {later:>11.1} {years:>8.1} years");
    };
    for guesser in Guesser::ALL {
        for logins in [0, 1, 10, 100, 1000] {
            line(guesser.in_words(), logins, Guesses::simulate(guesser, logins, Limits::default(), DAYS));
        }
    }
    // One source, which is never trusted; the two counts know nothing of each other.
    let without_root = Guesses::simulate(Guesser::OneAddress, 0, Limits::default(), DAYS);
    line("programs without root", 0, without_root);
    let anywhere = Guesses::simulate(Guesser::ANewAddressEachTime, 1000, Limits::default(), DAYS);
    line("both counts together", 1000, anywhere.and(without_root));

    println!(
        "\nguesses of a host of a fleet, with its quota of {WRONG_CODES_PER_HOUR} wrong codes an hour, or without: on the count of \
         logins, or on that of programs without root and of answers where no code is needed as well"
    );
    println!(
        "{:>6} {:<13} {:<10} {:>10} {:>11} {:>16} {:>10}",
        "users", "log in", "counts", "first day", "later days", "of 1,000 days", "no quota"
    );
    for users in [1, 10, 100, 1000, 2000] {
        for logins in [LoginsOfUsers::Elsewhere, LoginsOfUsers::AtThatHost] {
            for (counts, words) in [(Counts::Logins, "logins"), (Counts::AllThree, "all three")] {
                let with = |quota| Guesses::with_a_certificate(users, logins, counts, quota, 4);
                let (quoted, without) = (with(WRONG_CODES_PER_HOUR), with(u32::MAX));
                let Guesses { first_day, later } = quoted;
                let hits = quoted.right_within(1000.0);
                println!(
                    "{users:>6} {:<13} {words:<10} {first_day:>10} {later:>11.0} {hits:>11.1} hits {:>10.0}",
                    logins.in_words(),
                    without.later
                );
            }
        }
    }
}
