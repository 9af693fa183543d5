//! Several machines with a network between them: private hosts inside the one that a test is in, each wired to it.
//!
//! A machine is a process of the program `demo` (its first argument is `machine`: [`serve`]), which must be among the programs of the
//! outer host.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::artifacts::Artifacts;
use crate::private_host::{self, Host, PASSWORD_HASH};
use crate::requirements::PATH;
use crate::said::said;

/// The namespaces of a machine, by the options of nsenter(1).
const NAMESPACES: [(&str, &str); 5] =
    [("mnt", "--mount"), ("net", "--net"), ("uts", "--uts"), ("ipc", "--ipc"), ("pid", "--pid")];

/// A machine. It ends with this value.
#[derive(Debug)]
pub struct Machine {
    name: String,
    number: usize,
    process: Child,
    namespaces: Vec<(&'static str, File)>,
}

impl Machine {
    /// Starts the machine called `name` with the programs of `host`, wired to it, and its sshd with this stack. Each machine of a network
    /// has a number of its own, from 1.
    pub fn start(host: &Host, name: &str, number: usize, stack: &str) -> Self {
        let programs = programs(host);
        let program = |name: &str| programs.join(name);
        let mut command = host.command(program("demo"));
        command.args(["machine", name, &address(number), stack]);
        command
            .args(["pam_twofactor.so", "twofactor", "twofactord", "twofactor-server", "twofactor-link"].map(program));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a machine starts");
        let mut said = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut line = || {
            let mut line = String::new();
            said.read_line(&mut line).expect("a machine reports");
            line.trim().parse::<u32>().unwrap_or_else(|_| panic!("{name} does not run: {line:?}"))
        };
        let first = line();
        let namespaces = NAMESPACES.map(|(file, option)| {
            let namespace = File::open(format!("/proc/{first}/ns/{file}")).expect("a namespace");
            // For the programs that are run there.
            fcntl(&namespace, FcntlArg::F_SETFD(FdFlag::empty())).expect("it is inherited");
            (option, namespace)
        });
        let mut machine = Self { name: name.to_owned(), number, process, namespaces: namespaces.into() };
        machine.wire_to(host);
        machine.process.stdin.as_mut().expect("a pipe").write_all(b"\n").expect("a machine listens");
        line();
        machine
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address in the network.
    pub fn address(&self) -> String {
        address(self.number)
    }

    /// The address at which it reaches the host of the test.
    pub fn gateway(&self) -> String {
        format!("10.77.{}.1", self.number)
    }

    fn wire_to(&self, host: &Host) {
        let (here, net) = (self.wire(), self.path("--net"));
        host.succeed("ip", ["link", "add", &here, "type", "veth", "peer", "name", "eth0"]);
        host.succeed("ip", ["link", "set", "eth0", "netns", &net]);
        host.succeed("ip", ["address", "add", &format!("{}/24", self.gateway()), "dev", &here]);
        host.succeed("ip", ["link", "set", &here, "up"]);
        self.succeed("ip", &["address", "add", &format!("{}/24", self.address()), "dev", "eth0"]);
        self.succeed("ip", &["link", "set", "eth0", "up"]);
        self.succeed("ip", &["route", "add", "default", "via", &self.gateway()]);
    }

    /// Cuts the wire, or mends it.
    pub fn set_wire(&self, host: &Host, is_up: bool) {
        host.succeed("ip", ["link", "set", &self.wire(), if is_up { "up" } else { "down" }]);
    }

    fn wire(&self) -> String {
        format!("to-{}", self.name)
    }

    fn path(&self, option: &str) -> String {
        let found = self.namespaces.iter().find(|(name, _)| *name == option);
        format!("/proc/self/fd/{}", found.expect("it has all namespaces").1.as_raw_fd())
    }

    /// A program of this machine, in an environment as [`Host::command`] makes it. It ends with its parent.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        let namespaces = self.namespaces.iter().map(|(option, _)| format!("{option}={}", self.path(option)));
        command.args(namespaces).args(["--", "setpriv", "--pdeathsig", "KILL", program]).env_clear();
        command.env("PATH", format!("/run/twofactor-tests/bin:{PATH}")).env("LANG", "C.UTF-8");
        command.env("TERM", "xterm-256color").env("HOME", "/root");
        command
    }

    /// The outcome of a program, which may fail.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program).args(arguments).stdin(Stdio::null()).output().expect("nsenter runs")
    }

    /// Runs a program that must succeed, and gives its output.
    #[track_caller]
    pub fn succeed(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.run(program, arguments);
        assert!(output.status.success(), "{}: {program} {arguments:?}: {}", self.name, said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Writes a file there.
    pub fn write(&self, path: &str, text: &str) {
        let mut command = self.command("sh");
        command.args(["-c", &format!("mkdir -p \"$(dirname {path})\" && cat >{path}")]).stdin(Stdio::piped());
        let mut process = command.spawn().expect("nsenter runs");
        let mut input = process.stdin.take().expect("a pipe");
        input.write_all(text.as_bytes()).expect("it is written");
        drop(input);
        assert!(process.wait().expect("it ends").success(), "{path} is written");
    }

    /// Makes a user with a home, a shell and the usual password.
    pub fn add_user(&self, name: &str) {
        self.succeed("useradd", &["--create-home", "--shell", "/bin/sh", "--password", PASSWORD_HASH, name]);
    }
}

fn address(number: usize) -> String {
    format!("10.77.{number}.2")
}

/// A folder with the programs of `host` that machines inside see, too: most others are hidden there.
fn programs(host: &Host) -> PathBuf {
    let folder = Path::new("/mnt");
    if !folder.join("demo").exists() {
        host.succeed("mount", ["-t", "tmpfs", "-o", "mode=0755", "twofactor-tests", "/mnt"]);
        host.succeed("cp", ["--archive", &format!("{}/.", host.place("bin").display()), "/mnt"]);
    }
    folder.to_owned()
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The process of a machine, until its input ends: `machine NAME ADDRESS STACK MODULE TOOL BROKER PROGRAMS`. Writes the
/// number of its first process; after a line, when it is wired, its sshd listens.
#[allow(clippy::print_stdout, reason = "its parent reads it")]
pub fn serve(arguments: &[&str]) {
    let [name, address, stack, module, tool, broker, fleet @ ..] = arguments else {
        panic!("not a machine: {arguments:?}")
    };
    let [module, tool, broker] = [module, tool, broker].map(PathBuf::from);
    let artifacts = Artifacts { module, tool, broker, fleet: fleet.iter().map(PathBuf::from).collect() };
    private_host::run(&artifacts, |host| {
        nix::unistd::sethostname(name).expect("a host name");
        host.succeed("install", ["-d", "-m", "0700", "/var/lib/twofactor", "/var/lib/twofactor/users"]);
        fs::create_dir_all("/etc/twofactor").expect("a private /etc");
        println!("{}", host.first_process());
        let _ = std::io::stdin().read_line(&mut String::new());
        let _sshd = host.sshd_with(stack, &format!("ListenAddress {address}"));
        println!("{}", host.first_process());
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    });
}
