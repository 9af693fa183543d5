//! A Linux host of its own for one test: users, configuration, syslog, devices, network, processes.
//!
//! The test runs in a fresh thread with its own mount, network, IPC, UTS and PID namespaces. `/etc` is a copy; `/run`,
//! `/tmp`, `/var`, `/home`, `/root` and `/dev` are new and live in memory. [`run_in`] takes all files from another system,
//! under a layer in memory, and so does [`private_host`] where `TWOFACTOR_TESTS_SYSTEM` names one. What always holds: the
//! real host sees none of it, and everything ends with the test, because the kernel kills all processes of a PID namespace
//! with its first one, which ends when its standard input does, even if the test itself was killed.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use twofactor_core::pam_service::modules;

use crate::artifacts::{self, Artifacts};
use crate::debian::system::{self, Release};
use crate::requirements::{self, NAMESPACES, PATH};
pub use crate::said::said;
use crate::syslog::{Line, Syslog};

/// The PAM service that holds nothing but the module; every private host has it.
pub const SERVICE: &str = "test";

/// The password of every user made by [`Host::add_user`].
pub const PASSWORD: &str = "correct horse battery";

/// The same as `openssl passwd -6` writes it.
pub const PASSWORD_HASH: &str =
    "$6$twofactor$k3JO.ZQURxsDiLMP4N9UdbFuYOk8Lw7hFqr78FTC0.TIVOmrfmVOGvHrv3zVHBqy.Ox2ZULQQam89eYdQrS740";

/// Where the harness keeps its own things in a private host.
const PLACE: &str = "/run/twofactor-tests";

/// Where the harness listens for syslog. `/dev/log` leads here, unless a real daemon runs.
pub(crate) const LOG: &str = "/run/twofactor-tests/log";

/// The name of a private host.
pub const HOST_NAME: &str = "testhost";

/// A private host, for as long as the test lasts.
#[derive(Debug)]
pub struct Host {
    log: Syslog,
    init: Child,
    compiler: Compiler,
}

/// The system whose C compiler builds the libraries of a test.
#[derive(Debug, Clone, Copy)]
enum Compiler {
    /// The private host's own.
    Own,
    /// That of the real host, whose files lie in [`Host::place`] `outside`, for reading.
    Outside,
}

/// Runs `test` in a private host with the debug build, or skips it where that cannot be done. The host is a copy of this
/// one, or of the system that was chosen.
pub fn private_host(test: impl FnOnce(&Host) + Send) {
    if !requirements::met() {
        return;
    }
    match system::chosen() {
        Some(release) => private_debian(release, test),
        None => run(artifacts::debug(), test),
    }
}

/// Runs `test` in a fresh Debian with the debug build, or skips it where that cannot be done.
pub fn private_debian(release: Release, test: impl FnOnce(&Host) + Send) {
    if let Some(root) = system::base(release) {
        on_a_thread(|| test(&Host::enter_root(root, Some(artifacts::debug()))));
    }
}

/// Runs `body` in a private host that has `artifacts`.
pub fn run<T: Send>(artifacts: &Artifacts, body: impl FnOnce(&Host) -> T + Send) -> T {
    on_a_thread(|| {
        let host = Host::enter(artifacts);
        body(&host)
    })
}

/// Runs `body` in a private host whose files are those of the system at `root`, which stays as it is.
pub fn run_in<T: Send>(root: &Path, body: impl FnOnce(&Host) -> T + Send) -> T {
    on_a_thread(|| {
        let host = Host::enter_root(root, None);
        body(&host)
    })
}

fn on_a_thread<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    let name = std::thread::current().name().unwrap_or("private host").to_owned();
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(name).spawn_scoped(scope, body);
        thread.expect("a thread starts").join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

impl Host {
    /// Moves the calling thread into a new host. It can start processes from now on, but no threads.
    fn enter(artifacts: &Artifacts) -> Self {
        unshare(NAMESPACES).expect("namespaces");
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
            .expect("private mounts");
        memory("/run", "0755");
        private_place(Path::new("/"));
        // The checkout may lie below a folder that is about to be hidden.
        bind_programs(artifacts, Path::new("/"));
        private_etc();
        private_dev(&format!("{PLACE}/dev"), "/dev");
        let covered = [("/tmp", "1777"), ("/home", "0755"), ("/root", "0700"), ("/var", "0755"), ("/srv", "0755")];
        for (folder, mode) in covered {
            memory(folder, mode);
        }
        for folder in [
            "/run/lock",
            "/run/sshd",
            "/run/sudo",
            "/var/lib",
            "/var/log",
            "/var/mail",
            "/var/spool",
            "/var/cache",
            "/var/empty",
        ] {
            fs::create_dir(folder).unwrap();
        }
        fs::create_dir("/var/empty/sshd").unwrap();
        fs::create_dir("/var/tmp").unwrap();
        symlink("/run", "/var/run").unwrap();
        symlink("../mail", "/var/spool/mail").unwrap();
        for record in ["/run/utmp", "/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog"] {
            fs::write(record, "").unwrap();
        }
        let host = Self::start(Compiler::Own);
        host.usual_services();
        host
    }

