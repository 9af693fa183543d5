//! `twofactor doctor` on a host that is well, and on one with a single defect: it finds that one and nothing else, and what
//! it says mends it.
//!
//! The files of PAM and sshd are the distribution's own. What only a booted host has is played: `timedatectl` needs systemd,
//! and SELinux a kernel with it.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod backup;
mod configuration;
mod files;
mod healthy;
mod people;
mod services;
mod ssh;
mod ssh_match;
mod surroundings;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::twofactor::Enrollment;

const STATE: &str = "/var/lib/twofactor";
/// The file of the last backup, and the key that opens it.
const BACKUP: &str = "/root/codes.age";
const KEY: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
const DROP_IN: &str = include_str!("../../../etc/ssh/sshd_config.d/twofactor.conf");

/// Debian's `/etc/pam.d/sshd` with our lines in their places.
const SSHD: &str = "\
@include common-auth
auth required pam_twofactor.so
account requisite pam_nologin.so
account required pam_twofactor.so
@include common-account
@include common-session
@include common-password
";

/// A host that is well: sshd asks for password and code, alice, its administrator, is enrolled, and there is a backup.
fn make_well(host: &Host) -> Enrollment {
    only_root_may_log_in_of_this_machine();
    // Other suites have it installed. It cannot ask for a code, so it is a finding where shared files ask for one.
    let _ = fs::remove_file("/etc/pam.d/vsftpd");
    host.install_module();
    let alice = host.user_with_app("alice");
    host.succeed("usermod", ["--append", "--groups", "sudo", "alice"]);
    service("sshd", SSHD);
    fs::create_dir_all("/etc/ssh/sshd_config.d").unwrap();
    fs::write("/etc/ssh/sshd_config.d/00-twofactor.conf", DROP_IN).unwrap();
    host.succeed("ssh-keygen", ["-A"]);
    synchronized(host, "yes");
    back_up(host);
    alice
}

/// Writes a backup.
fn back_up(host: &Host) {
    host.sysadmin(&["backup", BACKUP, "--force", "--recipient", KEY]);
}

/// Writes the PAM service `name`.
fn service(name: &str, text: &str) {
    fs::write(Path::new("/etc/pam.d").join(name), text).unwrap();
}

/// Plays `timedatectl`, which needs a systemd that runs.
fn synchronized(host: &Host, answer: &str) {
    host.script("timedatectl", &format!("#!/bin/sh\necho NTPSynchronized={answer}\n"));
}

/// The machine that runs the tests may have users of its own. root's password is locked, as Debian's installer leaves it.
fn only_root_may_log_in_of_this_machine() {
    let without_shell = |line: &str| match line.rsplit_once(':') {
        Some((rest, _)) if !line.starts_with("root:") => format!("{rest}:/usr/sbin/nologin\n"),
        _ => format!("{line}\n"),
    };
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    fs::write("/etc/passwd", passwd.lines().map(without_shell).collect::<String>()).unwrap();
    let locked = |line: &str| match line.split_once(':').and_then(|(_, rest)| rest.split_once(':')) {
        Some((_, rest)) if line.starts_with("root:") => format!("root:*:{rest}\n"),
        _ => format!("{line}\n"),
    };
    let shadow = fs::read_to_string("/etc/shadow").unwrap();
    fs::write("/etc/shadow", shadow.lines().map(locked).collect::<String>()).unwrap();
}

/// What doctor reports, and its exit code.
#[track_caller]
fn doctor(host: &Host) -> (Value, i32) {
    let output = host.run_twofactor(&["--json", "doctor"]);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
    (report, output.status.code().expect("an exit code"))
}

fn findings(report: &Value) -> &[Value] {
    report["findings"].as_array().expect("findings")
}

fn ids(report: &Value) -> BTreeSet<&str> {
    findings(report).iter().map(|finding| finding["id"].as_str().expect("an id")).collect()
}

/// How a defect goes away.
#[derive(Clone, Copy)]
enum Mended<'h> {
    /// By the commands that doctor prints.
    ByItsCommands,
    /// By what its advice says, done by the test.
    ByHand(&'h (dyn Fn(&Host) + Sync)),
}

/// Makes one defect on a host that is well. doctor must find `expected` and nothing else, and be content when it is mended.
#[track_caller]
fn finds(expected: &[&str], make: impl FnOnce(&Host) + Send, mended: Mended<'_>) {
    private_host(|host| {
        make_well(host);
        make(host);
        check(host, expected, mended);
    });
}

/// The same on a host that is made already.
#[track_caller]
fn check(host: &Host, expected: &[&str], mended: Mended<'_>) {
    let (report, code) = doctor(host);
    assert_eq!(ids(&report), expected.iter().copied().collect(), "{report:#}");
    let notes_only = findings(&report).iter().all(|finding| finding["severity"] == "note");
    assert_eq!(code, i32::from(!notes_only), "{report:#}");
    host.fits_as(&["doctor"], &host.run_twofactor(&["doctor"]));
    match mended {
        Mended::ByItsCommands => run_commands(host, &report),
        Mended::ByHand(mend) => mend(host),
    }
    let (after, code) = doctor(host);
    assert_eq!((findings(&after).len(), code), (0, 0), "not mended: {after:#}\nbefore: {report:#}");
}

/// Runs what doctor says, as somebody who pastes it would.
fn run_commands(host: &Host, report: &Value) {
    for finding in findings(report) {
        let command = finding["command"].as_str().unwrap_or_else(|| panic!("no command: {finding:#}"));
        // Nobody is at the terminal who could say yes or type a code.
        let command = match command {
            enroll if enroll.starts_with("twofactor enroll ") => format!("{enroll} --no-confirm"),
            reset if reset.starts_with("twofactor reset ") => format!("{reset} --yes"),
            adopt if adopt.starts_with("twofactor state adopt") => format!("{adopt} --yes"),
            service if service.starts_with("twofactor service ") => format!("{service} --yes"),
            other => other.to_owned(),
        };
        host.succeed("sh", ["-c", &command]);
    }
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn of_alice(name: &str) -> String {
    format!("{STATE}/users/alice/{name}")
}
