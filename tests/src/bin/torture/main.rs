//! `make torture`: system calls that fail, processes that are killed or stopped, races, clocks that jump, damaged PAM
//! files, one trial after the other, each in a private host. Prints one table: trial, how often, failures.
//!
//! `torture [--minutes N] [--quick] [TRIAL…]`. `--quick` tries a little of everything and is part of `make test`. Each
//! trial takes its cases in random order; `TWOFACTOR_TESTS_SEED` repeats a run.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test program fails loudly and prints"
)]

mod attempt;
mod clocks;
mod commands;
mod deadline;
mod deeds;
mod enrollments;
mod kills;
mod kinds;
mod logins;
mod races;
mod stacks;
mod stops;
mod strace;
mod tables;
mod tally;

use std::process::ExitCode;
use std::time::Duration;

use twofactor_tests::artifacts::{self, Profile};
use twofactor_tests::private_host::{self, Host};
use twofactor_tests::random::Random;
use twofactor_tests::requirements;

use tally::{Budget, Tally};

/// One kind of damage.
struct Trial {
    name: &'static str,
    /// One line for the table.
    about: &'static str,
    run: fn(&Host, &Budget, &mut Random) -> Tally,
    /// Cases of a quick run.
    quick: u64,
    /// Share of a long run's time.
    weight: u32,
}

const TRIALS: [Trial; 11] = [
    Trial { name: "logins", about: "a system call of a login fails", run: logins::run, quick: 150, weight: 4 },
    Trial { name: "commands", about: "a system call of a command fails", run: commands::run, quick: 70, weight: 4 },
    Trial { name: "enroll", about: "an enrollment at login is disturbed", run: enrollments::run, quick: 40, weight: 3 },
    Trial { name: "kills", about: "a login or a command is killed", run: kills::run, quick: 40, weight: 2 },
    Trial { name: "races", about: "many logins with one code", run: races::run, quick: 10, weight: 2 },
    Trial { name: "stops", about: "a login is stopped", run: stops::run, quick: 20, weight: 1 },
    Trial { name: "clocks", about: "the clock jumps", run: clocks::run, quick: 60, weight: 1 },
    Trial { name: "stacks", about: "a stack by chance is enabled", run: stacks::by_chance, quick: 15, weight: 3 },
    Trial { name: "tables", about: "a table of seeds is damaged", run: tables::run, quick: 60 * 32, weight: 1 },
    Trial { name: "seeds", about: "a seed file of any kind is damaged", run: kinds::run, quick: 60 * 32, weight: 1 },
    Trial { name: "damage", about: "a damaged PAM file is enabled", run: stacks::damaged, quick: 15, weight: 3 },
];

/// The command line.
struct Arguments {
    minutes: u32,
    quick: bool,
    trials: Vec<String>,
}

fn main() -> ExitCode {
    let Some(arguments) = Arguments::read() else {
        let names: Vec<&str> = TRIALS.iter().map(|trial| trial.name).collect();
        eprintln!("usage: torture [--minutes N] [--quick] [{}]...", names.join("|"));
        return ExitCode::from(2);
    };
    if !requirements::met() || !requirements::stopped_clock_met() || !requirements::programs_met(&["strace", "gcc"]) {
        return ExitCode::FAILURE;
    }
    let artifacts = if arguments.quick { artifacts::debug() } else { &artifacts::build(Profile::Release) };
    let chosen = |trial: &&Trial| arguments.trials.is_empty() || arguments.trials.iter().any(|name| name == trial.name);
    let trials: Vec<&Trial> = TRIALS.iter().filter(chosen).collect();
    let weights: u32 = trials.iter().map(|trial| trial.weight).sum();
    let seed = Random::seed();
    println!("TWOFACTOR_TESTS_SEED={seed}");
    let mut tallies = Vec::new();
    for trial in trials {
        let time = Duration::from_mins(arguments.minutes.into()) * trial.weight / weights;
        let mut random = Random::new(seed);
        let tally = private_host::run(artifacts, |host| {
            let budget = if arguments.quick { Budget::cases(trial.quick) } else { Budget::time(time) };
            (trial.run)(host, &budget, &mut random)
        });
        tally.print_failures(trial.name);
        tallies.push((trial, tally));
    }
    println!("\n{:<10} {:<36} {:>8} {:>9}  notes", "trial", "what", "cases", "failures");
    for (trial, tally) in &tallies {
        let (cases, failures) = (tally.cases(), tally.failures());
        println!("{:<10} {:<36} {cases:>8} {failures:>9}  {}", trial.name, trial.about, tally.notes());
    }
    let good = tallies.iter().all(|(_, tally)| tally.failures() == 0 && tally.cases() > 0);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Arguments {
    fn read() -> Option<Self> {
        let mut read = Self { minutes: 20, quick: false, trials: Vec::new() };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--minutes" => read.minutes = words.next()?.parse().ok().filter(|minutes| *minutes > 0)?,
                "--quick" => read.quick = true,
                name if TRIALS.iter().any(|trial| trial.name == name) => read.trials.push(word),
                _ => return None,
            }
        }
        Some(read)
    }
}
