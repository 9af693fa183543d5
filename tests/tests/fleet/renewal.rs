//! A host's certificate that is renewed: by whom, under which name, and with what it costs those who log in meanwhile.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use twofactor_core::store::broker::Broker;
use twofactor_net::pem::certificates;
use twofactor_tests::artifacts::link;
use twofactor_tests::requirements;

use super::administration::enrolled;
use super::clocks::off;
use super::embedded::Files;
use super::joining::added;
use super::login::Linked;
use super::program::{Backing, Machine, Serving, said};
use super::{Enrolled, Fleet, is_accepted, owner, redeem};

/// A host with files of its own in a folder, whose link is started as systemd does, at a socket that outlives it.
pub(super) struct Activated {
    folder: tempfile::TempDir,
    listener: UnixListener,
}

impl Activated {
    /// It joins the server, which is called localhost.
    pub(super) fn joined<S: Backing>(machine: &Machine<S>, name: &str) -> Self {
        Self::joined_through(machine, machine.address, name)
    }

    /// The same at this address.
    pub(super) fn joined_through<S: Backing>(machine: &Machine<S>, address: SocketAddr, name: &str) -> Self {
        Self::joined_by(machine, address, name, |command| command)
    }

    /// The same by a command that is changed like this.
    fn joined_by<S: Backing>(
        machine: &Machine<S>,
        address: SocketAddr,
        name: &str,
        changed: fn(Command) -> Command,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let host = Self { folder, listener };
        let mut command = changed(host.command());
        command.arg("join").arg(server(address)).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut joining = command.stdout(Stdio::null()).spawn().unwrap();
        let _ = writeln!(joining.stdin.take().unwrap(), "{}", added(machine, &[name]));
        let joined = joining.wait_with_output().unwrap();
        assert!(joined.status.success(), "{}", said(&joined));
        host.configure(&[machine.address]);
        host
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its link asks these servers, in this order at first.
    pub(super) fn configure(&self, servers: &[SocketAddr]) {
        let servers: Vec<String> = servers.iter().map(|address| server(*address)).collect();
        let [ca, certificate, key] =
            ["ca.pem", "host.pem", "host.key"].map(|name| self.place("fleet").join(name).display().to_string());
        let text =
            format!("[fleet]\nservers = {servers:?}\nca = {ca:?}\ncertificate = {certificate:?}\nkey = {key:?}\n");
        fs::write(self.place("twofactor.toml"), text).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(link());
        command.arg("--config").arg(self.place("twofactor.toml"));
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    pub(super) fn serial(&self) -> String {
        let certificate = certificates(&self.place("fleet/host.key")).unwrap().remove(0);
        twofactor_net::certificate::Facts::of(&certificate).unwrap().serial
    }

    /// The link, at the socket that is there.
    pub(super) fn link(&self) -> Linked {
        let socket = OwnedFd::from(self.listener.try_clone().unwrap());
        let mut command = Command::new("sh");
        let script = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" --config \"$1\"";
        command.arg("-c").arg(script).arg(link()).arg(self.place("twofactor.toml")).stdin(socket);
        Linked(command.spawn().unwrap())
    }

    pub(super) fn store(&self) -> Broker {
        Broker::link(&self.place("socket"), owner(), Duration::from_secs(30))
    }
}

fn server(address: SocketAddr) -> String {
    format!("localhost:{}", address.port())
}

/// A central machine whose server is called localhost.
pub(super) fn central() -> Option<Machine> {
    Some(of_its_own(Machine::new()?))
}

pub(super) fn of_its_own<S: Backing>(machine: Machine<S>) -> Machine<S> {
    machine.make_keys();
    machine.configure_own(&["localhost"], "");
    machine
}

#[test]
fn certificates_are_renewed_and_links_restarted_under_load_and_no_correct_login_is_refused() {
    let Some(machine) = central() else { return };
    renewed_under_load(&machine);
}

#[test]
fn certificates_are_renewed_and_links_restarted_under_load_on_files_and_no_correct_login_is_refused() {
    renewed_under_load(&of_its_own(Machine::on(Files::new())));
}

/// Certificates are renewed and links restarted under load, and no correct login is refused.
fn renewed_under_load<S: Backing>(machine: &Machine<S>) {
    const USERS: usize = 20;
    let users: Vec<Enrolled> = (0..USERS).map(|number| enrolled(machine, &format!("user{number}"))).collect();
    // Each user with a code of the app, which is made at the login, and with each recovery code.
    let logins: Vec<(&Enrolled, Option<&str>)> = users
        .iter()
        .flat_map(|user| {
            assert!(user.recovery.len() > 5);
            let recovery = user.recovery.iter().map(|code| Some(code.expose()));
            [None].into_iter().chain(recovery).map(move |code| (user, code))
        })
        .collect();
    let _serving = machine.serve();
    let host = Activated::joined(machine, "web1");
    let (count, logins, accepted) = (logins.len(), Mutex::new(logins.into_iter()), AtomicUsize::new(0));
    let mut link = host.link();
    let (mut serials, mut restarts) = (vec![host.serial()], 0);
    thread::scope(|scope| {
        let working: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let Some((user, recovery)) = logins.lock().unwrap().next() else { return };
                        let code = recovery.map_or_else(|| user.code(0), str::to_owned);
                        assert!(is_accepted(redeem(&host.store(), &user.person, &code)), "after {accepted:?}");
                        accepted.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        while working.iter().all(|worker| !worker.is_finished()) {
            // Renewed while the link runs: every second time it takes the new one up by itself.
            if serials.len() < 10 {
                let renewed = host.run(&["renew", "--now"]);
                assert!(renewed.status.success(), "{}", said(&renewed));
                serials.push(host.serial());
            }
            if serials.len().is_multiple_of(2) {
                link.end();
                link = host.link();
                restarts += 1;
            }
        }
        for worker in working {
            worker.join().unwrap();
        }
    });
    assert_eq!(accepted.into_inner(), count);
    assert!(restarts >= 2 && serials.len() >= 4, "{restarts} restarts, {} certificates", serials.len());
    serials.sort();
    serials.dedup();
    let known = machine.postgres.either(
        "select count(*) || '|' || count(distinct host) from twofactor.certificate",
        "select count(*) || '|' || count(distinct host) from certificate",
    );
    assert_eq!(known, format!("{}|1", serials.len()));
    let soon = machine.postgres.either(
        "select count(*) from twofactor.certificate where until < clock_timestamp() + interval '8 days'",
        "select count(*) from certificate where until < unixepoch() + 8 * 86400",
    );
    assert_eq!(soon, (serials.len() - 1).to_string(), "all but the last end in a week");
    link.end();
}

#[test]
fn a_certificate_is_renewed_when_two_thirds_are_over_and_a_link_takes_it_up_without_a_restart() {
    let Some(machine) = central() else { return };
    let _serving = machine.serve();
    let host = Activated::joined(&machine, "web1");
    let alice = Enrolled::at(&Fleet::beside(&machine.postgres, machine.site.place("seed.key")).host("web9"), "alice");
    let mut link = host.link();
    assert!(is_accepted(redeem(&host.store(), &alice.person, &alice.code(0))));
    let first = host.serial();
    let early = host.run(&["renew"]);
    assert!(early.status.success() && host.serial() == first, "{}", said(&early));
    let renewed = host.run(&["renew", "--now"]);
    assert!(renewed.status.success() && host.serial() != first, "{}", said(&renewed));
    // The old one is taken no more: what the link has kept with it is of no use.
    machine.postgres.sql(&format!("delete from twofactor.certificate where serial = '{first}'"));
    machine.postgres.sql("update twofactor.authority set changes = changes + 1");
    assert!(is_accepted(redeem(&host.store(), &alice.person, alice.recovery[0].expose())));
    link.end();

    // Half written: the key's file has both, so nothing can be half.
    fs::remove_file(host.place("fleet/host.pem")).unwrap();
    let mut link = host.link();
    assert!(is_accepted(redeem(&host.store(), &alice.person, alice.recovery[1].expose())));
    link.end();
    assert!(host.run(&["renew", "--now"]).status.success() && host.place("fleet/host.pem").exists());

    // A host that was revoked is not renewed, and keeps what it has.
    let last = host.serial();
    assert!(machine.tool(&["host", "revoke", "web1"]).status.success());
    let refused = host.run(&["renew", "--now"]);
    assert!(!refused.status.success() && host.serial() == last, "{}", said(&refused));
    assert!(said(&refused).contains("take the certificate of this host no more"), "{}", said(&refused));
}

/// The unit that the timer starts.
const UNIT: &str = include_str!("../../../etc/systemd/system/twofactor-link-renew.service");

/// Runs the lines of that unit as systemd does, with a systemctl that writes down what it is asked for. Gives that.
fn by_the_timer(host: &Activated) -> String {
    let [systemctl, asked] = ["systemctl", "asked"].map(|name| host.place(name));
    fs::write(&systemctl, format!("#!/bin/sh\necho \"$@\" >>{}\n", asked.display())).unwrap();
    fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
    let _ = fs::remove_file(&asked);
    let ours = format!("{} --config {}", link().display(), host.place("twofactor.toml").display());
    for key in ["ExecCondition=", "ExecStart=", "ExecStartPost="] {
        for line in UNIT.lines().filter_map(|line| line.strip_prefix(key)) {
            let line = line.replace("@SBINDIR@/twofactor-link", &ours);
            let line = line.replace("/bin/systemctl", &systemctl.display().to_string());
            let ended = Command::new("sh").args(["-c", &line]).output().unwrap();
            // The rest is skipped, and the unit has not failed (systemd.service(5)).
            if key == "ExecCondition=" && matches!(ended.status.code(), Some(1..=254)) {
                return String::new();
            }
            assert!(ended.status.success(), "{line}: {}", said(&ended));
        }
    }
    fs::read_to_string(asked).unwrap_or_default()
}

#[test]
fn the_timer_restarts_the_link_where_the_certificate_was_renewed_and_at_no_other_time() {
    if !requirements::stopped_clock_met() {
        return;
    }
    let Some(machine) = central() else { return };
    // By clocks that are 62 days behind: two thirds of the certificate's time are over.
    let behind = |command| off(command, "-62d");
    let mut serving = Serving(behind(machine.command(&["serve"])).spawn().unwrap());
    machine.until_it_listens();
    let host = Activated::joined_by(&machine, machine.address, "web1", behind);
    serving.end();
    let _serving = machine.serve();
    let first = host.serial();
    assert_eq!(
        (by_the_timer(&host), host.serial() != first),
        ("try-restart twofactor-link.service\n".to_owned(), true)
    );
    let second = host.serial();
    assert_eq!((by_the_timer(&host), host.serial()), (String::new(), second));
    // Renewing says what is wrong with a certificate that cannot be read.
    fs::write(host.place("fleet/host.key"), "no key").unwrap();
    fs::remove_file(host.place("fleet/host.pem")).unwrap();
    assert!(host.run(&["renew", "--check"]).status.success() && !host.run(&["renew"]).status.success());
}
