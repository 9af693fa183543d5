//! The fleet under measurement: PostgreSQL, two servers, four hosts with a link each, and their users.

use std::cell::Cell;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use twofactor_core::store::broker::LINK;
use twofactor_tests::authority::{Authority, Certified};
use twofactor_tests::postgres::Postgres;
use twofactor_tests::private_host::Host;

use super::AT_ONCE;
use super::load::{Load, Outcome};
use crate::{population, worker};

/// The names of the servers, and their ports on loopback.
pub(crate) const SERVERS: [(&str, u16); 2] = [("otp1.example.org", 7443), ("otp2.example.org", 7444)];

/// The hosts.
const HOSTS: [&str; 4] = ["web1.example.org", "web2.example.org", "web3.example.org", "web4.example.org"];

/// Users of one load.
const OF_A_LOAD: usize = 1_000;

/// All of it. The programs end with this value.
pub(crate) struct Site<'h> {
    pub(crate) host: &'h Host,
    pub(crate) folder: PathBuf,
    pub(crate) authority: Authority,
    /// The state of the host's own accounts.
    pub(crate) local: PathBuf,
    pub(crate) sockets: Vec<PathBuf>,
    pub(crate) loads: Cell<usize>,
    _servers: Vec<Program>,
    _links: Vec<Program>,
    pub(crate) postgres: Postgres,
}

/// A program, which ends with this value.
pub(crate) struct Program(Child);