    /// The same with all files of the system at `root`. Without `artifacts` nothing of ours is there.
    fn enter_root(root: &Path, artifacts: Option<&Artifacts>) -> Self {
        system::over(root).expect("another system's files below a layer in memory");
        let files = Path::new("/run/root");
        private_dev("/run/dev", "/run/root/dev");
        for (folder, mode) in [("tmp", "1777"), ("run", "0755")] {
            memory(files.join(folder), mode);
        }
        private_place(files);
        if let Some(artifacts) = artifacts {
            bind_programs(artifacts, files);
            let place = files.join(PLACE.trim_start_matches('/'));
            let outside = place.join("outside");
            fs::create_dir(&outside).unwrap();
            bind(Path::new("/"), &outside);
            let for_reading = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
            mount(None::<&str>, &outside, None::<&str>, for_reading, None::<&str>).expect("only for reading");
            bind(&place, &outside.join("run"));
        }
        std::env::set_current_dir(files).unwrap();
        nix::unistd::pivot_root(".", ".").expect("another root");
        umount2(".", MntFlags::MNT_DETACH).expect("the files of the real host go");
        fs::create_dir("/run/sshd").unwrap();
        fs::write("/run/utmp", "").unwrap();
        own_name();
        let host = Self::start(Compiler::Outside);
        if artifacts.is_some() {
            host.usual_services();
        }
        host
    }

    /// The services that `pam-login` finds.
    fn usual_services(&self) {
        let deny = "auth required pam_deny.so\naccount required pam_deny.so\nsession required pam_deny.so\n";
        self.service("other", deny);
        self.service(SERVICE, "auth required pam_twofactor.so\naccount required pam_permit.so\n");
    }

    /// Starts what every host has running.
    fn start(compiler: Compiler) -> Self {
        std::env::set_current_dir("/").unwrap();
        nix::unistd::sethostname(HOST_NAME).expect("a host name");
        let log = Syslog::listen(Path::new(LOG)).expect("syslog");
        fs::set_permissions(LOG, fs::Permissions::from_mode(0o666)).unwrap();
        symlink(LOG, "/dev/log").unwrap();
        let host = Self { log, init: first_process(), compiler };
        host.succeed("ip", ["link", "set", "lo", "up"]);
        host
    }

