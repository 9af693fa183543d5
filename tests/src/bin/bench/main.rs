//! `make bench`: what a login costs with our module and with its peers, what a registry of a million tokens costs, with its
//! backup, and what the broker costs, through the real libpam and with the real tool, in one run.
//!
//! What always holds: whatever is compared takes turns, so that whatever else the machine does hits all alike, and works
//! on the same disk with the same data; between two measurements the file system is synced outside the measured time, so
//! that nobody pays for what another left unwritten. Most targets are ratios within the run. Missing one of them makes the
//! program fail.
//!
//! `logins`, `tokens`, `moving` or `broker` measures one part alone; `fleet` measures a fleet, which is no part of the others. `--quick` measures less, at small sizes only, to work on
//! the benchmark itself.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark fails loudly, reports on stdout and tells its progress on stderr"
)]

mod application;
mod asker;
mod broker;
mod broker_report;
mod contestant;
mod crowd;
mod disk;
mod durability;
mod fleet;
#[path = "../libpam/mod.rs"]
mod libpam;
mod logins;
mod machine;
mod moving;
mod population;
mod queue;
mod refusals;
mod report;
mod series;
mod ssh_keys;
mod statistics;
mod stopwatch;
mod target;
mod tokens;
mod weight;
mod worker;

use std::fs;
use std::process::ExitCode;

use twofactor_tests::artifacts::{self, Profile};
use twofactor_tests::private_host::{self, Host};

use crate::broker::Broker;
use crate::disk::Disk;
use crate::fleet::Fleet;
use crate::logins::Logins;
use crate::machine::Machine;
use crate::moving::Moving;
use crate::report::Report;
use crate::tokens::Tokens;
use crate::worker::Device;

/// What is measured, and how much of it.
#[derive(Debug, Clone, Copy, Default)]
struct Plan {
    logins: Option<logins::Plan>,
    tokens: Option<tokens::Plan>,
    moving: Option<moving::Plan>,
    broker: Option<broker::Plan>,
    fleet: Option<fleet::Plan>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["worker", folder, first, count, device] => {
            let number = |text: &str| text.parse().expect("a number");
            worker::serve(folder.as_ref(), number(first), number(count), Device::named(device).expect("a device"));
            ExitCode::SUCCESS
        }
        ["asker", confdir] => {
            asker::serve(confdir);
            ExitCode::SUCCESS
        }
        ["fleet-load", users, at_once, seconds, rate, sockets @ ..] => {
            let number = |text: &str| text.parse().expect("a number");
            let at_once = usize::try_from(number(at_once)).expect("a number fits");
            fleet::log_in(users.as_ref(), at_once, number(seconds), rate.parse().expect("a number"), sockets);
            ExitCode::SUCCESS
        }
        ["fleet-enroll", socket, users, prefix, count, codes] => {
            let number = |text: &str| text.parse().expect("a number");
            fleet::enroll(socket.as_ref(), users.as_ref(), prefix, number(count), number(codes));
            ExitCode::SUCCESS
        }
        ["fleet-keep", port, folder, count, hosts @ ..] => {
            let count = count.parse().expect("a number");
            fleet::keep_links(port.parse().expect("a port"), folder.as_ref(), count, hosts);
            ExitCode::SUCCESS
        }
        ["stopwatch", program, arguments @ ..] => {
            if stopwatch::run(program, arguments) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        words => match Plan::of(words) {
            Some(plan) => bench(plan),
            None => {
                eprintln!("usage: bench [logins|tokens|moving|broker|fleet] [--quick]");
                ExitCode::from(2)
            }
        },
    }
}

impl Plan {
    /// What was typed.
    fn of(words: &[&str]) -> Option<Self> {
        let quick = Self {
            logins: Some(logins::Plan::QUICK),
            tokens: Some(tokens::Plan::QUICK),
            moving: Some(moving::Plan::QUICK),
            broker: Some(broker::Plan::QUICK),
            fleet: Some(fleet::Plan::QUICK),
        };
        let full = Self {
            logins: Some(logins::Plan::FULL),
            tokens: Some(tokens::Plan::FULL),
            moving: Some(moving::Plan::FULL),
            broker: Some(broker::Plan::FULL),
            fleet: Some(fleet::Plan::FULL),
        };
        let (words, all) = match words {
            [words @ .., "--quick"] => (words, quick),
            _ => (words, full),
        };
        match words {
            [] => Some(Self { fleet: None, ..all }),
            ["logins"] => Some(Self { logins: all.logins, ..Self::default() }),
            ["tokens"] => Some(Self { tokens: all.tokens, ..Self::default() }),
            ["moving"] => Some(Self { moving: all.moving, ..Self::default() }),
            ["broker"] => Some(Self { broker: all.broker, ..Self::default() }),
            ["fleet"] => Some(Self { fleet: all.fleet, ..Self::default() }),
            _ => None,
        }
    }
}

fn bench(plan: Plan) -> ExitCode {
    if let Some(reason) = contestant::missing() {
        eprintln!("bench: {reason}");
        return ExitCode::FAILURE;
    }
    let mut built = artifacts::build(Profile::Release);
    if plan.fleet.is_some() {
        built.fleet = artifacts::fleet(Profile::Release).into();
    }
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
    let logins = plan.logins.map(|plan| Logins::measure(host, &disk, plan));
    let tokens = plan.tokens.map(|plan| Tokens::measure(host, &disk, plan));
    // Without the many users of the part before: the index has no uids, and the broker looks one up.
    population::look_users_up_in_an_index();
    let broker = plan.broker.map(|plan| Broker::measure(host, &disk, plan));
    let fleet = plan.fleet.map(|plan| Fleet::measure(host, &disk, plan));
    // Last, for its users stay in the files.
    let moving = plan.moving.map(|plan| Moving::measure(host, &disk, plan));
    Report { machine, logins, tokens, moving, broker, fleet }
}

fn progress(what: &str) {
    eprintln!("bench: {what}");
}

/// Reads a file that every Linux host has.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
