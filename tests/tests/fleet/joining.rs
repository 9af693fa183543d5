//! A host that joins a fleet: the join code, its certificate from the fleet's own authority, and who else gets none.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use twofactor_core::host::trusted::Owner;
use twofactor_core::store::broker::{Broker, LINK};
use twofactor_tests::artifacts::{debug, link, server};
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host};

use super::Enrolled;
use super::login::link_of;
use super::program::{Backing, Machine, said};

pub(crate) const WEB1: &str = "web1.example.org";
pub(crate) const OTP1: &str = "otp1.example.org";

/// A machine with a central store and an authority of its own, in a private host that knows its name.
pub(crate) fn central(hosts: &str) -> Option<Machine> {
    Some(with_own_authority(Machine::new()?, hosts))
}

/// The same on this machine.
pub(crate) fn with_own_authority<S: Backing>(machine: Machine<S>, hosts: &str) -> Machine<S> {
    machine.make_keys();
    machine.configure_own(&[OTP1], hosts);
    let mut names = fs::OpenOptions::new().append(true).open("/etc/hosts").unwrap();
    writeln!(names, "127.0.0.1 {OTP1}").unwrap();
    machine
}

/// The join code of a host that is added.
pub(crate) fn added<S: Backing>(machine: &Machine<S>, arguments: &[&str]) -> String {
    let added = machine.tool(&[&["host", "add"], arguments].concat());
    assert!(added.status.success(), "{}", said(&added));
    String::from_utf8(added.stdout).unwrap().lines().last().unwrap().trim().to_owned()
}

/// `twofactor fleet join`, with a code on standard input.
pub(crate) fn join(host: &Host, address: SocketAddr, code: &str, others: &[&str]) -> Output {
    let mut command = host.command(&debug().tool);
    command.args(["fleet", "join"]).arg(format!("{OTP1}:{}", address.port())).args(others);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have ended before.
    let _ = writeln!(child.stdin.take().unwrap(), "{code}");
    child.wait_with_output().unwrap()
}

/// The central store, as this host's logins see it.
pub(crate) fn store() -> Broker {
    Broker::link(Path::new(LINK), Owner::ROOT, Duration::from_secs(12))
}

#[test]
fn a_host_joins_with_a_code_that_is_typed_and_its_users_log_in() {
    let _ = (server(), link(), debug());
    private_host(|host| {
        let Some(machine) = central(&format!("[[host]]\nname = \"{WEB1}\"\nmay = [\"login\", \"enroll\"]\n")) else {
            return;
        };
        let _serving = machine.serve();
        let code = added(&machine, &[WEB1]);
        // As people type it.
        let output = join(host, machine.address, &code.to_lowercase().replace('-', " "), &[]);
        assert!(
            output.status.success() && said(&output).contains(&format!("This host is {WEB1} in the fleet")),
            "{}",
            said(&output)
        );
        for file in ["ca.pem", "host.pem", "host.key"] {
            let path = Path::new("/etc/twofactor/fleet").join(file);
            let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap()) & 0o777;
            assert_eq!(mode, 0o600, "{file}");
        }
        // The configuration names the server, and what runs by itself under systemd is said.
        assert!(said(&output).contains("systemd does not run here"), "{}", said(&output));
        for line in ["host-added member=web1.example.org", "fleet-joined member=web1.example.org certificate="] {
            assert!(host.log().iter().any(|logged| logged.text.contains(line)), "{:#?}", host.log());
        }
        let _linked = link_of(host);
        let alice = Enrolled::through(&store(), "alice");
        host.add_user("alice");
        let code = alice.code(0);
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS);
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTH_ERR);
        let asked = "select distinct host from twofactor.audit where name = 'alice'";
        assert_eq!(machine.postgres.sql(asked), WEB1);

        let again = join(host, machine.address, &added(&machine, &[WEB1, "--again"]), &[]);
        assert!(
            again.status.code() == Some(7) && said(&again).contains("this host is one of a fleet already"),
            "{}",
            said(&again)
        );
    });
}

#[test]
fn a_code_with_a_typing_error_is_sent_to_no_server_and_one_for_another_server_neither() {
    let _ = (server(), link(), debug());
    private_host(|host| {
        let (Some(machine), Some(between)) = (central(""), central("")) else { return };
        let (_serving, mut other) = (machine.serve(), between.serve());
        let code = added(&machine, &[WEB1]);
        let first = code.chars().next().unwrap();
        let mistyped = code.replacen(first, if first == '7' { "8" } else { "7" }, 1);
        let refused = join(host, machine.address, &mistyped, &[]);
        assert!(
            refused.status.code() == Some(5) && said(&refused).contains("has a typing error"),
            "{}",
            said(&refused)
        );
        assert!(said(&join(host, machine.address, "", &[])).contains("48 letters and digits"));

        // Another server with the same name, and an authority of its own.
        let refused = join(host, between.address, &code, &[]);
        assert_eq!(refused.status.code(), Some(7), "{}", said(&refused));
        assert!(
            said(&refused).contains("is not the server that the join code is from")
                && said(&refused).contains("Nothing was sent")
        );
        assert!(fs::read_dir("/etc/twofactor/fleet").unwrap().next().is_none(), "nothing was written");
        assert_eq!(machine.postgres.sql("select tries from twofactor.join_code"), "0");
        let _ = other.end();
        let mut journal = String::new();
        other.0.stderr.take().unwrap().read_to_string(&mut journal).unwrap();
        assert!(!journal.contains("join"), "{journal}");

        // Nothing there: the code stays good.
        let refused = join(host, between.address, &code, &[]);
        assert!(
            refused.status.code() == Some(1) && said(&refused).contains("no server can be asked"),
            "{}",
            said(&refused)
        );
        assert!(join(host, machine.address, &code, &[]).status.success());
    });
}
