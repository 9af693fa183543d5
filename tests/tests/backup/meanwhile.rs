//! A backup and a restore beside logins and enrollments.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use twofactor_tests::private_host::said;
use twofactor_tests::requirements::programs_met;

use crate::{KEY, STATE, back_up, begin_anew, host, restoring};

/// Waits for something that comes about by itself.
#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(8), "{what} did not come about");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_backup_waits_for_a_login_that_is_writing() {
    host(|host| {
        host.user_with_app("alice");
        let login = File::open(format!("{STATE}/users/alice")).unwrap();
        login.lock().unwrap();
        let inode = format!(":{} ", login.metadata().unwrap().ino());
        let mut command = host.twofactor(&["backup", "/root/codes.age", "--recipient", KEY]);
        let backup = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until("the backup waits for the lock", || {
            let locks = fs::read_to_string("/proc/locks").unwrap();
            locks.lines().any(|line| line.contains("OFDLCK") && line.contains(&inode)).then_some(())
        });
        assert!(!fs::exists("/root/codes.age").unwrap());
        drop(login);
        let output = backup.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("1 account and 0 physical tokens"), "{}", said(&output));
    });
}

#[test]
fn a_user_who_enrolls_during_a_restore_is_not_lost() {
    host(|host| {
        if !programs_met(&["strace"]) {
            return;
        }
        host.user_with_app("alice");
        let file = back_up(host, "codes");
        begin_anew();
        host.user_with_app("bob");
        fs::rename(format!("{STATE}/users/bob"), "/var/bob").unwrap();

        // The new state is complete beside the old one, which was unused when the restore began.
        let mut command = host.command("strace");
        command.args(["-f", "-o", "/root/trace", "-e", "trace=syncfs", "-e", "inject=syncfs:signal=SIGSTOP:when=1"]);
        command.arg("twofactor").args(restoring(&file, &[]));
        let restore = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let process = until("the restore stops", || {
            let trace = fs::read_to_string("/root/trace").unwrap_or_default();
            let line = trace.lines().find(|line| line.contains("stopped by SIGSTOP"))?;
            line.split_whitespace().next().map(str::to_owned)
        });
        fs::rename("/var/bob", format!("{STATE}/users/bob")).unwrap();
        host.succeed("kill", ["-CONT", &process]);
        let output = restore.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(7), "{}", said(&output));
        let users = host.json(&["status"]);
        assert_eq!((users[0]["user"].as_str(), users.as_array().unwrap().len()), (Some("bob"), 1), "{users:#}");
    });
}
