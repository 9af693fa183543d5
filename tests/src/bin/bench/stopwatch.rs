//! One program, from its start to its end: how long it took, and how much memory it had at most.
//!
//! Runs in a small process of its own, because what the kernel counts for a program begins with what the process had that
//! started it (getrusage(2)).

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use twofactor_tests::private_host::{Host, said};

use crate::worker;

/// What a program needed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lap {
    /// From before it was started until it had ended.
    pub(crate) took: Duration,
    /// The most memory that it, or any of the programs it waited for, ever had (`ru_maxrss`), in KiB.
    pub(crate) peak: u64,
}

/// Runs a program that must succeed. What it prints is thrown away.
pub(crate) fn time(host: &Host, program: &Path, arguments: &[OsString]) -> Lap {
    let mut command = host.command(worker::program(host));
    command.arg("stopwatch").arg(program).args(arguments);
    let output = command.stdin(Stdio::null()).output().expect("a stopwatch starts");
    assert!(output.status.success(), "{command:?} failed:\n{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map_while(|word| word.parse::<u64>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(nanoseconds), Some(peak)) => Lap { took: Duration::from_nanos(nanoseconds), peak },
        _ => panic!("not a stopwatch's report: {text:?}"),
    }
}

/// The stopwatch itself. Gives whether the program succeeded.
pub(crate) fn run(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status().unwrap_or_else(|error| panic!("{program}: {error}"));
    let took = started.elapsed();
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel counts").max_rss();
    println!("{} {peak}", took.as_nanos());
    status.success()
}
