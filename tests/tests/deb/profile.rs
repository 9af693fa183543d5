//! `pam-auth-update --enable twofactor`: one switch for every service.

use std::fs;
use std::path::Path;

use twofactor_tests::debian::debian;
use twofactor_tests::first_login::{CONFIRM, ENROLL, Offer, write_down};
use twofactor_tests::private_host::{Host, PASSWORD};
use twofactor_tests::terminal::{Size, Terminal};

use crate::system::{assert_same, contents, done, install, lines_naming_the_module, module};

fn enable(host: &Host) {
    done(host, "pam-auth-update", &["--enable", "twofactor"]);
}

/// The lines of a file that say something.
fn lines(path: &str) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_profile_is_off_until_somebody_switches_it_on() {
    debian(|host| {
        let before = contents(&["/etc/pam.d"]);
        install(host);
        assert!(Path::new("/usr/share/pam-configs/twofactor").exists());
        assert_same(&before, &contents(&["/etc/pam.d"]));
    });
}

#[test]
fn the_profile_puts_the_code_behind_the_password_and_the_account_line_before_the_one_that_can_end_the_phase() {
    debian(|host| {
        install(host);
        enable(host);
        assert_eq!(
            lines("/etc/pam.d/common-auth"),
            [
                "auth [success=1 default=ignore] pam_unix.so nullok",
                "auth requisite pam_deny.so",
                "auth required pam_permit.so",
                "auth required pam_twofactor.so",
                "auth optional pam_cap.so",
            ]
        );
        // pam_unix ends the phase when a password has expired (new_authtok_reqd=done).
        assert_eq!(
            lines("/etc/pam.d/common-account"),
            [
                "account required pam_twofactor.so",
                "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so",
                "account requisite pam_deny.so",
                "account required pam_permit.so",
            ]
        );
    });
}

/// The password, then `code`; whether a session came of it. `program` prints `session-42` when it is one.
fn opens(host: &Host, user: &str, program: &[&str], code: &str) -> bool {
    let mut command = host.command("setpriv");
    command.args(["--reuid", user, "--regid", user, "--init-groups"]).args(program);
    let mut terminal = Terminal::start(&command, Size::LARGE);
    terminal.expect("assword");
    terminal.expect(": ");
    terminal.type_line(PASSWORD);
    terminal.expect("Verification code: ");
    terminal.type_line(code);
    terminal.expect_any(&["session-42", "ailure", "incorrect", "ry again", "denied"]).0 == 0
}

#[test]
fn login_su_and_sudo_ask_for_the_code_with_the_profile_on() {
    debian(|host| {
        install(host);
        let alice = host.user_with_fob("alice");
        host.add_user("bob");
        fs::write("/etc/sudoers.d/alice", "alice ALL=(ALL:ALL) ALL\n").unwrap();
        enable(host);
        let su: &[&str] = &["su", "alice", "-c", "echo session-$((40+2))"];
        let sudo: &[&str] = &["sudo", "-k", "sh", "-c", "echo session-$((40+2))"];
        for (name, user, program) in [("su", "bob", su), ("sudo", "alice", sudo)] {
            assert!(!opens(host, user, program, &alice.wrong_code()), "{name} with a wrong code");
            assert!(opens(host, user, program, &alice.next_code()), "{name} with the code");
            host.assert_logged(&["accepted user=alice", &format!("service={name}")]);
        }
        for (code, expected) in [(alice.wrong_code(), "incorrect"), (alice.next_code(), "$ ")] {
            let mut terminal = Terminal::start(host.command("login").arg("alice"), Size::LARGE);
            terminal.expect("Password: ");
            terminal.type_line(PASSWORD);
            terminal.expect("Verification code: ");
            terminal.type_line(&code);
            terminal.expect(expected);
        }
        host.assert_logged(&["accepted user=alice", "service=login"]);
    });
}

#[test]
fn with_an_expired_password_a_second_factor_is_set_up_all_the_same() {
    debian(|host| {
        install(host);
        host.add_user("alice");
        host.configure(ENROLL);
        enable(host);
        host.succeed("chage", ["--lastday", "0", "alice"]);
        let mut terminal = Terminal::start(host.command("login").arg("alice"), Size::LARGE);
        terminal.expect("Password: ");
        terminal.type_line(PASSWORD);
        let offer = Offer::read(&terminal.expect(CONFIRM));
        terminal.type_line(&offer.app.code(0));
        assert_eq!(write_down(&mut terminal).len(), 10);
        // pam_unix asks for another password; what was confirmed is stored by then.
        terminal.expect("Current password: ");
        host.assert_logged(&["pam_twofactor(login:account): enrolled user=alice service=login", "token=app"]);
    });
}

#[test]
fn removing_the_package_puts_the_common_files_back_as_they_were() {
    debian(|host| {
        let before = contents(&["/etc/pam.d"]);
        install(host);
        enable(host);
        assert_eq!(lines_naming_the_module().len(), 2);
        done(host, "dpkg", &["--remove", "libpam-twofactor"]);
        assert!(!Path::new(&module()).exists());
        assert_same(&before, &contents(&["/etc/pam.d"]));
    });
}
