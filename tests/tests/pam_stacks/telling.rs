//! Stacks in which a wrong password does not end the phase: our line is told of it by a file of its own, which comes with the first
//! service that includes it and goes with the last.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Stdio;

use nix::mount::{MsFlags, mount};
use twofactor_admin::pam_editing::placing;
use twofactor_core::pam_service::first_factor::{FILE, NAME, TEXT};
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, PASSWORD, said};

use crate::layout::{Person, files, login, on};

/// As CIS benchmarks have it.
const HARDENED: &str = "\
auth required pam_faillock.so preauth deny=100
auth [success=1 default=ignore] pam_unix.so nullok nodelay
auth [default=die] pam_faillock.so authfail deny=100
auth sufficient pam_faillock.so authsucc deny=100
auth requisite pam_deny.so
auth required pam_permit.so
";

fn hardened(test: impl FnOnce(&Host) + Send) {
    on("debian-12", |host, _| {
        fs::write("/etc/pam.d/common-auth", HARDENED).unwrap();
        test(host);
    });
}

fn enable(host: &Host, services: &[&str]) -> String {
    let output = host.run_twofactor(&[&["service", "enable", "--yes", "--only"], services].concat());
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

fn disable(host: &Host, service: &str) -> String {
    let output = host.run_twofactor(&["service", "disable", service, "--yes"]);
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

/// The prompts of a login with a wrong password; a code is there to be asked for.
fn prompts(host: &Host, service: &str, code: &str) -> usize {
    let login = host.login("alice").of_the_system().service(service).rhost("198.51.100.1");
    let outcome =
        login.conversing(
            |prompt, _| {
                if prompt.to_lowercase().contains("password") { "wrong".to_owned() } else { code.to_owned() }
            },
        );
    assert_ne!(outcome.code(), ReturnCode::SUCCESS, "{outcome:?}");
    outcome.prompts().len()
}

#[test]
fn behind_faillock_a_stranger_without_the_password_does_not_make_anybody_wait() {
    hardened(|host| {
        let alice = host.enroll("alice", &["--counter"]);
        let shipped = files();
        let shown = enable(host, &["login"]);
        assert!(!shown.contains("no longer ends") && shown.contains(&format!("+++ {FILE}")), "{shown}");
        assert!(shown.contains("no code is asked for"), "{shown}");
        let about = fs::symlink_metadata(FILE).unwrap();
        assert_eq!((fs::read_to_string(FILE).unwrap().as_str(), about.uid(), about.mode() & 0o7777), (TEXT, 0, 0o644));
        for _ in 0..20 {
            assert_eq!(prompts(host, "login", &alice.wrong_code()), 1, "the password alone is asked for");
        }
        assert_eq!(host.failures("alice"), 0);
        let outcome = login(host, "login", Person::with_code("alice", &alice.next_code()));
        assert_eq!(outcome, ReturnCode::SUCCESS, "she does not wait");
        let outcome = login(host, "login", Person::with_code("alice", &alice.wrong_code()));
        assert_ne!(outcome, ReturnCode::SUCCESS);
        assert_eq!(host.failures("alice"), 1, "behind the right password wrong codes count");
        disable(host, "login");
        assert_eq!(files(), shipped, "to the byte, and the file is gone");
    });
}

#[test]
fn behind_sssd_and_unix_of_fedora_nobody_is_asked_for_a_code_with_a_wrong_password() {
    on("fedora-40-sssd", |host, layout| {
        let alice = host.enroll("alice", &["--counter"]);
        let shipped = files();
        // The first two have a substack as they are shipped, the third an include.
        enable(host, &["sshd", "login", "sudo"]);
        for service in ["sshd", "login", "sudo"] {
            assert_eq!(prompts(host, service, &alice.wrong_code()), 1, "{service}");
            let outcome = login(host, service, Person::with_code("alice", &alice.next_code()));
            assert_eq!(outcome, ReturnCode::SUCCESS, "{service}");
        }
        // A user of the directory, whom pam_unix refuses before.
        layout.stub(host, "pam_unix.so", "auth password of nobody\naccount success\n");
        layout.stub(host, "pam_sss.so", &format!("auth password {PASSWORD}\naccount success\n"));
        layout.stub(host, "pam_localuser.so", "auth auth_err\naccount auth_err\n");
        for service in ["sshd", "login", "sudo"] {
            let outcome = login(host, service, Person::with_code("alice", &alice.next_code()));
            assert_eq!(outcome, ReturnCode::SUCCESS, "{service}: one module refused, another accepted");
            assert_eq!(prompts(host, service, &alice.wrong_code()), 1, "{service}");
        }
        assert_eq!(host.failures("alice"), 0);
        let removal = host.run_twofactor(&["service", "disable", "--all", "--yes"]);
        assert!(removal.status.success(), "{}", said(&removal));
        assert_eq!(files(), shipped);
    });
}

#[test]
fn the_file_comes_with_the_first_service_and_goes_with_the_last() {
    hardened(|host| {
        host.enroll("alice", &["--counter"]);
        let shipped = files();
        enable(host, &["login"]);
        let second = enable(host, &["su"]);
        assert!(!second.contains(&format!("+++ {FILE}")), "it is there: {second}");
        let first = disable(host, "login");
        assert!(Path::new(FILE).exists() && !first.contains("any more: removed"), "su includes it: {first}");
        let last = disable(host, "su");
        assert!(last.contains(&format!("No service includes {FILE} any more")), "{last}");
        assert_eq!(files(), shipped);
        // Somebody else's service may include it, and keeps it.
        enable(host, &["login"]);
        fs::write("/etc/pam.d/own", format!("auth required pam_unix.so\nauth substack {FILE}\n")).unwrap();
        disable(host, "login");
        assert_eq!(fs::read_to_string(FILE).unwrap(), TEXT);
        let removal = host.run_twofactor(&["service", "disable", "--all", "--yes"]);
        assert_eq!(removal.status.code(), Some(7), "the module could not go: {}", said(&removal));
        assert!(said(&removal).contains("twofactor service disable own"), "{}", said(&removal));
        assert!(!said(&removal).contains(&format!("{FILE} still runs")), "it goes with that: {}", said(&removal));
        disable(host, "own");
        assert!(!Path::new(FILE).exists());
    });
}

#[test]
fn without_the_file_nobody_gets_in_until_enable_has_written_it_again() {
    hardened(|host| {
        let alice = host.enroll("alice", &["--counter"]);
        enable(host, &["login"]);
        let placed = fs::read_to_string("/etc/pam.d/login").unwrap();
        fs::remove_file(FILE).unwrap();
        let outcome = login(host, "login", Person::with_code("alice", &alice.next_code()));
        assert_ne!(outcome, ReturnCode::SUCCESS, "libpam fails at what it cannot include");
        let listed = said(&host.run_twofactor(&["service", "list"]));
        assert!(listed.contains(NAME), "{listed}");
        let found = said(&host.run_twofactor(&["doctor"]));
        assert!(found.contains("broken-line") && found.contains("twofactor service enable login"), "{found}");
        let again = enable(host, &["login"]);
        assert!(again.contains(&format!("Written for that: {FILE}")), "{again}");
        assert_eq!(fs::read_to_string("/etc/pam.d/login").unwrap(), placed);
        let outcome = login(host, "login", Person::with_code("alice", &alice.next_code()));
        assert_eq!(outcome, ReturnCode::SUCCESS);
        // One that somebody has changed is put right, and one that others could change is refused.
        fs::write(FILE, TEXT.replace("pam_permit", "pam_deny")).unwrap();
        enable(host, &["login"]);
        assert_eq!(fs::read_to_string(FILE).unwrap(), TEXT);
        fs::set_permissions(FILE, fs::Permissions::from_mode(0o666)).unwrap();
        let refused = host.run_twofactor(&["service", "enable", "su", "--only", "--yes"]);
        assert_eq!(refused.status.code(), Some(7), "{}", said(&refused));
        assert!(said(&refused).contains(FILE), "{}", said(&refused));
    });
}

#[test]
fn a_change_that_cannot_be_made_leaves_no_file_behind() {
    hardened(|host| {
        host.enroll("alice", &["--counter"]);
        let shipped = files();
        // Nothing can be put in the place of a file that is a mount.
        let login = Path::new("/etc/pam.d/login");
        mount(Some(login), login, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        let failed = host.run_twofactor(&["service", "enable", "su", "login", "--only", "--yes"]);
        assert!(!failed.status.success(), "{}", said(&failed));
        assert_eq!(files(), shipped, "{}", said(&failed));
        // What a crash has left is taken away by the next command that takes the module out.
        fs::write(FILE, TEXT).unwrap();
        let removal = host.run_twofactor(&["service", "disable", "--all", "--yes"]);
        assert!(removal.status.success(), "{}", said(&removal));
        assert_eq!(files(), shipped);
    });
}

/// True when every file that libpam would include is there, also while a command changes both. A file is missing when it was
/// not there at a moment before and after which a service included it.
fn nothing_is_missing() -> bool {
    let includes = |(name, text): (&String, &Vec<u8>)| {
        name != NAME && !name.ends_with(".twofactor-new") && placing::tells(&String::from_utf8_lossy(text))
    };
    let is_included = || files().iter().any(includes);
    !is_included() || Path::new(FILE).exists() || !is_included()
}

#[test]
fn killed_at_any_moment_no_service_includes_a_file_that_is_not_there() {
    hardened(|host| {
        host.enroll("alice", &["--counter"]);
        let shipped = files();
        let killed = |arguments: &[&str], is_time: &dyn Fn() -> bool| {
            let mut process = host.twofactor(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            while !is_time() && process.try_wait().unwrap().is_none() {
                assert!(nothing_is_missing(), "{arguments:?}");
            }
            process.kill().unwrap();
            process.wait().unwrap();
            assert!(nothing_is_missing(), "{arguments:?}");
        };
        let restored = || {
            host.succeed("twofactor", ["service", "disable", "--all", "--yes"]);
            let mut found = files();
            found.retain(|name, _| !name.ends_with(".twofactor-new"));
            assert_eq!(found, shipped);
        };
        let is_as_shipped =
            |name: &str| fs::read(Path::new("/etc/pam.d").join(name)).ok().as_ref() == shipped.get(name);
        let enabling = ["service", "enable", "sudo", "--only", "login", "su", "--yes"];
        for _ in 0..2 {
            killed(&enabling, &|| Path::new(FILE).exists());
            restored();
            killed(&enabling, &|| !is_as_shipped("sudo"));
            restored();
            for name in ["login", "sudo", "su"] {
                host.succeed("twofactor", enabling);
                killed(&["service", "disable", "--all", "--yes"], &|| is_as_shipped(name));
                restored();
            }
        }
    });
}

#[test]
fn the_file_is_no_service() {
    hardened(|host| {
        host.enroll("alice", &["--counter"]);
        enable(host, &["login"]);
        let refused = host.run_twofactor(&["service", "enable", NAME, "--yes"]);
        assert_eq!(refused.status.code(), Some(7), "{}", said(&refused));
        let listed = host.json(&["service", "list", "--all"]);
        let services = listed.as_array().unwrap();
        assert!(services.iter().all(|service| service["service"] != NAME), "{listed:#}");
        let of_login = services.iter().find(|service| service["service"] == "login").unwrap();
        assert_eq!(of_login["auth"]["file"], "/etc/pam.d/login", "its line, and none of the file's: {of_login:#}");
        assert_eq!(of_login["problems"].as_array().unwrap().len(), 0, "{of_login:#}");
        let explained = said(&host.run_twofactor(&["explain", "alice", "--service", "login"]));
        assert!(explained.contains("/etc/pam.d/login:"), "{explained}");
    });
}
