//! `service enable` on the services of each distribution, and the result executed by the real libpam.

use std::fs;
use std::path::Path;

use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::twofactor::Enrollment;

use crate::layout::{Layout, Person, files, login, on};

/// What each of these services is put through.
fn every_service(distribution: &str, at_least: usize) {
    on(distribution, |host, layout| {
        let fobs = ["alice", "bobby", "carol", "david"].map(|user| host.enroll(user, &["--counter"]));
        let services = layout.services();
        assert!(services.len() >= at_least, "{services:?}");
        for service in services {
            one_service(host, layout, &service, &fobs);
        }
    });
}

fn one_service(host: &Host, layout: &Layout, service: &str, fobs: &[Enrollment; 4]) {
    let [alice, bobby, carol, _] = fobs;
    let shipped = files();
    let _ = fs::remove_dir_all("/run/faillock");
    fs::create_dir("/run/faillock").unwrap();
    let about = |what: &str| {
        let text = fs::read_to_string(Path::new("/etc/pam.d").join(service)).unwrap_or_default();
        format!(
            "{service}: {what}\n{text}\n{}",
            host.log().iter().rev().take(6).map(|line| line.text.clone() + "\n").collect::<String>()
        )
    };
    let wrong_password = |user, code| Person { user, password: "wrong", code };
    assert_eq!(login(host, service, Person::with_code("alice", "")), ReturnCode::SUCCESS, "{}", about("as shipped"));

    enable(host, service);
    let text = files().remove(service).expect("the service has a file");
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.matches("pam_twofactor.so").count(), 2, "{text}");

    let code = alice.next_code();
    assert_eq!(login(host, service, Person::with_code("alice", &code)), ReturnCode::SUCCESS, "{}", about("both right"));
    let code = bobby.next_code();
    let outcome = login(host, service, wrong_password("bobby", &code));
    assert_ne!(outcome, ReturnCode::SUCCESS, "{}", about("a wrong password and a right code"));
    let outcome = login(host, service, Person::with_code("carol", &carol.wrong_code()));
    assert_ne!(outcome, ReturnCode::SUCCESS, "{}", about("a wrong code"));
    let outcome = login(host, service, Person::with_code("david", ""));
    assert_ne!(outcome, ReturnCode::SUCCESS, "{}", about("no code"));
    let outcome = login(host, service, wrong_password("david", ""));
    assert_ne!(outcome, ReturnCode::SUCCESS, "{}", about("nothing right"));
    enrolls(host, service);

    let again = host.run_twofactor(&["service", "enable", service, "--only", "--yes"]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), "Nothing to do.\n", "{}", said(&again));
    let disabled = host.run_twofactor(&["service", "disable", service, "--yes"]);
    assert!(disabled.status.success(), "{}", said(&disabled));
    assert_eq!(files(), shipped, "{service} is as it was, to the byte");
    assert_eq!(files().get(service), layout.shipped(service).as_ref());
    assert_eq!(login(host, service, Person::with_code("alice", "")), ReturnCode::SUCCESS, "{}", about("as before"));
}

#[track_caller]
fn enable(host: &Host, service: &str) {
    // What sshd needs beside is another suite's business.
    let enabled = host.run_twofactor(&["service", "enable", service, "--only", "--yes"]);
    assert!(enabled.status.success(), "{service}: {}", said(&enabled));
    let stdout = String::from_utf8_lossy(&enabled.stdout);
    assert!(stdout.contains("\n  libpam ran it ") && stdout.contains(" times before"), "{service}: {}", said(&enabled));
}

/// The account line is reached: somebody without a second factor sets one up, and it is stored.
#[track_caller]
fn enrolls(host: &Host, service: &str) {
    let attempt = host.login("erin").of_the_system().service(service).calls("authenticate,account");
    let outcome = attempt.conversing(|prompt, shown| {
        if prompt.to_lowercase().contains("password") {
            return PASSWORD.to_owned();
        }
        let uri = shown.lines().find(|line| line.starts_with("otpauth://"));
        uri.map_or_else(String::new, |uri| Authenticator::from_uri(uri.trim_end()).code(0))
    });
    assert_eq!(outcome.code(), ReturnCode::SUCCESS, "{service}: {outcome:?}");
    host.assert_logged(&["enrolled user=erin", &format!("service={service}")]);
    host.succeed("twofactor", ["reset", "erin", "--yes"]);
}

