//! `make vm-test`: a whole Debian boots in QEMU, the package is installed and the console login protected; after a reboot
//! the console asks for password and code, and the units are tried under systemd.
//!
//! Kernel, systemd, getty and login are Debian's; what is typed goes through the serial console. The machine is emulated
//! (`-accel tcg`) and has no network. Nothing of the host changes: the disk is a file below `target/vm`.
//!
//! `vm-test [PACKAGE]` tries a package that is built already.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "tests fail loudly")]

mod backup;
mod broker;
mod guest;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use twofactor_tests::artifacts::debian_package;
use twofactor_tests::debian::{Release, bootstrapped};

use crate::guest::Guest;

/// What a machine needs that a container does not.
const PACKAGES: [&str; 6] = ["dbus", "libpam-systemd", "linux-image-cloud-amd64", "login", "systemd-sysv", "udev"];

fn main() {
    let started = Instant::now();
    let say = |words: &str| println!("{:>4} s  {words}", started.elapsed().as_secs());
    say("a Debian with a kernel, and the package");
    let root = bootstrapped(Release::Bookworm, &PACKAGES).unwrap_or_else(|reason| panic!("{reason}"));
    let given = std::env::args_os().nth(1).map(PathBuf::from);
    let package = given.as_deref().unwrap_or_else(|| debian_package());
    let disk = guest::disk(&root, package, &broker::USERS, &broker::files());

    say("first boot");
    let mut guest = Guest::boot(&root, &disk);
    guest.log_in(None, "# ");
    say("logged in with the password alone; installing");
    guest.run("dpkg --install /root/libpam-twofactor.deb");
    let shown = guest.run("twofactor --json enroll root --counter --no-confirm | tr , '\\n'");
    let fob = guest::token_in(&shown);
    say("root is enrolled; the module goes into login");
    guest.run("twofactor service enable login --yes");
    guest.reboot();

    say("second boot");
    let wrong = fob.wrong_codes().next().expect("wrong codes are many");
    guest.log_in(Some(&wrong), "Login incorrect");
    say("a wrong code is refused");
    guest.log_in(Some(&fob.counter_codes(0, 1)[0]), "# ");
    say("password and code open a session");
    let log = guest.run("journalctl --boot --no-pager --output=cat --grep='pam_twofactor.*:auth'");
    assert!(
        log.contains("denied user=root service=login") && log.contains("accepted user=root service=login"),
        "{log}"
    );
    broker::trials(&mut guest, &say);
    backup::trials(&mut guest, &say);
    guest.power_off();
    fs::remove_dir_all(disk.parent().expect("a folder")).unwrap();
    say("done");
}
