//! `make guessing`: how many codes a guesser who has the password gets looked at. A line for each kind of guesser and each number
//! of accepted logins a day of the user, and how long it takes until one guess in two was right.

#![allow(clippy::print_stdout, reason = "a program of the tests")]

use twofactor_core::account::throttle::Limits;
use twofactor_tests::guessing::{DAYS, Guesser, Guesses};

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
}
