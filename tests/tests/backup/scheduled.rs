//! The timer of the examples: systemd understands it, and its command lines do as they say. `make vm-test` runs it in its
//! sandbox.

use std::fs;
use std::process::Output;

use twofactor_tests::private_host::{Host, said};
use twofactor_tests::requirements::programs_met;
use twofactor_tests::systemd::{analyzed, is_at_most};

use crate::{KEY, begin_anew, host, restore};

const SERVICE: &str = include_str!("../../../etc/systemd/system/twofactor-backup.service");
const TIMER: &str = include_str!("../../../etc/systemd/system/twofactor-backup.timer");

/// The folder of the backups, which systemd makes.
const FOLDER: &str = "/var/lib/twofactor-backup";

#[test]
fn systemd_understands_the_timer_and_rates_its_sandbox_as_that_of_the_broker() {
    if !programs_met(&["systemd-analyze"]) {
        return;
    }
    host(|host| {
        let units = |service: &'static str| [("twofactor-backup.service", service), ("twofactor-backup.timer", TIMER)];
        let verify = ["verify", "--man=no", "twofactor-backup.service", "twofactor-backup.timer"];
        assert_eq!(analyzed(host, &units(SERVICE), &verify), Vec::<String>::new());
        let misspelt: &'static str = SERVICE.replace("ProtectSystem=", "ProtectSystems=").leak();
        assert!(!analyzed(host, &units(misspelt), &verify).is_empty(), "a mistake would have been found");
        assert!(is_at_most(host, &units(SERVICE), "twofactor-backup.service", 10));
        let wider: &'static str = SERVICE.replace("PrivateNetwork=yes", "PrivateNetwork=no").leak();
        assert!(!is_at_most(host, &units(wider), "twofactor-backup.service", 10), "a wider one would be found");
    });
}

/// Runs a command line of the service as systemd would: it replaces `%%` and `$$` before the shell sees them.
fn runs(host: &Host, name: &str, recipient: &str) -> Output {
    let line = SERVICE.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).expect("a command line");
    let line = line.replace("%%", "%").replace("$$", "$");
    host.command("sh").env("RECIPIENT", recipient).args(["-c", &line]).output().unwrap()
}

/// The run of a night: the second command line follows the first one when that has succeeded.
fn night(host: &Host, recipient: &str) -> Output {
    let output = runs(host, "ExecStart", recipient);
    if output.status.success() { runs(host, "ExecStartPost", recipient) } else { output }
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(FOLDER).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn each_day_has_a_file_and_old_ones_go_after_one_that_is_whole() {
    host(|host| {
        host.user_with_app("alice");
        fs::create_dir(FOLDER).unwrap();
        for (name, days) in [("twofactor-2026-01-01.age", 40), ("twofactor-2026-01-20.age", 20), ("by-hand.age", 40)] {
            host.succeed("touch", ["-d", &format!("{days} days ago"), &format!("{FOLDER}/{name}")]);
        }
        let before = names();

        let output = night(host, "");
        assert_eq!(output.status.code(), Some(2), "no key was written down: {}", said(&output));
        assert_eq!(names(), before, "while backups fail, none is removed");

        let today = || host.succeed("date", ["+twofactor-%F.age"]).trim().to_owned();
        let first_day = today();
        for _ in 0..2 {
            let output = night(host, KEY);
            assert!(output.status.success(), "{}", said(&output));
        }
        let days = [first_day, today()];
        let mut names = names();
        let (written, kept): (Vec<String>, Vec<String>) = names.drain(..).partition(|name| days.contains(name));
        assert_eq!(kept, ["by-hand.age", "twofactor-2026-01-20.age"]);
        // Two where midnight came between the runs.
        assert!(written.len() == 1 || days[0] != days[1], "{written:?}");

        begin_anew();
        restore(host, &format!("{FOLDER}/{}", written.last().unwrap()), &[]);
        assert_eq!(host.json(&["status"]).as_array().unwrap().len(), 1);
    });
}
