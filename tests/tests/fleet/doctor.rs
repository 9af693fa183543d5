//! `twofactor doctor` on a host of a fleet.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use twofactor_core::host::user::UserName;
use twofactor_core::store::Store as _;
use twofactor_tests::artifacts::{debug, link, server};
use twofactor_tests::log_daemon::until;
use twofactor_tests::private_host::{Host, private_host};

use super::joining::{OTP1, WEB1, added, central, join, store};
use super::login::{link_of, link_of_command};
use super::program::{Serving, said};

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
            fs::remove_file(Path::new("/etc/twofactor/fleet").join(name)).unwrap();
        }
        let [(id, what)] = found(host).try_into().unwrap();
        assert!(id == "host-certificate-invalid" && what.contains("host."), "{id}: {what}");
    });
}

#[test]
fn a_link_that_cannot_take_up_a_renewed_certificate_is_named_with_both_until_it_is_restarted() {
    let _ = (server(), link(), debug());
    private_host(|host| {
        let Some(machine) = central("") else { return };
        let _serving = machine.serve();
        let joined = join(host, machine.address, &added(&machine, &[WEB1]), &[]);
        assert!(joined.status.success(), "{}", said(&joined));
        // As systemd hands the files to the service: those of the moment at which it starts.
        let credentials = host.place("credentials");
        let started = || {
            let _ = fs::remove_dir_all(&credentials);
            fs::create_dir(&credentials).unwrap();
            for name in ["ca.pem", "host.pem", "host.key"] {
                fs::copy(Path::new("/etc/twofactor/fleet").join(name), credentials.join(name)).unwrap();
            }
            let mut command = host.command(link());
            command.env("CREDENTIALS_DIRECTORY", &credentials);
            link_of_command(command)
        };
        let renewed = || {
            let renewed = host.command(link()).args(["renew", "--now"]).output().unwrap();
            assert!(renewed.status.success(), "{}", said(&renewed));
            said(&renewed)
        };
        let serials = |report: &Value| {
            let serial = |of: &str| report[of]["serial"].as_str().unwrap().to_owned();
            (serial("link_certificate"), serial("certificate"))
        };
        let restart = "systemctl restart twofactor-link";

        let linked = started();
        let (text, report) = status(host);
        let (shown, first) = serials(&report);
        assert!(shown == first && text.contains("twofactor-link runs."), "{text}");
        let said = renewed();
        assert!(said.contains(&first) && said.contains(restart), "{said}");
        let (text, report) = status(host);
        let (shown, second) = serials(&report);
        assert!(shown == first && second != first, "{report}");
        let words =
            format!("runs with certificate {first} until {}", report["link_certificate"]["until"].as_str().unwrap());
        assert!(text.contains(&words) && text.contains(restart), "{text}");
        let [(id, what)] = found(host).try_into().unwrap();
        assert!(id == "link-certificate-outdated" && what.contains(&first), "{id}: {what}");
        drop(linked);
        let linked = started();
        assert_eq!(found(host), []);
        drop(linked);

        // One that reads the files itself takes the next one up.
        let _linked = link_of(host);
        let said = renewed();
        assert!(!said.contains(restart), "{said}");
        let (shown, third) = serials(&status(host).1);
        assert!(shown == third && third != second);
        assert_eq!(found(host), []);
    });
}

/// The report of `fleet status`, as people and as programs read it.
fn status(host: &Host) -> (String, Value) {
    let text = said(&host.command(&debug().tool).args(["fleet", "status"]).output().unwrap());
    // It is broken into lines.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let output = host.command(&debug().tool).args(["--json", "fleet", "status"]).output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    (text, report)
}

#[test]
fn of_two_servers_the_one_that_is_away_is_named_with_the_reason_and_the_other_answers() {
    let _ = (server(), link(), debug());
    private_host(|host| {
        let Some(machine) = central("") else { return };
        let serving = machine.serve();
        let joined = join(host, machine.address, &added(&machine, &[WEB1]), &[]);
        assert!(joined.status.success(), "{}", said(&joined));
        // The second one, which is asked where the first does not answer.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = machine.site.place("second.toml");
        fs::write(&config, machine.own_configuration(address, &[OTP1], "")).unwrap();
        let mut command = Command::new(server());
        let _second = Serving(command.arg("--config").arg(config).arg("serve").spawn().unwrap());
        until("the second server listens", || TcpStream::connect(address).is_ok());
        let [away, there] = [machine.address, address].map(|address| format!("{OTP1}:{}", address.port()));
        let text = fs::read_to_string("/etc/twofactor/twofactor.toml").unwrap();
        let servers = format!("servers = [\"{away}\", \"{there}\"]");
        let one = format!("servers = [\"{away}\"]");
        assert!(text.contains(&one), "{text}");
        host.configure(&text.replace(&one, &servers));
        let _linked = link_of(host);
        assert_eq!(found(host), []);
        let (_, report) = status(host);
        let row = |report: &Value, place: usize| {
            let row = &report["servers"][place];
            (row["server"].clone(), row["answers"].clone(), row["why"].clone(), row["paused"].clone())
        };
        for (place, server) in [&away, &there].into_iter().enumerate() {
            assert_eq!(
                row(&report, place),
                (server.as_str().into(), true.into(), Value::Null, Value::Null),
                "{report}"
            );
        }

        drop(serving);
        // A login finds that out, and is judged by the other.
        assert!(store().presence(&UserName::new("alice").unwrap()).is_ok());
        let [(id, what)] = found(host).try_into().unwrap();
        assert_eq!((id.as_str(), what), ("fleet-server-away", format!("{away} does not answer: connection refused")));
        let (text, report) = status(host);
        let (server, answers, why, paused) = row(&report, 0);
        assert_eq!(
            (server, answers, why),
            (away.as_str().into(), false.into(), "connection refused".into()),
            "{report}"
        );
        let reason = format!("{away}: connection refused");
        assert_eq!(paused, Value::from(reason.as_str()), "{report}");
        assert_eq!(row(&report, 1), (there.as_str().into(), true.into(), Value::Null, Value::Null), "{report}");
        let words =
            format!("{away} does not answer: connection refused; the link waits before it asks again, after: {reason}");
        assert!(text.contains(&words) && text.contains(&format!("{there} answers")), "{text}");
    });
}
