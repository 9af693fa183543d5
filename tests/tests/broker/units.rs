//! The unit files, as systemd reads them. `make vm-test` runs them.

use std::fs;

use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::requirements;

const SERVICE: &str = include_str!("../../../etc/systemd/system/twofactord.service");
const SOCKET: &str = include_str!("../../../etc/systemd/system/twofactord.socket");

/// Puts the units where systemd looks for them, and runs `systemd-analyze`. Gives the lines about them.
fn analyzed(host: &Host, service: &str, arguments: &[&str]) -> Vec<String> {
    let folder = host.place("bin");
    fs::write("/etc/systemd/system/twofactord.service", service.replace("@SBINDIR@", folder.to_str().unwrap()))
        .unwrap();
    fs::write("/etc/systemd/system/twofactord.socket", SOCKET).unwrap();
    let output = host.command("systemd-analyze").args(arguments).output().unwrap();
    let mut lines: Vec<String> =
        said(&output).lines().filter(|line| line.contains("twofactord.")).map(str::to_owned).collect();
    if !output.status.success() {
        lines.push(output.status.to_string());
    }
    lines
}

#[test]
fn systemd_understands_the_units() {
    if !requirements::programs_met(&["systemd-analyze"]) {
        return;
    }
    private_host(|host| {
        let verify = ["verify", "--man=no", "twofactord.service", "twofactord.socket"];
        assert_eq!(analyzed(host, SERVICE, &verify), Vec::<String>::new());
        let misspelt = SERVICE.replace("ProtectSystem=", "ProtectSystems=");
        assert!(!analyzed(host, &misspelt, &verify).is_empty(), "a mistake would have been found");
    });
}

/// The threshold is systemd's figure times ten.
#[test]
fn the_sandbox_of_the_service_is_as_tight_as_promised() {
    if !requirements::programs_met(&["systemd-analyze"]) {
        return;
    }
    private_host(|host| {
        let security = ["security", "--no-pager", "--offline=true", "--threshold=10", "twofactord.service"];
        let succeeds = |service: &str| !analyzed(host, service, &security).iter().any(|line| line.starts_with("exit"));
        assert!(succeeds(SERVICE));
        assert!(!succeeds(&SERVICE.replace("PrivateNetwork=yes", "PrivateNetwork=no")), "a wider one would be found");
    });
}
