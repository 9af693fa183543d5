//! System calls that fail: a program is traced once to learn its calls, then run again with one of them failing.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use twofactor_tests::private_host::Host;
use twofactor_tests::random::Random;

/// The errors that each call gets in turn. Not every call can give each of them; a program must survive them all.
const ERRORS: [&str; 6] = ["EIO", "ENOSPC", "EACCES", "EMFILE", "EINTR", "ENOMEM"];

/// From how many on calls of a name are more of the same.
const MANY: u64 = 100;

/// Calls that cannot fail or whose failure strace cannot play. It plays a failing close by closing nothing, and a failing
/// futex by waking no thread. Linux does neither: a program that waits for the end of a pipe or for a thread would wait for ever.
const NEVER: [&str; 7] = ["close", "close_range", "execve", "exit", "exit_group", "futex", "rt_sigreturn"];

/// A call that fails: which, the how manieth of its name, with what.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) call: String,
    pub(crate) number: u64,
    pub(crate) error: &'static str,
}

/// Every fault of the calls that are written in a trace, in random order.
pub(crate) fn faults(trace: &str, random: &mut Random) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (call, count) in calls(trace) {
        // Of a call that is made again and again, as for the runs of a rehearsal, the first and the last.
        for number in (1..=count).filter(|number| *number <= MANY || number + MANY > count) {
            for error in ERRORS {
                faults.push(Fault { call: call.clone(), number, error });
            }
        }
    }
    shuffle(&mut faults, random);
    faults
}

pub(crate) fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for end in (1..items.len()).rev() {
        let other = usize::try_from(random.below(u64::try_from(end).unwrap() + 1)).unwrap();
        items.swap(end, other);
    }
}

/// How often each call stands in a trace. Of several processes each counts for itself.
fn calls(trace: &str) -> BTreeMap<String, u64> {
    let mut by_process: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for line in trace.lines() {
        let (process, rest) = line.split_once(char::is_whitespace).unwrap_or(("", line));
        let Some((name, _)) = rest.trim_start().split_once('(') else { continue };
        if name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') && !NEVER.contains(&name) {
            *by_process.entry((process, name)).or_default() += 1;
        }
    }
    let mut calls: BTreeMap<String, u64> = BTreeMap::new();
    for ((_, name), count) in by_process {
        let most = calls.entry(name.to_owned()).or_default();
        *most = count.max(*most);
    }
    calls
}

/// `program` in strace, which writes its calls to [`trace`].
pub(crate) fn traced(host: &Host, program: &str) -> Command {
    let mut command = host.command("strace");
    command.args(["-f", "-qq", "-o"]).arg(host.place("trace")).arg(program);
    command
}

/// The calls of the last traced program.
pub(crate) fn trace(host: &Host) -> String {
    String::from_utf8_lossy(&fs::read(host.place("trace")).expect("a trace")).into_owned()
}

/// `twofactor` with one call that fails. Only calls of its name stop it; that takes setuid programs their rights, of which it needs
/// none.
pub(crate) fn failing_command(host: &Host, fault: &Fault) -> Command {
    let mut command = host.command("strace");
    let Fault { call, number, error } = fault;
    command.args(["-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", "signal=none", "-e"]);
    command.args([&format!("trace={call}"), "-e"]).arg(format!("inject={call}:error={error}:when={number}"));
    command.arg("twofactor");
    command
}

/// `program` with one call that fails.
pub(crate) fn failing(host: &Host, program: &str, fault: &Fault) -> Command {
    let mut command = host.command("strace");
    let Fault { call, number, error } = fault;
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-e"]);
    command.arg(format!("inject={call}:error={error}:when={number}")).arg(program);
    command
}
