//! Whoever starts a setuid program may stop it while it waits for the lock, and let it go on much later. It is judged by the
//! time at which it goes on.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use twofactor_tests::oathtool;
use twofactor_tests::private_host::{Host, PASSWORD};
use twofactor_tests::terminal::{Size, Terminal};

use crate::host;
use crate::stopped::{all_su, as_user, state_of};

/// Seconds that a code is shown, and good: the window reaches nowhere.
const PERIOD: u64 = 10;
const SHORT_LIVED: &str = "[window]\nresync_at_login = false\ndrift = \"0s\"\n";

/// Waits for something that happens by itself.
#[track_caller]
fn until(what: &str, happens: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !happens() {
        assert!(Instant::now() < deadline, "{what}: not within 20 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process has this folder open.
fn has_open(pid: u32, folder: &Path) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.into_iter().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == folder))
}

fn send(host: &Host, user: &str, signal: &str, pid: u32) {
    assert!(as_user(host, user, &["kill", signal, &pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_code_that_runs_out_while_its_user_has_stopped_his_su_at_the_lock_opens_nothing() {
    host(|host| {
        host.configure(SHORT_LIVED);
        let stack = "auth required pam_unix.so nodelay\nauth required pam_twofactor.so\n\
                     account required pam_unix.so\nsession required pam_permit.so\n";
        host.system_service("su", stack);
        host.add_user("alice");
        let app = host.enroll("alice", &["--period", &PERIOD.to_string()]);
        let folder = Path::new("/var/lib/twofactor/users/alice");

        let before = all_su();
        let mut terminal = Terminal::start(&as_user(host, "alice", &["su", "alice", "-c", "echo inside"]), Size::LARGE);
        terminal.expect("assword: ");
        terminal.type_line(PASSWORD);
        terminal.expect("Verification code: ");
        let su: Vec<u32> = all_su().difference(&before).copied().collect();
        let [pid] = su[..] else { panic!("{su:?}") };

        let lock = File::open(folder).unwrap();
        lock.lock().unwrap();
        // Long enough before the end for su to get to the lock, and late enough for it not to wait long.
        until("the second half of a step", || (5..7).contains(&(oathtool::now() % PERIOD)));
        let step = oathtool::now() / PERIOD;
        terminal.type_line(&app.authenticator.code_at(step * PERIOD));
        until("su waits for the lock", || has_open(pid, folder));
        send(host, "alice", "-STOP", pid);
        until("su is stopped", || state_of(pid) == Some('T'));
        assert_eq!(oathtool::now() / PERIOD, step, "it was stopped while the code was good");
        until("the code has run out", || oathtool::now() / PERIOD > step);
        drop(lock);
        send(host, "alice", "-CONT", pid);
        let status = terminal.wait();
        assert!(!status.success(), "{}", terminal.shown());
        let line = host.assert_logged(&["denied user=alice", "service=su"]);
        assert!(line.contains("reason=wrong-code"), "{line}");
    });
}
