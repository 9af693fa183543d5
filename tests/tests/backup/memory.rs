//! The memory of a backup and of a restore does not grow with the tokens. `make bench` measures a million of them.

use std::ffi::OsStr;

use twofactor_tests::fob::Fob;
use twofactor_tests::private_host::{Host, said};
use twofactor_tests::requirements::PYTHON;

use crate::{KEY, begin_anew, host, restoring};

/// Runs a program, and prints the most memory that it ever had, in KiB.
const PEAK: &str = "import resource, subprocess, sys\n\
                    ended = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)\n\
                    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n\
                    sys.exit(ended.returncode)";

/// Six times the tokens may take so much more, in KiB: a page cache that was not full before. The tokens alone would take more.
const GROWTH: u64 = 4 << 10;

#[track_caller]
fn peak(host: &Host, arguments: &[&str]) -> u64 {
    let mut command = host.command(PYTHON);
    let output =
        command.args([OsStr::new("-c"), PEAK.as_ref(), "twofactor".as_ref()]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn memory_does_not_grow_with_the_tokens() {
    host(|host| {
        let mut peaks = Vec::new();
        for tokens in [10_000, 60_000] {
            host.import(&Fob::box_of(1, tokens));
            let backup = peak(host, &["backup", "/root/codes.age", "--force", "--recipient", KEY]);
            begin_anew();
            let restore = peak(host, &restoring("/root/codes.age", &[]));
            let merge = peak(host, &restoring("/root/codes.age", &["--merge"]));
            peaks.push([backup, restore, merge]);
            begin_anew();
        }
        let grown = peaks[0].iter().zip(&peaks[1]).all(|(few, many)| *many <= few + GROWTH);
        assert!(grown, "backup, restore, merge in KiB: {peaks:?}");
    });
}
