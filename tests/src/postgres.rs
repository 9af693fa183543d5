//! PostgreSQL of the distribution, with a cluster of its own in a temporary folder and a socket there. Listens on no address.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::debian::{Release, bootstrapped};

/// A running cluster, which ends with this value.
#[derive(Debug)]
pub struct Postgres {
    folder: tempfile::TempDir,
    server: Child,
    port: String,
}

/// Names the Debian of which PostgreSQL is taken, instead of this host: `trixie` has a newer one.
const SYSTEM: &str = "TWOFACTOR_TESTS_POSTGRESQL";

/// The folder of PostgreSQL's programs in the system at `root`.
fn programs(root: &Path) -> PathBuf {
    let versions = fs::read_dir(root.join("usr/lib/postgresql")).expect("PostgreSQL is installed");
    let newest = versions.map(|entry| entry.expect("a version").file_name()).max().expect("a version");
    Path::new("/usr/lib/postgresql").join(newest).join("bin")
}

/// A program of PostgreSQL with the rights of its user.
fn program(name: &str, folder: &Path) -> Command {
    const USER: [&str; 4] = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"];
    // In mounts of its own, with this host's users and folders. None of these programs is left in between, so a signal reaches the last.
    const INSIDE: &str =
        "for place in /tmp /proc /dev /etc/passwd /etc/group; do mount --rbind $place \"$0$place\"; done
        exec chroot \"$0\" \"$@\"";
    let mut command = match Release::named_by(SYSTEM) {
        None => {
            let mut command = Command::new(USER[0]);
            command.args(&USER[1..]).arg(programs(Path::new("/")).join(name));
            command
        }
        Some(release) => {
            let root = bootstrapped(release, &["postgresql"]).expect("a system with PostgreSQL");
            let mut command = Command::new("unshare");
            command.args(["--mount", "--propagation=private", "sh", "-ec", INSIDE]).arg(&root);
            command.args(USER).arg(programs(&root).join(name));
            command
        }
    };
    command.env("HOME", folder).current_dir(folder).stdin(Stdio::null());
    command
}

/// A transaction that has begun.
#[derive(Debug)]
pub struct Transaction {
    child: Child,
    statements: ChildStdin,
}

impl Transaction {
    /// Ends it.
    pub fn commit(mut self) {
        writeln!(self.statements, "commit;").expect("psql reads");
        drop(self.statements);
        assert!(self.child.wait().expect("psql ends").success());
    }
}

impl Postgres {
    /// Starts a new cluster, with `settings` beside its own. Every statement is in its log.
    pub fn start(settings: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"), settings)
    }

    /// The same in `folder`.
    pub fn start_in(folder: tempfile::TempDir, settings: &[&str]) -> Self {
        let path = folder.path();
        // Its owner, and root, can pass.
        fs::set_permissions(path, fs::Permissions::from_mode(0o711)).expect("its mode is set");
        let home = path.join("home");
        fs::create_dir(&home).expect("a folder");
        assert!(Command::new("chown").arg("postgres:postgres").arg(&home).status().expect("chown").success());
        let data = home.join("data");
        let output = program("initdb", &home)
            .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--no-locale", "-D"])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let log = fs::File::create(path.join("log")).expect("a log");
        let mut command = program("postgres", &home);
        command.arg("-D").arg(&data).arg("-k").arg(&home);
        command.args(["-c", "listen_addresses=", "-c", "log_statement=all", "-c", "log_min_duration_statement=0"]);
        for setting in settings {
            command.args(["-c", setting]);
        }
        let server = command.stdout(Stdio::null()).stderr(log).spawn().expect("postgres starts");
        // That of the last setting, or PostgreSQL's own.
        let port = settings.iter().rev().find_map(|setting| setting.strip_prefix("port=")).unwrap_or("5432");
        let postgres = Self { folder, server, port: port.to_owned() };
        postgres.until_it_answers();
        postgres
    }

    /// Waits until statements are carried out.
    pub fn until_it_answers(&self) {
        let until = Instant::now() + Duration::from_mins(1);
        while !self.try_sql("postgres", "select 1").status.success() {
            assert!(Instant::now() < until, "PostgreSQL does not answer: {}", self.log());
            sleep(Duration::from_millis(50));
        }
    }

    /// The string by which a server connects.
    pub fn connection(&self) -> String {
        format!("host={} port={} user=postgres dbname=postgres", self.home().display(), self.port)
    }

    /// The folder of the cluster and its socket.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// All that PostgreSQL has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("log")).unwrap_or_default()).into_owned()
    }

    /// The output of psql for a statement.
    pub fn sql(&self, statement: &str) -> String {
        self.sql_in("postgres", statement)
    }

    /// The same in another database.
    pub fn sql_in(&self, database: &str, statement: &str) -> String {
        let output = self.try_sql(database, statement);
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn try_sql(&self, database: &str, statement: &str) -> std::process::Output {
        let mut command = program("psql", &self.home());
        command.args(["--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1", "-h"]);
        command
            .env("PGPORT", &self.port)
            .arg(self.home())
            .args(["-c", statement, database])
            .output()
            .expect("psql runs")
    }

    /// Begins a transaction with this statement, which keeps its locks until it is committed.
    pub fn transaction(&self, statement: &str) -> Transaction {
        let mut command = program("psql", &self.home());
        command.args(["--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-h"]);
        command.env("PGPORT", &self.port).arg(self.home()).arg("postgres");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("psql runs");
        let mut statements = child.stdin.take().expect("its input");
        writeln!(statements, "begin; {statement}; select 'begun';").expect("psql reads");
        let mut said = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        output.read_line(&mut said).expect("psql answers");
        assert_eq!(said, "begun\n");
        Transaction { child, statements }
    }

    /// Waits until so many statements wait for a lock.
    pub fn until_waiting(&self, count: usize) {
        let until = Instant::now() + Duration::from_mins(1);
        let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
        while self.sql(waiting) != count.to_string() {
            assert!(Instant::now() < until, "{count} statements do not wait");
        }
    }

    /// The report of pgbench, which runs a script of the cluster's folder.
    pub fn pgbench(&self, script: &Path, options: &[String]) -> String {
        let mut command = program("pgbench", &self.home());
        command.arg("-h").arg(self.home()).arg("-f").arg(script);
        let output = command.args(options).arg("postgres").output().expect("pgbench runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A dump of everything.
    pub fn dump(&self) -> Vec<u8> {
        let mut command = program("pg_dump", &self.home());
        command.arg("-h").arg(self.home()).arg("postgres");
        let output = command.output().expect("pg_dump runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Kills a process that serves a client, if there is one: PostgreSQL ends all others then, and recovers.
    pub fn kill_a_backend(&self) {
        const ONE: &str = "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() limit 1";
        let found = self.try_sql("postgres", ONE);
        if let Ok(process) = String::from_utf8_lossy(&found.stdout).trim().parse() {
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
    }

    /// Sends a signal to the server and to all processes that it has started.
    pub fn signal_all(&self, signal: Signal) {
        let server = i32::try_from(self.server.id()).expect("a process id");
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|id| id.parse().ok());
        for process in children.chain([server]) {
            let _ = kill(Pid::from_raw(process), signal);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.signal_all(Signal::SIGCONT);
        // At once: the folder goes with it.
        let _ = kill(Pid::from_raw(i32::try_from(self.server.id()).unwrap_or(i32::MAX)), Signal::SIGQUIT);
        let _ = self.server.wait();
    }
}
