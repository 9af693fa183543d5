//! `make vm-test`: a whole Debian boots in QEMU, the package is installed and the console login protected; after a reboot
//! the console asks for password and code, and the units are tried under systemd. Then two of them are a fleet: a central
//! machine and a host, set up as the guide says.
//!
//! Kernel, systemd, getty and login are Debian's; what is typed goes through the serial console. A machine is emulated
//! (`-accel tcg`) and has no network but a wire to the other. Nothing of the host changes: disks are files below `target/vm`.
//!
//! `vm-test [console|fleet]` does one half.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "tests fail loudly")]

mod backup;
mod broker;
mod console;
mod fleet;
mod guest;
mod guide;

use std::fs;
use std::time::Instant;

use twofactor_tests::artifacts::{debian_package, debian_packages};
use twofactor_tests::debian::{Release, bootstrapped};

/// The packages of a machine that a container does without, and the database of a fleet.
const PACKAGES: [&str; 8] =
    ["dbus", "iproute2", "libpam-systemd", "linux-image-cloud-amd64", "login", "postgresql", "systemd-sysv", "udev"];

fn main() {
    let started = Instant::now();
    let say = |words: &str| println!("{:>4} s  {words}", started.elapsed().as_secs());
    let half = std::env::args().nth(1);
    say("a Debian with a kernel, and the packages");
    let root = bootstrapped(Release::Bookworm, &PACKAGES).unwrap_or_else(|reason| panic!("{reason}"));
    match half.as_deref() {
        None => {
            console::trials(&root, debian_package(), &say);
            fleet::trials(&root, debian_packages(), &say);
        }
        Some("console") => console::trials(&root, debian_package(), &say),
        Some("fleet") => fleet::trials(&root, debian_packages(), &say),
        Some(other) => panic!("{other}: console or fleet, or nothing for both"),
    }
    fs::remove_dir_all(guest::folder()).unwrap();
    say("done");
}
