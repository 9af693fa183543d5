//! Whoever starts a setuid program may stop it at any moment, and leave it so. That must not keep anybody else out: a login
//! holds no lock but that of its own user.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::fcntl::{FcntlArg, fcntl};
use twofactor_tests::fob::Fob;
use twofactor_tests::private_host::{Host, PASSWORD};
use twofactor_tests::random::Random;
use twofactor_tests::terminal::{Size, Terminal};

use crate::{assert_accepted, host};

/// Holds the lock on the whole file that nobody can share, until the file is dropped.
pub(crate) fn exclusively(path: &str) -> File {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).open(path).unwrap();
    let lock = libc::flock {
        l_type: libc::F_WRLCK.try_into().unwrap(),
        l_whence: libc::SEEK_SET.try_into().unwrap(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_SETLK(&lock)).unwrap();
    file
}

/// A program that this user runs.
pub(crate) fn as_user(host: &Host, user: &str, program: &[&str]) -> Command {
    let mut command = host.command("setpriv");
    command.args(["--reuid", user, "--regid", user, "--init-groups"]).args(program);
    command
}

/// Every `su` there is.
pub(crate) fn all_su() -> BTreeSet<u32> {
    let folders = fs::read_dir("/proc").unwrap().flatten();
    let processes = folders.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    processes.filter(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "su\n")).collect()
}

pub(crate) fn state_of(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// A shell of the user's that stops the process as soon as it is told.
fn shell_to_stop(host: &Host, user: &str, pid: u32) -> Child {
    let mut command = as_user(host, user, &["sh", "-c", &format!("echo ready; read go; kill -STOP {pid} 2>/dev/null")]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    process.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    process
}

#[test]
fn local_users_who_stop_their_own_su_at_any_moment_keep_nobody_else_out() {
    const USERS: u64 = 12;
    let seed = Random::seed();
    host(|host| {
        println!("TWOFACTOR_TESTS_SEED={seed}");
        let mut random = Random::new(seed);
        let stack = "auth required pam_unix.so nodelay\nauth required pam_twofactor.so\n\
                     account required pam_unix.so\nsession required pam_permit.so\n";
        host.system_service("su", stack);
        let alice = Fob::button(100);
        host.user_with("alice", &alice);
        let mut next = (0..).map(|counter| alice.code_of(counter));
        let mut log_in = || host.login("alice").typing(next.next().unwrap());
        // How long it takes when nobody stops.
        let started = Instant::now();
        assert_accepted(&log_in());
        // A part of it, as most of it goes by before the code is typed.
        let usual = started.elapsed() / 8;

        let mut terminals = Vec::new();
        let mut stopped = 0;
        for number in 0..USERS {
            let (user, fob) = (format!("user{number}"), Fob::button(number));
            host.user_with(&user, &fob);
            let before = all_su();
            let mut terminal = Terminal::start(&as_user(host, &user, &["su", &user, "-c", "true"]), Size::LARGE);
            terminal.expect("assword: ");
            terminal.type_line(PASSWORD);
            terminal.expect("Verification code: ");
            let su: Vec<u32> = all_su().difference(&before).copied().collect();
            let [pid] = su[..] else { panic!("{su:?}") };
            let mut shell = shell_to_stop(host, &user, pid);
            terminal.type_line(&fob.code_of(0));
            let typed = Instant::now();
            let moment = usual * u32::try_from(random.below(1000)).unwrap() / 1000;
            while typed.elapsed() < moment {
                std::hint::spin_loop();
            }
            shell.stdin.take().unwrap().write_all(b"go\n").unwrap();
            shell.wait().unwrap();
            stopped += u64::from(state_of(pid) == Some('T'));
            terminals.push(terminal);
            assert_accepted(&log_in());
        }
        println!("{stopped} of {USERS} were stopped before they ended");
        host.assign_more(&Fob::button(101), "alice");
        assert_accepted(&log_in());
        assert_accepted(&host.login("alice").typing(Fob::button(101).code_of(0)));
    });
}
