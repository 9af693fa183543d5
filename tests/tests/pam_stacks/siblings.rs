//! Services that are taken for one: whoever changes one is told of the other.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::said;

use crate::layout::{Person, login, on};

#[test]
fn sudo_takes_sudo_i_along_and_says_so_and_su_l_that_includes_su_is_not_asked_twice() {
    on("debian-12", |host, _| {
        let alice = host.enroll("alice", &["--counter"]);
        let json = host.json(&["service", "enable", "sudo", "--dry-run"]);
        assert_eq!(json["services"][1]["service"], "sudo-i", "{json}");
        let enabled = host.run_twofactor(&["service", "enable", "sudo", "su", "--yes"]);
        let words = "sudo-i is a service of its own, and is changed, too";
        assert!(enabled.status.success() && said(&enabled).contains(words), "{}", said(&enabled));
        assert!(said(&enabled).contains("--only leaves it as it is"), "{}", said(&enabled));
        assert!(said(&enabled).contains("twofactor service disable sudo su sudo-i"), "{}", said(&enabled));
        for service in ["sudo", "sudo-i", "su", "su-l"] {
            assert_ne!(login(host, service, Person::with_code("alice", "")), ReturnCode::SUCCESS, "{service}");
            let code = alice.next_code();
            assert_eq!(login(host, service, Person::with_code("alice", &code)), ReturnCode::SUCCESS, "{service}");
        }
        host.succeed("twofactor", ["service", "disable", "sudo", "sudo-i", "su", "--yes"]);

        // The service that includes the other is named: both would be two questions.
        let enabled = host.run_twofactor(&["service", "enable", "su-l", "--yes"]);
        assert!(enabled.status.success(), "{}", said(&enabled));
        assert!(said(&enabled).contains("su is a service of its own, and asks for no"), "{}", said(&enabled));
        let code = alice.next_code();
        assert_eq!(login(host, "su-l", Person::with_code("alice", &code)), ReturnCode::SUCCESS);
    });
}

#[test]
fn a_sibling_that_cannot_be_changed_stays_and_is_warned_about() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        fs::set_permissions("/etc/pam.d/sudo-i", fs::Permissions::from_mode(0o666)).unwrap();
        let enabled = host.run_twofactor(&["service", "enable", "sudo", "--yes"]);
        assert!(enabled.status.success(), "{}", said(&enabled));
        assert!(
            said(&enabled).contains("sudo-i is a service of its own, and asks for no second"),
            "{}",
            said(&enabled)
        );
        assert!(!fs::read_to_string("/etc/pam.d/sudo-i").unwrap().contains("pam_twofactor"));
    });
}

#[test]
fn whoever_protects_sudo_only_is_told_of_sudo_i() {
    on("debian-12", |host, _| {
        host.enroll("alice", &["--counter"]);
        let warning = "warning: sudo-i is a service of its own, and asks for no second factor";
        let hint = "hint: run \"twofactor service enable sudo-i\"";
        for arguments in [
            &["sudo", "su", "--only", "--dry-run"][..],
            &["sudo", "su", "--only", "--yes"],
            &["sudo", "--only", "--yes"],
        ] {
            let enabled = host.run_twofactor(&[&["service", "enable"], arguments].concat());
            assert!(enabled.status.success(), "{}", said(&enabled));
            assert!(said(&enabled).contains(warning) && said(&enabled).contains(hint), "{}", said(&enabled));
            assert!(!said(&enabled).contains("su-l"), "it includes su: {}", said(&enabled));
        }
        // So it is: each of these asks as far as it was said.
        for (service, with_the_password_alone) in [("sudo", false), ("sudo-i", true), ("su", false), ("su-l", false)] {
            let opened = login(host, service, Person::with_code("alice", "")) == ReturnCode::SUCCESS;
            assert_eq!(opened, with_the_password_alone, "{service}");
        }
        let both = host.run_twofactor(&["service", "enable", "sudo", "sudo-i", "--yes"]);
        assert!(both.status.success() && !said(&both).contains("of its own"), "{}", said(&both));

        let one = host.run_twofactor(&["service", "disable", "sudo", "--yes"]);
        assert!(said(&one).contains("sudo-i is a service of its own, and still asks"), "{}", said(&one));
        assert!(said(&one).contains("run \"twofactor service disable sudo-i\""), "{}", said(&one));
        let rest = host.run_twofactor(&["service", "disable", "sudo-i", "su", "--yes"]);
        assert!(rest.status.success() && !said(&rest).contains("of its own"), "{}", said(&rest));
    });
}