#[test]
fn debian_12() {
    every_service("debian-12", 8);
}

#[test]
fn ubuntu_24_04() {
    every_service("ubuntu-24.04", 8);
}

#[test]
fn fedora_40_with_local_users() {
    every_service("fedora-40-local", 8);
}

#[test]
fn fedora_40_with_sssd() {
    every_service("fedora-40-sssd", 8);
}

#[test]
fn rhel_9_with_faillock() {
    every_service("rhel-9", 8);
}

#[test]
fn arch() {
    every_service("arch", 7);
}

#[test]
fn opensuse_tumbleweed_with_services_in_usr() {
    every_service("opensuse-tumbleweed", 7);
}

#[test]
fn opensuse_leap_15_with_sssd() {
    every_service("opensuse-leap-15", 7);
}

/// Users whom the host's own password file does not know: another module asks for their password.
fn users_of_a_directory(distribution: &str, directory: &str) {
    on(distribution, |host, layout| {
        let [alice, bobby] = ["alice", "bobby"].map(|user| host.enroll(user, &["--counter"]));
        // It asks whoever it does not know too.
        layout.stub(host, "pam_unix.so", "auth password of nobody\naccount success\n");
        layout.stub(host, "pam_localuser.so", "auth auth_err\naccount auth_err\n");
        layout.stub(host, directory, &format!("auth password {PASSWORD}\naccount success\n"));
        for service in ["sshd", "sudo", "login"] {
            let outcome = login(host, service, Person::with_code("alice", ""));
            assert_eq!(outcome, ReturnCode::SUCCESS, "{service} as shipped");
            enable(host, service);
            let code = alice.next_code();
            assert_eq!(login(host, service, Person::with_code("alice", &code)), ReturnCode::SUCCESS, "{service}");
            let wrong = Person { user: "bobby", password: "wrong", code: &bobby.next_code() };
            assert_ne!(login(host, service, wrong), ReturnCode::SUCCESS, "{service}: a wrong password");
            let wrong = bobby.wrong_code();
            assert_ne!(
                login(host, service, Person::with_code("bobby", &wrong)),
                ReturnCode::SUCCESS,
                "{service}: a wrong code"
            );
        }
    });
}

#[test]
fn users_of_sssd_on_ubuntu() {
    users_of_a_directory("ubuntu-24.04", "pam_sss.so");
}

#[test]
fn users_of_sssd_on_fedora() {
    users_of_a_directory("fedora-40-sssd", "pam_sss.so");
}

#[test]
fn users_of_sssd_on_rhel() {
    users_of_a_directory("rhel-9", "pam_sss.so");
}

#[test]
fn users_of_sssd_on_leap() {
    users_of_a_directory("opensuse-leap-15", "pam_sss.so");
}

#[test]
fn users_of_homed_on_arch() {
    users_of_a_directory("arch", "pam_systemd_home.so");
}

/// The password is asked for when the finger is not recognised: either is a first factor, and behind either comes the code.
#[test]
fn a_finger_that_was_enough_alone_is_so_with_a_code_and_the_password_without_it_is_not() {
    on("debian-12", |host, layout| {
        let alice = host.enroll("alice", &["--counter"]);
        let text = "auth sufficient pam_fprintd.so\nauth required pam_unix.so\naccount required pam_unix.so\n";
        fs::write("/etc/pam.d/sudo", text).unwrap();
        host.succeed("twofactor", ["service", "enable", "sudo", "--only", "--yes"]);
        host.configure("[[rule]]\nusers = [\"carol\"]\nsecond_factor = \"off\"\n");
        for finger in ["success", "auth_err", "ignore"] {
            layout.stub(host, "pam_fprintd.so", &format!("auth {finger}\n"));
            let with = |user, code: &str| login(host, "sudo", Person::with_code(user, code));
            assert_eq!(with("alice", &alice.next_code()), ReturnCode::SUCCESS, "{finger}");
            assert_ne!(with("alice", ""), ReturnCode::SUCCESS, "{finger}");
            assert_eq!(with("carol", ""), ReturnCode::SUCCESS, "who is asked for no code: {finger}");
            let wrong = Person { user: "alice", password: "wrong", code: &alice.next_code() };
            assert_eq!(login(host, "sudo", wrong) == ReturnCode::SUCCESS, finger == "success", "{finger}");
        }
    });
}
