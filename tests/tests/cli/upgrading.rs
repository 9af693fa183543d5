//! An upgrade from a version that kept physical tokens in the registry alone: the lines that the packages and `make install` run then,
//! taken from their own files.

use std::fs;
use std::process::{Command, Output};

use twofactor_tests::artifacts::workspace;
use twofactor_tests::fob::Fob;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host, said};

const REGISTRY: &str = "/var/lib/twofactor/registry.db";

/// The script of the Debian package, as dpkg runs it.
fn of_the_deb() -> String {
    let script = fs::read_to_string(workspace().join("packaging/deb/debian/libpam-twofactor.postinst")).unwrap();
    format!("set -- configure ''\n{script}")
}

/// The scriptlet of the rpm.
fn of_the_rpm() -> String {
    let spec = fs::read_to_string(workspace().join("packaging/rpm/pam_twofactor.spec")).unwrap();
    let (_, scriptlet) = spec.split_once("\n%post\n").unwrap();
    scriptlet.split("\n\n").next().unwrap().to_owned()
}

/// The last line of `make install`, with the tool in its place.
fn of_make_install() -> String {
    let mut make = Command::new("make");
    make.args(["--no-print-directory", "--dry-run", "install", "SBINDIR=BINDIR", "PAMDIR=/lib/security"]);
    let output = make.current_dir(workspace()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    let line = lines.lines().last().unwrap();
    assert!(line.starts_with("test -n \"\" || BINDIR/twofactor"), "{line}");
    line.replace("BINDIR/", "")
}

fn upgraded(host: &Host, script: &str) -> Output {
    host.script("pam-auth-update", "#!/bin/sh\n");
    host.script("systemctl", "#!/bin/sh\n");
    let output = host.command("sh").args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "a package that is not installed for this: {}", said(&output));
    output
}

#[test]
fn whatever_installs_a_new_version_moves_the_tokens_of_an_old_one_once() {
    for script in [of_the_deb(), of_the_rpm(), of_make_install()] {
        private_host(|host| {
            let (fob, other) = (Fob::button(1), Fob::button(2));
            host.user_with("alice", &fob);
            let carol = host.user_with_fob("carol");
            host.assign_more(&other, "carol");
            for user in ["alice", "carol"] {
                host.leave_tokens_to_the_registry(user);
            }
            let logs_in = |user: &str, code: &str| host.login(user).typing(code).code();
            assert_eq!(logs_in("alice", &fob.code_of(0)), ReturnCode::AUTHINFO_UNAVAIL, "not yet: {script}");
            for round in 1..=2 {
                let output = upgraded(host, &script);
                assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{script}: {}", said(&output));
                assert_eq!(logs_in("alice", &fob.code_of(round)), ReturnCode::SUCCESS, "{script}");
                assert_eq!(logs_in("carol", &other.code_of(round)), ReturnCode::SUCCESS, "{script}");
            }
            assert_eq!(logs_in("carol", &carol.next_code()), ReturnCode::SUCCESS);
            // On a host without accounts it makes none.
            fs::remove_dir_all("/var/lib/twofactor").unwrap();
            let _ = fs::remove_file("/etc/twofactor/state.id");
            upgraded(host, &script);
            assert!(!fs::exists("/var/lib/twofactor").unwrap(), "{script}");
        });
    }
}

#[test]
fn a_token_that_cannot_be_moved_fails_no_installation_and_says_what_to_do() {
    for script in [of_the_deb(), of_the_rpm(), of_make_install()] {
        private_host(|host| {
            let (fob, lost) = (Fob::button(1), Fob::button(2));
            host.user_with("alice", &fob);
            host.user_with("bob", &lost);
            host.leave_tokens_to_the_registry("bob");
            let registry = fs::read(REGISTRY).unwrap();
            fs::remove_file(REGISTRY).unwrap();
            let told = said(&upgraded(host, &script));
            for words in [
                "twofactor: error: bob holds 1 physical tokens, but /var/lib/twofactor/registry.db knows of 0",
                "twofactor: hint: restore /var/lib/twofactor/registry.db from a backup and run twofactor migrate",
            ] {
                assert!(told.contains(words), "{script}: {told}");
            }
            let report = said(&host.run_twofactor(&["doctor"]));
            assert!(report.contains("lost-tokens") && report.contains("bob"), "{report}");
            assert_eq!(host.login("alice").typing(fob.code_of(0)).code(), ReturnCode::SUCCESS, "others log in");
            // As the hint says.
            fs::write(REGISTRY, registry).unwrap();
            host.succeed("chmod", ["600", REGISTRY]);
            host.succeed("twofactor", ["migrate"]);
            assert_eq!(host.login("bob").typing(lost.code_of(0)).code(), ReturnCode::SUCCESS);
        });
    }
}
