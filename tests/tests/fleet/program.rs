//! `twofactor-server` itself: its commands, and hosts that come and go while it runs.

use std::fs;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use twofactor_tests::artifacts::{debug, server};
use twofactor_tests::postgres::Postgres;

use super::network::{HELLO, Site, ask};
use super::{Enrolled, Fleet, question};

/// Hosts that may enroll need no invitation.
const OPEN: &str = "[default]\nsecond_factor = \"enroll\"\n";

/// A machine with the central store: its configuration and files.
pub(crate) struct Machine<S = Postgres> {
    pub(crate) site: Site,
    pub(crate) postgres: S,
    pub(crate) address: SocketAddr,
}

/// The place of a central store's accounts.
pub(crate) trait Backing {
    /// The line of `[store]` that names it.
    fn line(&self) -> String;

    /// The value that a statement gives, in the words of PostgreSQL or of SQLite.
    fn either(&self, postgresql: &str, sqlite: &str) -> String;
}

impl Backing for Postgres {
    fn line(&self) -> String {
        format!("postgresql = \"{}\"", self.connection())
    }

    fn either(&self, postgresql: &str, _: &str) -> String {
        self.sql(postgresql)
    }
}

impl Machine {
    pub(crate) fn new() -> Option<Self> {
        Some(Self::on(Fleet::postgres()?))
    }

    /// The same with keys, and these hosts in its configuration.
    pub(crate) fn with(hosts: &str) -> Option<Self> {
        let machine = Self::new()?;
        machine.make_keys();
        machine.configure(hosts);
        Some(machine)
    }
}

impl<S: Backing> Machine<S> {
    pub(crate) fn on(postgres: S) -> Self {
        // Free a moment ago, and nothing else of this host listens on ports by chance.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let machine = Self { site: Site::new(&[]), postgres, address };
        machine.configure("");
        machine
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.site.place("twofactor.toml")
    }

    pub(crate) fn configure(&self, hosts: &str) {
        let place = |name: &str| self.site.place(name).display().to_string();
        let text = format!(
            "[store]\n{}\nseed_key = \"{}\"\n[server]\nlisten = [\"{}\"]\ncertificate = \"{}\"\nkey = \"{}\"\n\
             client_ca = \"{}\"\n{OPEN}{hosts}",
            self.postgres.line(),
            place("seed.key"),
            self.address,
            place("server.pem"),
            place("server.key"),
            place("ca.pem"),
        );
        fs::write(self.config(), text).unwrap();
    }

    /// The same with the fleet's own authority, for a server of these names.
    pub(crate) fn configure_own(&self, names: &[&str], hosts: &str) {
        fs::write(self.config(), self.own_configuration(self.address, names, hosts)).unwrap();
    }

    pub(crate) fn own_configuration(&self, address: SocketAddr, names: &[&str], hosts: &str) -> String {
        format!(
            "[store]\n{}\nseed_key = \"{}\"\n[server]\nlisten = [\"{address}\"]\nnames = {names:?}\n{OPEN}{hosts}",
            self.postgres.line(),
            self.site.place("seed.key").display(),
        )
    }

    /// Makes the keys of the store.
    #[track_caller]
    pub(crate) fn make_keys(&self) {
        let made = self.run(&["key", "init"]);
        assert!(made.status.success(), "{}", said(&made));
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(server());
        command.arg("--config").arg(self.config()).args(arguments).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The output of the sysadmin's tool on this machine.
    pub(crate) fn tool(&self, arguments: &[&str]) -> Output {
        self.tool_command(arguments).output().unwrap()
    }

    pub(crate) fn tool_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&debug().tool);
        command.arg("--config").arg(self.config()).args(arguments).stdin(Stdio::null());
        command
    }

    pub(crate) fn serve(&self) -> Serving {
        let serving = Serving(self.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap());
        self.until_it_listens();
        serving
    }

    pub(crate) fn until_it_listens(&self) {
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(self.address).is_err() {
            assert!(Instant::now() < until, "the server does not listen");
            sleep(Duration::from_millis(20));
        }
    }

    fn hears(&self, host: &str) -> bool {
        ask(&mut self.site.connect(self.address, Some(self.site.host(host))), HELLO).is_ok()
    }
}

/// A server, which ends with this value.
pub(crate) struct Serving(pub(crate) Child);

