//! A login on a host of a fleet: the module, the link, TLS, a server and PostgreSQL, in one private host.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::UserName;
use twofactor_core::store::broker::{Broker, LINK, SOCKET};
use twofactor_core::store::{Presence, Store as _};
use twofactor_tests::artifacts::{link, server};
use twofactor_tests::authority::Certified;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::requirements;

use super::program::{Machine, Serving};
use super::{Enrolled, is_accepted, redeem};

pub(crate) const WEB1: &str = "web1.example.org";

/// The link of a host, which ends with this value.
pub(crate) struct Linked(pub(crate) Child);

impl Linked {
    /// Ends it as systemd does.
    pub(crate) fn end(&mut self) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), Signal::SIGTERM).unwrap();
        // Before it listens the signal ends it at once, which loses nothing: all that wait are at the socket.
        let _ = self.0.wait().unwrap();
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Linked {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Makes the private host one of the fleet: name, certificate, configuration, link.
pub(crate) fn join<S>(host: &Host, machine: &Machine<S>, certified: &Certified) -> Linked {
    let folder = host.place("fleet");
    fs::create_dir_all(&folder).unwrap();
    let [certificate, key] = certified.write_into(&folder, "host").map(|path| {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        path.display().to_string()
    });
    let ca = machine.site.place("ca.pem").display().to_string();
    let mut hosts = fs::OpenOptions::new().append(true).open("/etc/hosts").unwrap();
    writeln!(hosts, "127.0.0.1 otp1.example.org").unwrap();
    host.configure(&format!(
        "[fleet]\nservers = [\"otp1.example.org:{}\"]\nca = \"{ca}\"\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n",
        machine.address.port()
    ));
    link_of(host)
}

/// Starts the link of a private host that is configured.
pub(crate) fn link_of(host: &Host) -> Linked {
    link_of_command(host.command(link()))
}

/// Starts the link by this command of a private host.
pub(crate) fn link_of_command(mut command: Command) -> Linked {
    command.args(["--listen", LINK]).stdin(Stdio::null());
    let linked = Linked(command.spawn().unwrap());
    let until = Instant::now() + Duration::from_secs(20);
    while UnixStream::connect(LINK).is_err() {
        assert!(Instant::now() < until, "the link does not listen");
        sleep(Duration::from_millis(20));
    }
    linked
}

#[test]
fn a_server_that_cannot_judge_is_passed_over() {
    if !requirements::stopped_clock_met() {
        return;
    }
    let _ = (server(), link());
    private_host(|host| {
        let Some(machine) = Machine::with(&format!("[[host]]\nname = \"{WEB1}\"\nmay = [\"login\", \"enroll\"]\n"))
        else {
            return;
        };
        let _serving = machine.serve();
        // Its clock is off.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (text, config) = (fs::read_to_string(machine.config()).unwrap(), machine.site.place("off.toml"));
        fs::write(&config, text.replace(&machine.address.to_string(), &address.to_string())).unwrap();
        let mut command = Command::new(server());
        command.arg("--config").arg(config).arg("serve").stdin(Stdio::null());
        command.env("LD_PRELOAD", requirements::faketime().unwrap()).env("FAKETIME", "+300");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
        let _off = Serving(command.spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < until, "it does not listen");
            sleep(Duration::from_millis(20));
        }
        drop(join(host, &machine, &machine.site.host(WEB1)));
        let text = fs::read_to_string("/etc/twofactor/twofactor.toml").unwrap();
        host.configure(&text.replace("servers = [", &format!("servers = [\"otp1.example.org:{}\", ", address.port())));
        let _linked = link_of(host);
        let store = Broker::link(Path::new(LINK), Owner::ROOT, Duration::from_secs(12));
        let alice = Enrolled::through(&store, "alice");
        assert!(is_accepted(redeem(&store, &alice.person, &alice.code(0))));
    });
}

