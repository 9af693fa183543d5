//! `twofactor doctor` on a host of a fleet.

use std::path::Path;

use serde_json::Value;
use twofactor_tests::artifacts::{debug, link, server};
use twofactor_tests::log_daemon::until;
use twofactor_tests::private_host::{Host, private_host};

use super::joining::{WEB1, added, central, join};
use super::login::link_of;
use super::program::said;

/// The findings about the fleet, and their words.
fn found(host: &Host) -> Vec<(String, String)> {
    let output = host.command(&debug().tool).args(["--json", "doctor"]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let areas = report["areas"].as_array().unwrap();
    assert!(areas.iter().any(|area| area["area"] == "fleet"), "{report}");
    let words = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["area"] == "fleet");
    findings.map(|finding| (words(&finding["id"]), words(&finding["what"]))).collect()
}

#[test]
fn doctor_says_which_server_is_away_and_why_and_that_the_host_was_revoked() {
    let _ = (server(), link(), debug());
    private_host(|host| {
        let Some(machine) = central("") else { return };
        let mut serving = machine.serve();
        let joined = join(host, machine.address, &added(&machine, &[WEB1]), &[]);
        assert!(joined.status.success(), "{}", said(&joined));
        let linked = link_of(host);
        assert_eq!(found(host), []);
        drop(linked);
        let [(id, what)] = found(host).try_into().unwrap();
        assert_eq!(id, "link-not-running", "{what}");
        let _linked = link_of(host);
        assert!(machine.tool(&["host", "revoke", WEB1]).status.success());
        // The server looks at the certificates once a second.
        let mut last = Vec::new();
        until("the server takes the certificate no more", || {
            last = found(host);
            !last.is_empty()
        });
        let [(id, what)] = last.try_into().unwrap();
        assert!(id == "host-revoked" && what.contains("otp1.example.org:"), "{id}: {what}");
        assert!(serving.end().success());
        let [(id, what)] = found(host).try_into().unwrap();
        assert!(id == "fleet-unreachable" && what.contains("connection refused"), "{id}: {what}");
        // The certificate stands with its key too, so that they change together.
        for name in ["host.key", "host.pem"] {
            std::fs::remove_file(Path::new("/etc/twofactor/fleet").join(name)).unwrap();
        }
        let [(id, what)] = found(host).try_into().unwrap();
        assert!(id == "host-certificate-invalid" && what.contains("host."), "{id}: {what}");
    });
}
