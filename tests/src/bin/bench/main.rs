//! `make bench`: what a login costs with our module and with its peers, through the real libpam, in one run.
//!
//! What always holds: every module logs the same users of the same host in, with the same valid codes, into files on
//! the same disk; the modules take turns login by login and the sizes round by round, so that whatever else the machine
//! does hits all alike; between two logins the file system is synced outside the measured time, so that nobody pays for
//! what another left unwritten. Targets are ratios within the run. Missing one of them makes the program fail.
//!
//! `--quick` measures less, at two sizes only, for somebody who works on the benchmark itself.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark fails loudly, reports on stdout and tells its progress on stderr"
)]

mod application;
mod contestant;
mod crowd;
mod disk;
mod durability;
mod machine;
mod population;
mod report;
mod series;
mod statistics;
mod worker;

use std::fs;
use std::process::ExitCode;

use twofactor_tests::artifacts::{self, Profile};
use twofactor_tests::private_host::{self, Host};

use crate::crowd::Crowd;
use crate::disk::Disk;
use crate::durability::Durability;
use crate::machine::Machine;
use crate::population::Population;
use crate::report::Report;
use crate::series::Series;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Numbers of enrolled users.
    sizes: &'static [usize],
    /// Measured logins of every fast module at every size.
    logins: usize,
}

const FULL: Plan = Plan { sizes: &[100, 1_000, 10_000, 100_000], logins: 300 };
const QUICK: Plan = Plan { sizes: &[100, 1_000], logins: 60 };

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["worker", folder, first, count] => {
            worker::serve(folder.as_ref(), first.parse().expect("a number"), count.parse().expect("a number"));
            ExitCode::SUCCESS
        }
        [] => bench(FULL),
        ["--quick"] => bench(QUICK),
        _ => {
            eprintln!("usage: bench [--quick]");
            ExitCode::from(2)
        }
    }
}

fn bench(plan: Plan) -> ExitCode {
    if let Some(reason) = contestant::missing() {
        eprintln!("bench: {reason}");
        return ExitCode::FAILURE;
    }
    let built = artifacts::build(Profile::Release);
    let disk = Disk::make();
    let machine = Machine::examine(disk.folder());
    assert!(
        !machine.file_system_is_memory(),
        "target/ lies on {}: durability costs nothing there",
        machine.file_system
    );
    let share = disk.share();
    let report = private_host::run(&built, |host| {
        share.appear_at(&host.place("disk"));
        measure(host, plan, machine)
    });
    progress("removing the users");
    drop(disk);
    println!("{report}");
    if report.every_target_is_reached() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(host: &Host, plan: Plan, machine: Machine) -> Report {
    let disk = host.place("disk");
    population::look_users_up_in_an_index();
    let settle = || nix::unistd::sync();

    let crowd_population = Population::make(host, &disk.join("crowd"), crowd::USERS);
    let populations: Vec<Population> = plan
        .sizes
        .iter()
        .map(|size| {
            progress(&format!("enrolling {size} users"));
            Population::make(host, &disk.join(size.to_string()), *size)
        })
        .collect();
    settle();

    progress("tracing one login of each module");
    let durability = Durability::trace(host, &crowd_population);
    let series = Series::measure(host, &populations, plan.logins);
    settle();
    let crowd = Crowd::measure(host, &crowd_population);
    Report { machine, durability, series, crowd }
}

fn progress(what: &str) {
    eprintln!("bench: {what}");
}

/// Reads a file that every Linux host has.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