#[test]
fn a_user_of_the_fleet_makes_no_account_of_the_host_through_the_broker() {
    private_host(|host| {
        host.configure(
            "[fleet]\nservers = [\"otp1.example.org\"]\n[default]\nsecond_factor = \"enroll\"\n\
             [enrollment]\ninvitation = \"none\"\n",
        );
        host.add_user("alice");
        let _broker = host.broker();
        let uid = nix::unistd::User::from_name("alice").unwrap().unwrap().uid.as_raw();
        for arguments in [["self", "enroll"], ["self", "status"]] {
            let mut command = host.command("twofactor");
            let output = command.args(arguments).uid(uid).gid(uid).stdin(Stdio::null()).output().unwrap();
            assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
            // No link runs here, and the servers alone could answer.
            host.assert_logged(&["user=alice", "reason=store-unavailable", "twofactor-link"]);
        }
        assert!(!Path::new("/var/lib/twofactor/users/alice").exists());
        // Root's account is judged and changed here as ever.
        host.add_user("admin");
        let admin = host.enroll("admin", &["--local"]);
        let store = Broker::new(Path::new(SOCKET), Owner::ROOT, Duration::from_secs(12));
        assert!(matches!(store.presence(&UserName::new("admin").unwrap()).unwrap(), Presence::Enrolled), "{admin:?}");
    });
}

#[test]
fn a_user_of_the_fleet_logs_in_and_an_administrator_of_the_host_does_so_without_it() {
    // Built outside.
    let _ = (server(), link());
    private_host(|host| {
        let Some(machine) = Machine::with(&format!(
            "[[host]]\nname = \"{WEB1}\"\n[[host]]\nname = \"desk\"\nmay = [\"login\", \"enroll\"]\n"
        )) else {
            return;
        };
        // Before the host is one of the fleet: after it, root makes such an account by --local alone.
        let admin = host.user_with_fob("admin");
        let mut serving = machine.serve();
        let at_the_desk = join(host, &machine, &machine.site.host("desk"));
        let alice = Enrolled::through(&Broker::link(Path::new(LINK), Owner::ROOT, Duration::from_secs(12)), "alice");
        drop(at_the_desk);
        let linked = join(host, &machine, &machine.site.host(WEB1));
        host.add_user("alice");
        host.add_user("stranger");

        let code = alice.code(0);
        assert_eq!(host.login("alice").rhost("192.0.2.7").typing(&code).code(), ReturnCode::SUCCESS);
        host.assert_logged(&[": accepted user=alice", "token=app"]);
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&[": denied user=alice", "reason=replayed"]);
        assert_eq!(host.login("alice").typing(alice.wrong()).code(), ReturnCode::AUTH_ERR);
        assert_eq!(host.login("admin").typing(admin.next_code()).code(), ReturnCode::SUCCESS, "by this host's files");
        assert_eq!(host.login("stranger").typing(&code).code(), ReturnCode::AUTH_ERR);
        let asked = "select count(*) from twofactor.audit where event = 'redeem' and name = 'admin'";
        assert_eq!(machine.postgres.sql(asked), "0");
        let asked =
            "select host, count(*) from twofactor.audit where event = 'redeem' and name = 'alice' group by host";
        assert_eq!(machine.postgres.sql(asked), format!("{WEB1}|3"));
        assert!(!Path::new("/var/lib/twofactor/users/alice").exists(), "no account is made here");

        // Without a server: refused in time, once for all; the local account works.
        drop(serving.0.kill());
        let _ = serving.0.wait();
        let code = alice.code(1);
        for longest in [Duration::from_secs(11), Duration::from_secs(1)] {
            let began = Instant::now();
            assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTHINFO_UNAVAIL);
            assert!(began.elapsed() < longest, "{:?}", began.elapsed());
        }
        host.assert_logged(&["user=alice", "no server of the fleet answers: otp1.example.org"]);
        assert_eq!(host.login("admin").typing(admin.next_code()).code(), ReturnCode::SUCCESS);
        // And without a link.
        drop(linked);
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["user=alice", "no link to the servers of the fleet listens"]);
        assert_eq!(host.login("admin").typing(admin.next_code()).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn where_a_user_enrolls_at_login_the_account_is_the_fleets_and_only_where_the_host_may() {
    let _ = (server(), link());
    private_host(|host| {
        let Some(machine) = Machine::with(&format!("[[host]]\nname = \"{WEB1}\"\n")) else { return };
        let _serving = machine.serve();
        let _linked = join(host, &machine, &machine.site.host(WEB1));
        let text = fs::read_to_string("/etc/twofactor/twofactor.toml").unwrap();
        host.configure(&format!("{text}[default]\nsecond_factor = \"enroll\"\n"));
        host.add_user("alice");
        let outcome = host.login("alice").calls("authenticate,account").conversing(|_, _| String::new());
        assert_ne!(outcome.code(), ReturnCode::SUCCESS);
        assert!(!outcome.texts().iter().any(|text| text.contains("otpauth")), "no secret was shown");
        host.assert_logged(&["user=alice", "this host may enroll no user"]);
        assert!(!Path::new("/var/lib/twofactor/users/alice").exists());
    });
}
