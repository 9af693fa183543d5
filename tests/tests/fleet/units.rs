//! The unit files of a fleet's programs, as systemd reads them.

use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::requirements;
use twofactor_tests::systemd::{analyzed, is_at_most};

const LINK: &str = include_str!("../../../etc/systemd/system/twofactor-link.service");
const SERVER: &str = include_str!("../../../etc/systemd/system/twofactor-server.service");

/// All units, with programs that are there in the place of ours.
fn units(host: &Host, link: &str, server: &str) -> Vec<(&'static str, String)> {
    for name in ["twofactor-link", "twofactor-server"] {
        host.script(name, "#!/bin/sh\n");
    }
    let programs = host.place("bin");
    let units = [
        ("twofactor-link.service", link),
        ("twofactor-server.service", server),
        ("twofactor-link.socket", include_str!("../../../etc/systemd/system/twofactor-link.socket")),
        ("twofactor-link-renew.service", include_str!("../../../etc/systemd/system/twofactor-link-renew.service")),
        ("twofactor-link-renew.timer", include_str!("../../../etc/systemd/system/twofactor-link-renew.timer")),
    ];
    units.map(|(name, text)| (name, text.replace("@SBINDIR@", programs.to_str().unwrap()))).into()
}

#[test]
fn systemd_understands_the_units_and_their_sandboxes_are_tight() {
    if !requirements::programs_met(&["systemd-analyze"]) {
        return;
    }
    private_host(|host| {
        let verified = |link: &str| {
            let units = units(host, link, SERVER);
            let units: Vec<(&str, &str)> = units.iter().map(|(name, text)| (*name, text.as_str())).collect();
            let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
            analyzed(host, &units, &[&["verify", "--man=no"], names.as_slice()].concat())
        };
        assert_eq!(verified(LINK), Vec::<String>::new());
        assert!(!verified(&LINK.replace("DynamicUser=", "DynamicUsers=")).is_empty(), "a mistake would be found");

        let is_tight = |link: &str, server: &str, service: &str| {
            let units = units(host, link, server);
            let units: Vec<(&str, &str)> = units.iter().map(|(name, text)| (*name, text.as_str())).collect();
            is_at_most(host, &units, service, 20)
        };
        for service in ["twofactor-link.service", "twofactor-server.service"] {
            assert!(is_tight(LINK, SERVER, service), "{service}");
        }
        let wider = |text: &str| text.replace("ProtectSystem=strict", "").replace("CapabilityBoundingSet=", "");
        assert!(!is_tight(LINK, &wider(SERVER), "twofactor-server.service"), "a wider one would be found");
    });
}
