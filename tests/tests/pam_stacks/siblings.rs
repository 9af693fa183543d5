//! Services that are taken for one: whoever changes one is told of the other.

use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::said;

use crate::layout::{Person, login, on};

#[test]
fn whoever_protects_sudo_is_told_of_sudo_i() {
    on("debian-12", |host, _| {
        host.enroll("alice", &["--counter"]);
        let warning = "warning: sudo-i is a service of its own, and asks for no second factor";
        let hint = "hint: run \"twofactor service enable sudo-i\"";
        for arguments in [&["sudo", "su", "--dry-run"][..], &["sudo", "su", "--yes"], &["sudo", "--yes"]] {
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
