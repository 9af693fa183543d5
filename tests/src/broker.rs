//! The real broker in a private host, at the socket where the module looks for it.

use std::fs;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::moment::Moment;
use crate::private_host::Host;

/// The socket at which the module looks for the broker.
pub const SOCKET: &str = "/run/twofactord/socket";

/// A broker that runs. It ends with the test.
#[derive(Debug)]
pub struct Broker<'h> {
    host: &'h Host,
    process: Option<Child>,
}

impl Host {
    /// Starts the broker.
    pub fn broker(&self) -> Broker<'_> {
        self.broker_by(self.command("twofactord"))
    }

    /// Starts the broker at that time.
    pub fn broker_at(&self, moment: Moment) -> Broker<'_> {
        let mut command = self.command("twofactord");
        moment.govern(&mut command);
        self.broker_by(command)
    }

    /// Starts the broker by a command that ends in its name.
    pub fn broker_by(&self, mut command: Command) -> Broker<'_> {
        command.arg("--listen").stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.spawn().expect("the broker starts");
        crate::log_daemon::until("the broker listens", || UnixStream::connect(SOCKET).is_ok());
        Broker { host: self, process: Some(process) }
    }
}

impl Broker<'_> {
    /// The broker's process.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Waits until the broker has answered all that it was asked.
    pub fn has_answered(&self) {
        crate::log_daemon::until("the broker has answered", || connections() == Some(0));
    }

    /// Waits until the broker serves at least so many connections at once.
    pub fn serves(&self, least: usize) {
        crate::log_daemon::until("the broker serves them", || connections() >= Some(least));
    }

    /// Sends a signal to the broker.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.id()).expect("a process")), signal).expect("the broker is there");
    }
}

/// The connections that brokers serve: each has a thread. `None` where a process ends meanwhile.
fn connections() -> Option<usize> {
    let mut count = 0;
    for process in fs::read_dir("/proc").ok()?.flatten() {
        // By name: this process may know it by another number than the host's /proc.
        let is_it = fs::read_to_string(process.path().join("comm")).is_ok_and(|name| name.trim() == "twofactord");
        if is_it {
            count += fs::read_dir(process.path().join("task")).ok()?.count().saturating_sub(1);
        }
    }
    Some(count)
}

impl Drop for Broker<'_> {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            self.host.kill(process);
        }
    }
}
