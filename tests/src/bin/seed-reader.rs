//! Reads a seed file in a process of its own: `seed-reader FILE [PASSWORD]`. Says in one line what came of it, how much
//! of a processor's time it took and how much memory at most.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test program fails loudly and prints")]

use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use twofactor_tests::seeds::{Given, open};

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let path = arguments.next().expect("a file");
    let given = Given { password: arguments.next().map(OsStringExt::into_vec), key: None };
    let begun = processor_time();
    let outcome = match open(File::open(path).expect("the file opens"), &given) {
        Ok(file) => {
            let (good, bad) = file.rows().fold((0, 0), |(good, bad), row| match row.token {
                Ok(_) => (good + 1, bad),
                Err(_) => (good, bad + 1),
            });
            format!("{good} good {bad} bad")
        }
        Err(error) => format!("{:?}: {error}", error.kind()),
    };
    println!("{} ms, {} KiB, {outcome}", processor_time().saturating_sub(begun).as_millis(), peak());
}

/// What this process has had of the processors: what others do on a busy machine is not its fault.
fn processor_time() -> Duration {
    let spent = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("the kernel tells");
    Duration::from(spent)
}

/// The most memory that this process ever had, in KiB.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
