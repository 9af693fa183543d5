//! Real login, su and sudo, each at a terminal.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use std::process::Command;
use std::time::{Duration, Instant};

use twofactor_core::pam_service::first_factor;
use twofactor_tests::private_host::{Host, PASSWORD, private_host};
use twofactor_tests::terminal::{Size, Terminal};

const STACK: &str = "\
auth required pam_unix.so nodelay
auth required pam_twofactor.so
account required pam_unix.so
session required pam_permit.so
";

/// Answers both prompts.
fn answer(terminal: &mut Terminal, password: &str, code: &str) {
    terminal.expect("assword");
    terminal.expect(": ");
    terminal.type_line(password);
    terminal.expect("Verification code: ");
    terminal.type_line(code);
}

/// A program started by the user `name` at a terminal.
fn as_user(host: &Host, name: &str, program: &[&str]) -> Command {
    let mut command = host.command("setpriv");
    command.args(["--reuid", name, "--regid", name, "--init-groups"]).args(program);
    command
}

#[test]
fn login_asks_for_password_and_code_and_opens_a_session() {
    private_host(|host| {
        host.system_service("login", STACK);
        let alice = host.user_with_app("alice");
        let mut terminal = Terminal::start(host.command("login").arg("alice"), Size::LARGE);
        answer(&mut terminal, PASSWORD, &alice.code());
        terminal.expect("$ ");
        terminal.type_line("echo session-$((40+2))-$(id -un | tr a-z A-Z)");
        terminal.expect("session-42-ALICE");
        terminal.type_line("exit");
        terminal.wait();
        host.assert_logged(&["pam_twofactor(login:auth): accepted user=alice service=login"]);
    });
}

#[test]
fn login_refuses_a_wrong_code_and_a_used_one() {
    private_host(|host| {
        host.system_service("login", STACK);
        let alice = host.user_with_app("alice");
        let code = alice.code();
        for (typed, reason) in [(alice.wrong_code(), "wrong-code"), (code.clone(), ""), (code, "replayed")] {
            let mut terminal = Terminal::start(host.command("login").arg("alice"), Size::LARGE);
            answer(&mut terminal, PASSWORD, &typed);
            if reason.is_empty() {
                terminal.expect("$ ");
            } else {
                terminal.expect("Login incorrect");
                host.assert_logged(&["denied user=alice service=login", reason]);
            }
        }
    });
}

#[test]
fn su_asks_for_password_and_code_of_the_other_user() {
    private_host(|host| {
        host.system_service("su", STACK);
        let alice = host.user_with_app("alice");
        host.add_user("bob");
        let su = as_user(host, "bob", &["su", "alice", "-c", "echo session-$((40+2))-$(id -un | tr a-z A-Z)"]);
        let mut terminal = Terminal::start(&su, Size::LARGE);
        answer(&mut terminal, PASSWORD, &alice.code());
        terminal.expect("session-42-ALICE");
        assert!(terminal.wait().success());
        host.assert_logged(&["pam_twofactor(su:auth): accepted user=alice service=su"]);

        let mut terminal = Terminal::start(&su, Size::LARGE);
        answer(&mut terminal, PASSWORD, &alice.wrong_code());
        assert!(!terminal.wait().success());
        host.assert_logged(&["denied user=alice service=su", "reason=wrong-code"]);
    });
}

#[test]
fn sudo_asks_for_password_and_code_of_the_caller() {
    private_host(|host| {
        host.system_service("sudo", STACK);
        let alice = host.user_with_app("alice");
        std::fs::write("/etc/sudoers", "Defaults passwd_tries=1\nalice ALL=(ALL) ALL\n").unwrap();
        let sudo = as_user(host, "alice", &["sudo", "-k", "sh", "-c", "echo session-$((40+2))-$(id -un | tr a-z A-Z)"]);
        let mut terminal = Terminal::start(&sudo, Size::LARGE);
        answer(&mut terminal, PASSWORD, &alice.code());
        terminal.expect("session-42-ROOT");
        assert!(terminal.wait().success());
        host.assert_logged(&["pam_twofactor(sudo:auth): accepted user=alice service=sudo"]);

        let mut terminal = Terminal::start(&sudo, Size::LARGE);
        answer(&mut terminal, PASSWORD, &alice.wrong_code());
        assert!(!terminal.wait().success());
        assert!(!terminal.shown().contains("session-42"));
        host.assert_logged(&["denied user=alice service=sudo", "reason=wrong-code"]);
    });
}

/// `targetpw` of sudoers(5): the manual says whose code that is.
#[test]
fn sudo_with_targetpw_asks_for_password_and_code_of_the_target() {
    private_host(|host| {
        host.system_service("sudo", STACK);
        host.add_user("alice");
        let bobby = host.user_with_app("bobby");
        std::fs::write("/etc/sudoers", "Defaults passwd_tries=1, targetpw\nalice ALL=(ALL) ALL\n").unwrap();
        let words = ["sudo", "-k", "-u", "bobby", "sh", "-c", "echo session-$((40+2))-$(id -un | tr a-z A-Z)"];
        let mut terminal = Terminal::start(&as_user(host, "alice", &words), Size::LARGE);
        answer(&mut terminal, PASSWORD, &bobby.code());
        terminal.expect("session-42-BOBBY");
        host.assert_logged(&["pam_twofactor(sudo:auth): accepted user=bobby service=sudo"]);
    });
}

