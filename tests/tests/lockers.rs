//! Real screen lockers on a real X server, unlocked with what a person types: they run as their user, and the module in them
//! asks the broker. Each is set up as the guide says it.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use twofactor_tests::log_daemon::until;
use twofactor_tests::private_host::{Host, PASSWORD, private_host};
use twofactor_tests::requirements;

/// The screen that all of it is about.
const DISPLAY: &str = ":7";

/// The user's X server, and what is typed on it.
struct Screen<'h> {
    host: &'h Host,
    server: Option<Child>,
}

impl<'h> Screen<'h> {
    fn of(host: &'h Host, user: &str) -> Self {
        std::fs::create_dir_all("/tmp/.X11-unix").unwrap();
        let mut command = as_user(host, user);
        command.args(["Xvfb", DISPLAY, "-ac", "-noreset", "-nolisten", "tcp", "-screen", "0", "640x480x24"]);
        let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let screen = Self { host, server: Some(server) };
        until("the X server answers", || screen.xdotool(&["getdisplaygeometry"]));
        screen
    }

    /// Runs xdotool. True when it has succeeded.
    fn xdotool(&self, arguments: &[&str]) -> bool {
        let mut command = self.host.command("xdotool");
        command.args(arguments).env("DISPLAY", DISPLAY).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().success()
    }

    /// Types a line.
    fn type_line(&self, text: &str) {
        assert!(self.xdotool(&["type", "--delay", "5", text]) && self.xdotool(&["key", "Return"]), "{text}");
    }

    /// Starts a locker as this user, and waits until its window covers the screen.
    fn lock(&self, user: &str, locker: &[&str]) -> Child {
        let mut command = as_user(self.host, user);
        command.args(locker).env("DISPLAY", DISPLAY).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        until("the screen is locked", || self.xdotool(&["search", "--onlyvisible", "--class", locker[0]]));
        process
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.host.kill(server);
        }
    }
}

/// Programs of the user, in a home of theirs.
fn as_user(host: &Host, user: &str) -> Command {
    let mut command = host.command("setpriv");
    command.args(["--reuid", user, "--regid", user, "--init-groups"]).env("HOME", format!("/home/{user}"));
    command
}

/// The broker's lines that have all of `fragments`.
fn logged(host: &Host, fragments: &[&str]) -> usize {
    let lines = host.module_log();
    lines.iter().filter(|line| fragments.iter().all(|fragment| line.contains(fragment))).count()
}

/// Waits until the screen is open.
fn wait_for_end(locker: &mut Child) {
    let started = Instant::now();
    while locker.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(30), "the screen stays locked");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(locker.wait().unwrap().success());
}

#[test]
fn i3lock_opens_with_password_and_code_in_its_one_field() {
    if !requirements::programs_met(&["i3lock", "xdotool", "Xvfb"]) {
        return;
    }
    private_host(|host| {
        host.install_module();
        let alice = host.user_with_app("alice");
        host.enroll("root", &[]);
        let _broker = host.broker();
        host.packaged_service("i3lock");
        host.sysadmin(&["service", "enable", "i3lock", "--yes"]);
        let screen = Screen::of(host, "alice");
        let mut locker = screen.lock("alice", &["i3lock", "--nofork"]);

        let refusals = || logged(host, &["pam_twofactor(broker:auth): denied user=alice"]);
        screen.type_line(&format!("{PASSWORD}{}", alice.wrong_code()));
        until("the broker has refused a wrong code", || refusals() == 1);
        assert!(locker.try_wait().unwrap().is_none(), "locked after a wrong code");
        // It takes no keys while it judges, and for a moment says that the answer was wrong.
        let code = alice.code();
        let both = format!("{PASSWORD}{code}");
        until("the broker has accepted a code", || {
            screen.type_line(&both);
            logged(host, &["pam_twofactor(broker:auth): accepted user=alice"]) == 1
        });
        wait_for_end(&mut locker);
    });
}