impl Program {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().expect("it starts"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl<'h> Site<'h> {
    /// Starts everything below `disk`, where the programs lie too.
    pub(crate) fn open(host: &'h Host, disk: &Path) -> Self {
        let folder = disk.join("fleet");
        fs::create_dir(&folder).expect("a folder");
        let of_postgres = tempfile::tempdir_in(&folder).expect("a folder");
        let local = folder.join("local");
        population::make_folder(&local);
        let quiet = ["log_statement=none", "log_min_duration_statement=-1"];
        let postgres = Postgres::start_in(of_postgres, &quiet);
        let authority = Authority::new("site");
        authority.write_into(&folder);
        let mut names = fs::OpenOptions::new().append(true).open("/etc/hosts").expect("a private /etc");
        for (name, _) in SERVERS {
            writeln!(names, "127.0.0.1 {name}").expect("a private /etc");
        }
        let servers = SERVERS.map(|(name, port)| serve(host, &authority, &postgres, &folder, name, port)).into();
        let links: Vec<(PathBuf, Program)> = HOSTS
            .iter()
            .enumerate()
            .map(|(number, name)| link(host, &authority.host(name), &folder, name, number))
            .collect();
        let (sockets, links) = links.into_iter().unzip();
        Self {
            host,
            folder,
            authority,
            local,
            sockets,
            loads: Cell::new(0),
            _servers: servers,
            _links: links,
            postgres,
        }
    }

    /// The section of a host's configuration that makes it one of the fleet.
    pub(crate) fn membership(&self) -> String {
        membership(&self.folder, HOSTS[0], 0)
    }

    /// Resident memory of the first server, in bytes. It has another number in the private host than for its parent.
    pub(crate) fn memory_of_the_first_server(&self) -> u64 {
        let pattern = format!("{}.toml serve", SERVERS[0].0);
        let process = self.host.succeed("pgrep", ["--full", &pattern]);
        let status = crate::read(&format!("/proc/{}/status", process.trim()));
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells it");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB") * 1024
    }

    /// The configuration of the central machine.
    pub(crate) fn central(&self) -> PathBuf {
        self.folder.join(format!("{}.toml", SERVERS[0].0))
    }

    /// Has users log in for so long, as often as it goes.
    pub(crate) fn load(&self, seconds: u64) -> Outcome {
        self.load_with(seconds, None)
    }

    /// The same, so many times a second.
    pub(crate) fn load_at(&self, rate: f64, seconds: u64) -> Outcome {
        self.load_with(seconds, Some(rate))
    }

    fn load_with(&self, seconds: u64, rate: Option<f64>) -> Outcome {
        let users = self.enroll(OF_A_LOAD, 80);
        Load { program: worker::program(self.host), sockets: &self.sockets, users, at_once: AT_ONCE, seconds, rate }
            .run()
    }

    /// Enrolls new users, each with so many codes. Gives the file of their codes.
    pub(crate) fn enroll(&self, count: usize, codes: usize) -> PathBuf {
        let number = self.loads.replace(self.loads.get() + 1);
        let users = self.folder.join(format!("users{number}"));
        let mut command = Command::new(worker::program(self.host));
        command.arg("fleet-enroll").arg(&self.sockets[0]).arg(&users).arg(format!("user{number}"));
        let status = command.args([count.to_string(), codes.to_string()]).status().expect("it starts");
        assert!(status.success(), "users are enrolled");
        users
    }

    /// Adds rows as of other users until there are so many. What they hold opens nothing, and no login reads it.
    pub(crate) fn fill(&self, users: usize) {
        let rows = format!(
            "insert into twofactor.credentials (name, key, sealed)
            select 'filler' || n, c.key, c.sealed from generate_series(1, {users}) n,
                (select key, sealed from twofactor.credentials limit 1) c;
            insert into twofactor.state (name, version, key, sealed)
            select 'filler' || n, 1, s.key, s.sealed from generate_series(1, {users}) n,
                (select key, sealed from twofactor.state limit 1) s;"
        );
        self.postgres.sql(&rows);
        self.postgres.sql("vacuum analyze twofactor.credentials");
        self.postgres.sql("vacuum analyze twofactor.state");
        self.postgres.sql("checkpoint");
    }
}

fn serve(host: &Host, authority: &Authority, postgres: &Postgres, folder: &Path, name: &str, port: u16) -> Program {
    let [certificate, key] = authority.server(name).write_into(folder, name);
    let config = folder.join(format!("{name}.toml"));
    let text = format!(
        "[store]\npostgresql = \"{}\"\nseed_key = \"{}\"\n[server]\nlisten = [\"127.0.0.1:{port}\"]\n\
         certificate = \"{}\"\nkey = \"{}\"\nclient_ca = \"{}\"\n[enrollment]\ninvitation = \"none\"\n\
         [default]\nsecond_factor = \"enroll\"\n\
         [[host]]\nname = \"*\"\nmay = [\"login\", \"enroll\"]\nenrollments_per_hour = 1000000\n",
        postgres.connection(),
        folder.join("seed.key").display(),
        certificate.display(),
        key.display(),
        folder.join("ca.pem").display(),
    );
    fs::write(&config, text).expect("a configuration");
    let program = host.place("bin/twofactor-server");
    let command = |what: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("--config").arg(&config).args(what);
        command
    };
    if !folder.join("seed.key").exists() {
        let made = command(&["key", "init"]).stdout(Stdio::null()).status().expect("it starts");
        assert!(made.success(), "a key is made");
    }
    let server = Program::start(&mut command(&["serve"]));
    until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
    server
}

fn link(host: &Host, certified: &Certified, folder: &Path, name: &str, number: usize) -> (PathBuf, Program) {
    certified.write_into(folder, name);
    let config = folder.join(format!("{name}.toml"));
    fs::write(&config, membership(folder, name, number)).expect("a configuration");
    let socket = if number == 0 { PathBuf::from(LINK) } else { folder.join(name).join("socket") };
    let mut command = Command::new(host.place("bin/twofactor-link"));
    command.arg("--config").arg(config).arg("--listen").arg(&socket);
    let link = Program::start(&mut command);
    until(|| UnixStream::connect(&socket).is_ok());
    (socket, link)
}

/// Every second host asks the other server first.
fn membership(folder: &Path, name: &str, number: usize) -> String {
    let mut servers = SERVERS.map(|(name, port)| format!("\"{name}:{port}\""));
    servers.rotate_left(number % 2);
    let [ca, certificate, key] =
        [String::from("ca.pem"), format!("{name}.pem"), format!("{name}.key")].map(|name| folder.join(name));
    format!(
        "[fleet]\nservers = [{}]\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\n",
        servers.join(", "),
        ca.display(),
        certificate.display(),
        key.display()
    )
}

fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "it does not listen");
        sleep(Duration::from_millis(20));
    }
}