#[test]
fn somebody_who_hangs_up_at_the_prompt_is_neither_counted_nor_let_in() {
    private_host(|host| {
        host.system_service("su", STACK);
        let alice = host.user_with_app("alice");
        host.add_user("bob");
        let su = as_user(host, "bob", &["su", "alice", "-c", "true"]);
        let mut terminal = Terminal::start(&su, Size::LARGE);
        terminal.expect("assword: ");
        terminal.type_line(PASSWORD);
        terminal.expect("Verification code: ");
        terminal.type_keys("\x03");
        assert!(!terminal.wait().success());
        assert_eq!(host.failures("alice"), 0);
        let mut terminal = Terminal::start(&su, Size::LARGE);
        answer(&mut terminal, PASSWORD, &alice.code());
        assert!(terminal.wait().success());
    });
}

/// How long a program takes from Ctrl-C at the code prompt until it ends.
fn interrupted(command: &Command) -> Duration {
    let mut terminal = Terminal::start(command, Size::LARGE);
    terminal.expect("assword");
    terminal.expect(": ");
    terminal.type_line(PASSWORD);
    terminal.expect("Verification code: ");
    let pressed = Instant::now();
    assert!(!terminal.interrupt().success());
    pressed.elapsed()
}

/// libpam waits two seconds for a refusal of ours; who presses Ctrl-C guesses nothing.
#[test]
fn interrupting_the_code_prompt_costs_no_delay_where_no_other_module_asks_for_one() {
    private_host(|host| {
        for service in ["su", "sudo", "login"] {
            host.system_service(service, STACK);
        }
        let alice = host.user_with_app("alice");
        host.add_user("bob");
        std::fs::write("/etc/sudoers", "Defaults passwd_tries=1\nalice ALL=(ALL) ALL\n").unwrap();
        let su = interrupted(&as_user(host, "bob", &["su", "alice", "-c", "true"]));
        let login = (!login_ignores_interrupts(host)).then(|| interrupted(host.command("login").arg("alice")));
        assert_eq!(host.module_log(), Vec::<String>::new(), "the signal ends su and login, and with them the module");
        let sudo = interrupted(&as_user(host, "alice", &["sudo", "-k", "true"]));
        host.assert_logged(&["denied user=alice service=sudo", "reason=conversation"]);
        for (service, took) in [("su", Some(su)), ("login", login), ("sudo", Some(sudo))] {
            // libpam makes of two seconds at least one and a half.
            assert!(took.is_none_or(|took| took < Duration::from_millis(1400)), "{service}: {took:?}");
        }
        assert_eq!(host.failures("alice"), 0);
        if login.is_none() {
            let mut terminal = Terminal::start(host.command("login").arg("alice"), Size::LARGE);
            terminal.expect("assword");
            terminal.expect(": ");
            terminal.type_line(PASSWORD);
            terminal.expect("Verification code: ");
            terminal.type_keys("\x03");
            terminal.type_line(&alice.code());
            terminal.expect("$ ");
            terminal.type_line("echo session-$((40 + 2))");
            terminal.expect("session-42");
        }
    });
}

/// The login of util-linux, which Debian 13 has, is deaf to Ctrl-C; that of the shadow suite dies of it.
fn login_ignores_interrupts(host: &Host) -> bool {
    let output = host.command("login").arg("--version").output().expect("login runs");
    String::from_utf8_lossy(&output.stdout).contains("util-linux")
}

/// Password and code behind a substack, which a wrong password leaves: our line is told of it.
fn behind_a_substack(host: &Host, service: &str) {
    host.system_service("story-auth", "auth sufficient pam_unix.so nodelay\nauth required pam_deny.so\n");
    host.system_service(first_factor::NAME, first_factor::TEXT);
    let auth = format!("auth substack story-auth\nauth substack {}\n", first_factor::FILE);
    host.system_service(service, &STACK.replace("auth required pam_unix.so nodelay\n", &auth));
}

#[test]
fn of_sudos_three_tries_the_one_with_the_right_password_comes_to_the_code() {
    private_host(|host| {
        behind_a_substack(host, "sudo");
        let alice = host.user_with_app("alice");
        std::fs::write("/etc/sudoers", "Defaults passwd_tries=3\nalice ALL=(ALL) ALL\n").unwrap();
        let sudo = as_user(host, "alice", &["sudo", "-k", "sh", "-c", "echo session-$((40+2))-$(id -un | tr a-z A-Z)"]);
        let mut terminal = Terminal::start(&sudo, Size::LARGE);
        for _ in 0..2 {
            terminal.expect("assword");
            terminal.expect(": ");
            terminal.type_line("wrong");
        }
        answer(&mut terminal, PASSWORD, &alice.code());
        terminal.expect("session-42-ROOT");
        assert!(terminal.wait().success());
        assert_eq!(terminal.shown().matches("Verification code").count(), 1, "{}", terminal.shown());
        assert_eq!(host.failures("alice"), 0);
        host.assert_logged(&["denied user=alice service=sudo", "reason=first-factor-failed"]);
    });
}

#[test]
fn login_asks_again_behind_a_wrong_password_and_then_for_the_code() {
    private_host(|host| {
        behind_a_substack(host, "login");
        let alice = host.user_with_app("alice");
        let mut terminal = Terminal::start(host.command("login").arg("alice"), Size::LARGE);
        terminal.expect("assword: ");
        terminal.type_line("wrong");
        terminal.expect("Login incorrect");
        terminal.expect("login: ");
        terminal.type_line("alice");
        answer(&mut terminal, PASSWORD, &alice.code());
        terminal.expect("$ ");
        assert_eq!(host.failures("alice"), 0);
    });
}
