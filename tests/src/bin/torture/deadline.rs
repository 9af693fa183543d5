//! Programs under test that are ended when they hang, so that a trial says so and goes on.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Output};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Longer than anything takes in strace on a busy machine, the waits for locks included.
const PATIENCE: Duration = Duration::from_mins(2);

/// A process and its children, which are killed when it has not ended in time, or when nobody waits for it any more.
pub(crate) struct Deadline {
    ended: Sender<()>,
    watching: JoinHandle<bool>,
}

impl Deadline {
    /// Has the program lead a group of its own, which [`Deadline::of`] needs.
    pub(crate) fn prepare(command: &mut Command) {
        command.process_group(0);
    }

    pub(crate) fn of(process: &Child) -> Self {
        let group = Pid::from_raw(i32::try_from(process.id()).expect("a process"));
        let (ended, end) = channel();
        let watching = std::thread::spawn(move || {
            let is_late = end.recv_timeout(PATIENCE).is_err();
            if is_late {
                let _ = killpg(group, Signal::SIGKILL);
            }
            is_late
        });
        Self { ended, watching }
    }

    /// Whether it hung. To be asked when the process has ended.
    pub(crate) fn was_missed(self) -> bool {
        let _ = self.ended.send(());
        self.watching.join().expect("the watching thread does not panic")
    }
}

/// Runs a program to its end; `None` when it hangs.
pub(crate) fn output(mut command: Command) -> Option<Output> {
    Deadline::prepare(&mut command);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let process = command.spawn().expect("it starts");
    let deadline = Deadline::of(&process);
    let output = process.wait_with_output().expect("its output can be read");
    (!deadline.was_missed()).then_some(output)
}