impl Serving {
    pub(crate) fn end(&mut self) -> std::process::ExitStatus {
        let _ = kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), Signal::SIGTERM);
        self.0.wait().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.end();
    }
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn check_says_what_is_wrong_and_keys_are_made_once() {
    let Some(machine) = Machine::new() else { return };
    let before = machine.run(&["check"]);
    let text = said(&before);
    assert!(!before.status.success() && text.contains("there is no such file"), "{text}");
    let version = machine.postgres.sql("show server_version");
    assert!(
        text.contains(&format!("ok       PostgreSQL {version}")) && text.contains("ok       no tables yet"),
        "{text}"
    );
    let made = machine.run(&["key", "init"]);
    assert!(made.status.success() && said(&made).contains("Copy it to every server"), "{}", said(&made));
    let key = fs::read(machine.site.place("seed.key")).unwrap();
    let again = machine.run(&["key", "init"]);
    assert!(!again.status.success() && fs::read(machine.site.place("seed.key")).unwrap() == key, "{}", said(&again));
    let after = machine.run(&["check"]);
    assert!(after.status.success() && !said(&after).contains("problem"), "{}", said(&after));
    assert_eq!(machine.postgres.sql("select to_regnamespace('twofactor') is null"), "t", "nothing was made");

    let soon = machine.site.certify(&["otp1.example.org"], 13);
    soon.write_into(&machine.site.place(""), "server");
    let near = machine.run(&["check"]);
    assert!(!near.status.success() && said(&near).contains("server.pem is good until "), "{}", said(&near));

    // Rights on the tables, and keys for the records that are there.
    let _made = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    machine.postgres.sql(
        "create role limited login; grant usage on schema twofactor to limited; \
         grant select, insert, update, delete on all tables in schema twofactor to limited; \
         revoke update on twofactor.state from limited",
    );
    let as_limited = fs::read_to_string(machine.config()).unwrap().replace("user=postgres", "user=limited");
    let as_owner = fs::read_to_string(machine.config()).unwrap();
    fs::write(machine.config(), as_limited).unwrap();
    assert!(said(&machine.run(&["check"])).contains("may not read and change twofactor.state\n"));
    fs::write(machine.config(), as_owner).unwrap();
    machine.postgres.sql("insert into twofactor.credentials values ('x', 7, ''), ('y', 7, '')");
    assert!(
        said(&machine.run(&["check"])).contains("2 records are sealed with key 7"),
        "{}",
        said(&machine.run(&["check"]))
    );

    fs::set_permissions(machine.site.place("seed.key"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(said(&machine.run(&["check"])).contains("others than its owner may read it"));
    fs::write(machine.site.place("server.key"), "no key").unwrap();
    let refused = machine.run(&["serve"]);
    assert!(!refused.status.success() && said(&refused).contains("server.key: "), "{}", said(&refused));
    fs::write(machine.config(), "[store]\n").unwrap();
    assert!(said(&machine.run(&["serve"])).contains("seed_key is missing"));
    fs::write(machine.config(), "").unwrap();
    assert!(said(&machine.run(&["serve"])).contains("has no [store]"));
}

#[test]
fn a_host_is_heard_while_it_is_listed_and_a_broken_list_changes_nothing() {
    let Some(machine) = Machine::with("[[host]]\nname = \"web*.example.org\"\n") else { return };
    let mut serving = machine.serve();
    assert!(machine.hears("web1.example.org") && !machine.hears("db1.example.org"));
    let mut kept = machine.site.connect(machine.address, Some(machine.site.host("web1.example.org")));
    assert!(ask(&mut kept, HELLO).is_ok());
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let until = Instant::now() + Duration::from_secs(20);
        while !holds() {
            assert!(Instant::now() < until, "{what}");
            sleep(Duration::from_millis(100));
        }
    };
    machine.configure("[[host]]\nname = \"db1.example.org\"\n");
    until("the other host is heard", &|| machine.hears("db1.example.org"));
    assert!(ask(&mut kept, HELLO).is_err(), "also on the connection that it has");
    machine.configure("[[host]]\nnames = 1\n");
    sleep(Duration::from_millis(1500));
    assert!(machine.hears("db1.example.org") && !machine.hears("web1.example.org"));
    assert!(serving.end().success());
    let mut complaint = String::new();
    serving.0.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!(complaint.matches("the hosts stay as they are").count(), 1, "{complaint}");
}

#[test]
fn a_server_that_is_killed_in_the_middle_burns_no_code_twice() {
    let Some(machine) = Machine::with("[[host]]\nname = \"*\"\nmay = [\"login\", \"enroll\"]\n") else { return };
    let mut serving = machine.serve();
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    let alice = Enrolled::at(&fleet.host("web9"), "alice");
    let code = alice.code(0);
    let mut web1 = machine.site.connect(machine.address, Some(machine.site.host("web1.example.org")));
    let first = question(&alice, &code, 1);
    let accepted = std::thread::scope(|scope| {
        let asking =
            scope.spawn(|| ask(&mut web1, &first).is_ok_and(|answer| answer.in_short().starts_with("redeemed")));
        let _ = serving.0.kill();
        asking.join().unwrap()
    });
    let _ = serving.0.wait();
    let _serving = machine.serve();
    let mut again = machine.site.connect(machine.address, Some(machine.site.host("web1.example.org")));
    // Whether the answer was lost or the question: the same attempt is let in, and another one with its code is not.
    assert_eq!(ask(&mut again, &first).unwrap().in_short(), "redeemed app", "accepted before: {accepted}");
    let other = ask(&mut again, &question(&alice, &code, 2)).unwrap().in_short();
    assert_eq!(other, "refused replayed");
}
