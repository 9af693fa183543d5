//! Programs under test that are ended when they hang, so that a trial says so and goes on.
//!
//! No thread watches: a process that has left a PID namespace, as a trial has, can start none.

use std::io::{Read as _, Seek as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, Output};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Longer than anything takes in strace on a busy machine, the waits for locks included.
const PATIENCE: Duration = Duration::from_mins(2);

/// A program with its children, until it ends or has taken too long.
pub(crate) struct Mortal {
    pub(crate) process: Child,
    started: Instant,
}

/// It hung, and was killed.
pub(crate) struct Hung;

impl Mortal {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self { process: command.process_group(0).spawn().expect("it starts"), started: Instant::now() }
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> Result<std::process::ExitStatus, Hung> {
        loop {
            if let Some(status) = self.process.try_wait().expect("a child of ours") {
                return Ok(status);
            }
            if self.started.elapsed() > PATIENCE {
                return Err(Hung);
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// The next bytes of its output; none at its end.
    pub(crate) fn read(&self, output: &mut ChildStdout) -> Result<Vec<u8>, Hung> {
        let left = PATIENCE.saturating_sub(self.started.elapsed());
        let timeout = PollTimeout::try_from(left).expect("two minutes");
        if poll(&mut [PollFd::new(output.as_fd(), PollFlags::POLLIN)], timeout) == Ok(0) {
            return Err(Hung);
        }
        let mut piece = vec![0; 4096];
        let length = output.read(&mut piece).unwrap_or_default();
        piece.truncate(length);
        Ok(piece)
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(Some(_))) {
            let group = Pid::from_raw(i32::try_from(self.process.id()).expect("a process"));
            let _ = killpg(group, Signal::SIGKILL);
            let _ = self.process.wait();
        }
    }
}

/// Runs a program to its end.
pub(crate) fn output(mut command: Command) -> Result<Output, Hung> {
    // Unlike pipes they never fill up.
    let [mut stdout, mut stderr] = ["stdout", "stderr"].map(in_memory);
    command.stdout(stdout.try_clone().expect("a file")).stderr(stderr.try_clone().expect("a file"));
    let status = Mortal::start(&mut command).wait()?;
    let read = |file: &mut std::fs::File| {
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("a file");
        bytes
    };
    Ok(Output { status, stdout: read(&mut stdout), stderr: read(&mut stderr) })
}

fn in_memory(name: &str) -> std::fs::File {
    rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC).expect("memory").into()
}