    /// A program of this host, with an environment of its own.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", format!("{PLACE}/bin:{PATH}"))
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color");
        command.env("HOME", "/root");
        command
    }

    /// Runs a program that must succeed, and gives its output.
    pub fn succeed<A: AsRef<OsStr>>(&self, program: &str, arguments: impl IntoIterator<Item = A>) -> String {
        let mut command = self.command(program);
        let output = command.args(arguments).stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(output.status.success(), "{command:?} failed:\n{}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Makes a user with a home, a shell and [`PASSWORD`].
    pub fn add_user(&self, name: &str) {
        self.succeed("useradd", ["--create-home", "--shell", "/bin/sh", "--password", PASSWORD_HASH, name]);
    }

    /// Removes the user and gives the name to another person, with this uid.
    pub fn give_name_to_another(&self, name: &str, uid: u32) {
        self.succeed("userdel", ["--force", name]);
        let uid = uid.to_string();
        self.succeed("useradd", ["--create-home", "--shell", "/bin/sh", "--uid", &uid, name]);
        let input = self.place("new-password");
        fs::write(&input, format!("{name}:{PASSWORD}\n")).unwrap();
        self.succeed("sh", ["-c", &format!("chpasswd <{}", input.display())]);
    }

    /// Gives the user another uid, as a renumbering does.
    pub fn renumber(&self, name: &str, uid: u32) {
        self.succeed("usermod", ["--uid", &uid.to_string(), name]);
    }

    /// Writes the PAM service `name`, in which `pam_twofactor.so` stands for the module under test. It holds for
    /// `pam-login`; [`Host::system_service`] is for everything else.
    pub fn service(&self, name: &str, lines: &str) {
        fs::write(Path::new(&self.confdir()).join(name), self.with_module(lines)).unwrap();
    }

    /// Writes the PAM service `name` in this host's `/etc/pam.d`.
    pub fn system_service(&self, name: &str, lines: &str) {
        fs::write(Path::new("/etc/pam.d").join(name), self.with_module(lines)).unwrap();
    }

    /// Puts a PAM service of the distribution back that was put aside.
    pub fn packaged_service(&self, name: &str) {
        fs::copy(self.place("packaged").join(name), Path::new("/etc/pam.d").join(name)).unwrap();
    }

    /// Where [`Host::service`] puts services.
    pub fn confdir(&self) -> String {
        format!("{PLACE}/pam.d")
    }

    /// A file of this host's harness, below a folder that only root can write.
    pub fn place(&self, name: &str) -> PathBuf {
        Path::new(PLACE).join(name)
    }

    /// Writes an executable file and gives its path.
    pub fn script(&self, name: &str, content: &str) -> PathBuf {
        let path = self.place("bin").join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Compiles a library from C. Programs find it with `LD_LIBRARY_PATH` set to where it is, [`Host::place`].
    pub fn library(&self, name: &str, source: &str) {
        fs::write(self.place("library.c"), source).unwrap();
        match self.compiler {
            Compiler::Own => {
                let (source, library) = (self.place("library.c"), self.place(name));
                self.succeed("cc", ["-shared", "-fPIC", "-o", library.to_str().unwrap(), source.to_str().unwrap()]);
            }
            // It sees this host's place as its /run.
            Compiler::Outside => {
                let (outside, library) = (self.place("outside"), format!("/run/{name}"));
                let compiler = [outside.to_str().unwrap(), "env", "TMPDIR=/run", "cc"];
                let arguments = ["-shared", "-fPIC", "-o", &library, "/run/library.c"];
                self.succeed("chroot", [&compiler[..], &arguments[..]].concat());
            }
        }
    }

    /// Writes `/etc/twofactor/twofactor.toml`.
    pub fn configure(&self, text: &str) {
        fs::create_dir_all("/etc/twofactor").unwrap();
        fs::write("/etc/twofactor/twofactor.toml", text).unwrap();
    }

    /// Puts the module where libpam looks for modules, as a package does.
    pub fn install_module(&self) {
        let folder = modules::folder().expect("libpam's modules");
        let copy = self.place("security");
        self.succeed("cp", ["--archive", folder.to_str().unwrap(), copy.to_str().unwrap()]);
        let module = copy.join("pam_twofactor.so");
        fs::copy(self.place("bin/pam_twofactor.so"), &module).unwrap();
        fs::set_permissions(&module, fs::Permissions::from_mode(0o644)).unwrap();
        bind(&copy, &folder);
    }

    /// Every line of the log so far.
    pub fn log(&self) -> Vec<Line> {
        self.log.lines()
    }

    /// The texts of the module's lines so far, without the program's name: from `pam_twofactor(` on.
    pub fn module_log(&self) -> Vec<String> {
        let lines = self.log().into_iter();
        lines.filter_map(|line| line.text.find("pam_twofactor(").map(|start| line.text[start..].to_owned())).collect()
    }

    /// Asserts that one line of the module holds all of `fragments`, and gives the last one that does.
    #[track_caller]
    pub fn assert_logged(&self, fragments: &[&str]) -> String {
        let lines = self.module_log();
        let found = lines.iter().rev().find(|line| fragments.iter().all(|fragment| line.contains(fragment)));
        found.unwrap_or_else(|| panic!("no line of the log has all of {fragments:?}:\n{}", lines.join("\n"))).clone()
    }

    /// The number of this host's first process, for the one that this host was made in.
    pub fn first_process(&self) -> u32 {
        self.init.id()
    }

    /// Kills the process, then waits for it.
    pub fn kill(&self, mut process: Child) {
        let _ = process.kill();
        let _ = process.wait();
    }

    fn with_module(&self, lines: &str) -> String {
        lines.replace(" pam_twofactor.so", &format!(" {}", self.place("bin/pam_twofactor.so").display()))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The end of its input ends the first process, and the kernel ends all others.
        drop(self.init.stdin.take());
        let first = Pid::from_raw(i32::try_from(self.init.id()).expect("a process"));
        // It is over when all others are buried, and a test that has failed leaves children that it has not waited for: without
        // this loop its failure would be a wait without end.
        loop {
            match waitpid(None, Some(WaitPidFlag::__WNOTHREAD)) {
                Ok(status) if status.pid() != Some(first) => {}
                Err(Errno::EINTR) => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// The harness's folders in the system whose files are at `root`.
fn private_place(root: &Path) {
    let place = root.join(PLACE.trim_start_matches('/'));
    for folder in [place.clone(), place.join("bin"), place.join("pam.d")] {
        fs::create_dir(folder).unwrap();
    }
}

/// Puts the programs under test into the harness's folder of that system.
fn bind_programs(artifacts: &Artifacts, root: &Path) {
    let folder = root.join(PLACE.trim_start_matches('/')).join("bin");
    let ours =
        [(&artifacts.module, "pam_twofactor.so"), (&artifacts.tool, "twofactor"), (&artifacts.broker, "twofactord")];
    for (program, name) in ours.into_iter().chain([(&artifacts::pam_login(), "pam-login")]) {
        bind_file(program, &folder.join(name));
    }
    for program in &artifacts.fleet {
        bind_file(program, &folder.join(program.file_name().expect("a program has a name")));
    }
}

fn memory(folder: impl AsRef<Path>, mode: &str) {
    let (folder, options) = (folder.as_ref(), format!("mode={mode}"));
    mount(Some("twofactor-tests"), folder, Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
        .unwrap_or_else(|errno| panic!("mount a tmpfs on {}: {errno}", folder.display()));
}

fn bind(from: &Path, to: &Path) {
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .unwrap_or_else(|errno| panic!("bind {} to {}: {errno}", from.display(), to.display()));
}

fn bind_file(from: &Path, to: &Path) {
    fs::write(to, "").unwrap();
    bind(from, to);
}

/// A copy of `/etc` in the place of `/etc`.
fn private_etc() {
    let copy = format!("{PLACE}/etc");
    // A package that is being installed changes /etc under the copy.
    let is_copied = (0..5).any(|_| {
        let _ = fs::remove_dir_all(&copy);
        Command::new("cp").args(["--archive", "/etc", &copy]).status().expect("cp runs").success()
    });
    assert!(is_copied, "cp failed");
    bind(Path::new(&copy), Path::new("/etc"));
    // A real configuration of this machine must not decide a test.
    if Path::new("/etc/twofactor").exists() {
        fs::remove_dir_all("/etc/twofactor").unwrap();
    }
    put_services_aside();
    own_name();
}

/// PAM services of packages that only a suite of its own needs. On a host that has them, other tests would see more services.
const SERVICES_OF_SUITES: [&str; 2] = ["i3lock", "radiusd"];

fn put_services_aside() {
    fs::create_dir(format!("{PLACE}/packaged")).unwrap();
    for name in SERVICES_OF_SUITES {
        let (service, aside) = (format!("/etc/pam.d/{name}"), format!("{PLACE}/packaged/{name}"));
        if Path::new(&service).exists() {
            fs::copy(&service, &aside).unwrap();
            fs::remove_file(&service).unwrap();
        }
    }
}

fn own_name() {
    let _ = fs::remove_file("/etc/hosts");
    fs::write("/etc/hosts", format!("127.0.0.1 localhost {HOST_NAME}\n::1 localhost\n")).unwrap();
}

/// Devices that exist everywhere, and terminals of our own, made at `dev` and moved to `target`.
fn private_dev(dev: &str, target: &str) {
    fs::create_dir(dev).unwrap();
    memory(dev, "0755");
    for device in ["null", "zero", "full", "random", "urandom", "tty"] {
        bind_file(&Path::new("/dev").join(device), &Path::new(dev).join(device));
    }
    fs::create_dir(format!("{dev}/shm")).unwrap();
    fs::create_dir(format!("{dev}/pts")).unwrap();
    let terminals = format!("{dev}/pts");
    mount(
        Some("devpts"),
        terminals.as_str(),
        Some("devpts"),
        MsFlags::empty(),
        Some("newinstance,ptmxmode=0666,mode=0620,gid=5"),
    )
    .expect("terminals");
    for (to, link) in [
        ("pts/ptmx", "ptmx"),
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
    ] {
        symlink(to, format!("{dev}/{link}")).unwrap();
    }
    mount(Some(dev), target, None::<&str>, MsFlags::MS_MOVE, None::<&str>).expect("/dev");
}

/// The first process of a new PID namespace: mounts its `/proc`, then lives as long as its standard input. It ignores
/// SIGCHLD, so the kernel buries whatever it inherits.
fn first_process() -> Child {
    unshare(CloneFlags::CLONE_NEWPID).expect("a PID namespace");
    // A shell cannot ignore it for others.
    let script = "mount -t proc proc /proc && echo ready; exec env --ignore-signal=CHLD cat >/dev/null";
    let mut command = Command::new("sh");
    command.args(["-c", script]).env_clear().env("PATH", PATH).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut init = command.spawn().expect("sh runs");
    let mut ready = String::new();
    BufReader::new(init.stdout.take().expect("a pipe")).read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n", "a private /proc");
    init
}
