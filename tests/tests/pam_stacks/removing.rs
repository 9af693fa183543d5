//! `service disable --all`, which a package's removal relies on: where a line of ours stays, it fails, after doing the rest.

use std::fs;
use std::os::unix::fs::symlink;

use twofactor_tests::private_host::{Host, said};

use crate::layout::{files, on};

const ALL: [&str; 4] = ["service", "disable", "--all", "--yes"];

/// Everything is taken out that can be, and `words` say what cannot.
#[track_caller]
fn fails(host: &Host, words: &[&str]) {
    let dry = host.run_twofactor(&["service", "disable", "--all", "--dry-run"]);
    assert_eq!(dry.status.code(), Some(7), "before anything is changed: {}", said(&dry));
    let removal = host.run_twofactor(&ALL);
    assert_eq!(removal.status.code(), Some(7), "{}", said(&removal));
    for words in words {
        assert!(said(&removal).contains(words), "{words:?} in {}", said(&removal));
    }
}

#[test]
fn a_service_that_became_a_link_keeps_its_line_and_the_removal_fails() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        let shipped = files();
        host.succeed("twofactor", ["service", "enable", "login", "sudo", "su", "--yes"]);
        fs::rename("/etc/pam.d/login", "/etc/login.pam").unwrap();
        symlink("/etc/login.pam", "/etc/pam.d/login").unwrap();
        let hint = "cp --remove-destination /etc/login.pam /etc/pam.d/login";
        fails(host, &["/etc/pam.d/login still runs pam_twofactor.so", "is a symbolic link to /etc/login.pam", hint]);
        for service in ["sudo", "su"] {
            assert_eq!(files()[service], shipped[service], "the others are as they were");
        }
        host.succeed("cp", ["--remove-destination", "/etc/login.pam", "/etc/pam.d/login"]);
        host.succeed("twofactor", ALL);
        assert_eq!(files(), shipped);
    });
}

#[test]
fn a_service_that_asks_for_nothing_without_us_keeps_its_line_and_the_removal_fails() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        host.succeed("twofactor", ["service", "enable", "sudo", "--only", "--yes"]);
        let key_and_code = fs::read_to_string("/etc/pam.d/sudo")
            .unwrap()
            .replace("@include common-auth", "auth required pam_permit.so");
        fs::write("/etc/pam.d/sudo", &key_and_code).unwrap();
        fails(host, &["/etc/pam.d/sudo still runs", "change /etc/pam.d/sudo by hand"]);
        assert_eq!(fs::read_to_string("/etc/pam.d/sudo").unwrap(), key_and_code);
        // What keeps a service from being changed does not matter when nothing of ours is in it.
        fs::write("/etc/sudo.pam", "auth required pam_unix.so\n").unwrap();
        fs::remove_file("/etc/pam.d/sudo").unwrap();
        symlink("/etc/sudo.pam", "/etc/pam.d/sudo").unwrap();
        host.succeed("twofactor", ALL);
    });
}

#[test]
fn records_are_found_where_a_broken_configuration_says_that_they_are() {
    on("debian-12", |host, _| {
        let shipped = files();
        host.succeed("install", ["-d", "-m", "0700", "/srv/twofactor", "/srv/twofactor/users"]);
        let paths = "[paths]\nstate = \"/srv/twofactor\"\n";
        for broken in ["[default]\nsecond_facto = \"required\"\n", "this is no TOML\n"] {
            host.configure(paths);
            host.succeed("twofactor", ["service", "enable", "login", "--yes", "--force"]);
            host.configure(&format!("{broken}{paths}"));
            host.succeed("twofactor", ALL);
            assert_eq!(files(), shipped, "{broken}");
        }
        // Where nothing says so, the line that is left is.
        host.configure(paths);
        host.succeed("twofactor", ["service", "enable", "login", "--yes", "--force"]);
        host.configure("this is no TOML\n");
        fails(host, &["run \"twofactor service disable login\""]);
        host.succeed("twofactor", ["service", "disable", "login", "--yes"]);
        assert_eq!(files(), shipped);
    });
}
