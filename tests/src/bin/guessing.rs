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
    for guesser in Guesser::ALL {
        for logins in [0, 1, 10, 100, 1000] {
            let guesses = Guesses::simulate(guesser, logins, Limits::default(), DAYS);
            let (name, years) = (guesser.in_words(), guesses.years_to_an_even_chance());
            println!("{name:<24} {logins:>13} {:>10} {:>11.1} {years:>8.1} years", guesses.first_day, guesses.later);
        }
    }
}
