//! The unit files, as systemd reads them. `make vm-test` runs them.

use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::requirements;
use twofactor_tests::systemd::{analyzed, is_at_most};

const SERVICE: &str = include_str!("../../../etc/systemd/system/twofactord.service");
const SOCKET: &str = include_str!("../../../etc/systemd/system/twofactord.socket");

/// Both units, with the broker in the place that a package would give it.
fn units(host: &Host, service: &str) -> [(&'static str, String); 2] {
    let service = service.replace("@SBINDIR@", host.place("bin").to_str().unwrap());
    [("twofactord.service", service), ("twofactord.socket", SOCKET.to_owned())]
}

#[test]
fn systemd_understands_the_units() {
    if !requirements::programs_met(&["systemd-analyze"]) {
        return;
    }
    private_host(|host| {
        let found = |service: &str| {
            let units = units(host, service);
            let units = units.each_ref().map(|(name, text)| (*name, text.as_str()));
            analyzed(host, &units, &["verify", "--man=no", "twofactord.service", "twofactord.socket"])
        };
        assert_eq!(found(SERVICE), Vec::<String>::new());
        let misspelt = SERVICE.replace("ProtectSystem=", "ProtectSystems=");
        assert!(!found(&misspelt).is_empty(), "a mistake would have been found");
    });
}

#[test]
fn the_sandbox_of_the_service_is_as_tight_as_promised() {
    if !requirements::programs_met(&["systemd-analyze"]) {
        return;
    }
    private_host(|host| {
        let succeeds = |service: &str| {
            let units = units(host, service);
            let units = units.each_ref().map(|(name, text)| (*name, text.as_str()));
            is_at_most(host, &units, "twofactord.service", 10)
        };
        assert!(succeeds(SERVICE));
        assert!(!succeeds(&SERVICE.replace("PrivateNetwork=yes", "PrivateNetwork=no")), "a wider one would be found");
    });
}
