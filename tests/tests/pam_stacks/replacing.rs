//! `service enable --replace` on lines of Debian's pam_google_authenticator and pam_oath: users go on with the codes that they
//! have, and `service disable` gives the lines back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use twofactor_tests::google_authenticator::{TOTP, enroll};
use twofactor_tests::oathtool::{Authenticator, Kind};
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::requirements::programs_met;
use twofactor_tests::terminal::{Size, Terminal};

use crate::layout::{files, on};

/// alice alone is asked.
const ALICE_ALONE: &str = "[window]\nresync_at_login = false\n[throttle]\nfree_attempts = 100\n\
                           [[rule]]\nusers = [\"bobby\", \"carol\", \"david\", \"erin\", \"root\"]\nsecond_factor = \"off\"\n";
const GOOGLE: &str = "auth required pam_google_authenticator.so nullok\n";
const REST: &str = "@include common-account\n@include common-session-noninteractive\n";
const ENABLE: [&str; 5] = ["service", "enable", "sudo", "--only", "--yes"];

fn host(test: impl FnOnce(&Host) + Send) {
    if programs_met(&["google-authenticator", "oathtool"]) {
        on("debian-12", |host, _| {
            host.configure(ALICE_ALONE);
            test(host);
        });
    }
}

fn write(service: &str, text: &str) {
    fs::write(Path::new("/etc/pam.d").join(service), text).unwrap();
}

fn sudo() -> String {
    fs::read_to_string("/etc/pam.d/sudo").unwrap()
}

/// Enables sudo in the place of other lines. Gives the exit code and everything that was said.
fn replace(host: &Host, others: &[&str]) -> (i32, String) {
    let output = host.run_twofactor(&[&ENABLE[..], &["--replace"], others].concat());
    (output.status.code().unwrap(), said(&output))
}

fn is_enrolled(host: &Host, user: &str) -> bool {
    host.run_twofactor(&["status", user]).status.success()
}

/// A login of alice at sudo. pam_oath calls its code a password.
fn login(host: &Host, code: &str) -> ReturnCode {
    let login = host.login("alice").of_the_system().service("sudo").calls("authenticate,account");
    let answer = |prompt: &str| if prompt.starts_with("Password") { PASSWORD.to_owned() } else { code.to_owned() };
    let outcome = login.conversing(|prompt, _| answer(prompt));
    match outcome.code() {
        ReturnCode::SUCCESS => outcome.code_of("account"),
        refused => refused,
    }
}

/// A user of pam_oath with an app, and the file.
fn oath(host: &Host) -> (Authenticator, String) {
    let key = "3132333435363738393031323334353637383930";
    let secret = data_encoding::BASE32_NOPAD.encode(b"12345678901234567890");
    let file = host.place("users.oath");
    fs::write(&file, format!("HOTP/T30/6 alice - {key}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let line = format!("auth required pam_oath.so usersfile={} window=5 digits=6\n", file.display());
    (Authenticator { secret, algorithm: "SHA1".to_owned(), digits: 6, kind: Kind::Time(30) }, line)
}

/// A login with a code that was used, the line replaced, and logins with this code and the next one.
fn goes_on(host: &Host, app: &Authenticator, text: &str, module: &str) {
    write("sudo", text);
    let before = files();
    let used = app.code(0);
    assert_eq!(login(host, &used), ReturnCode::SUCCESS, "{text}");
    let (status, output) = replace(host, &[]);
    assert_eq!(status, 0, "{output}");
    assert!(output.contains("alice: taken over with 1 app"), "{output}");
    assert!(output.contains(&format!("{module} is no longer asked there")), "{output}");
    assert!(output.contains("  libpam ran it "), "{output}");
    let line = text.lines().find(|line| line.contains(module)).unwrap();
    let logged = format!("service-enabled service=sudo file=/etc/pam.d/sudo from=\"{line}\"");
    let log: Vec<String> = host.log().into_iter().map(|line| line.text).collect();
    assert_eq!(log.iter().filter(|line| line.contains(&logged)).count(), 1, "{logged}: {log:#?}");
    assert!(!sudo().contains(module) && sudo().matches("pam_twofactor.so").count() == 2, "{}", sudo());
    assert_ne!(login(host, &used), ReturnCode::SUCCESS, "a used code");
    host.assert_logged(&["denied user=alice", "reason=replayed"]);
    assert_eq!(login(host, &app.code(1)), ReturnCode::SUCCESS, "{}", sudo());
    assert!(replace(host, &[]).1.contains("Nothing to do."), "once is enough");
    let disabled = host.run_twofactor(&["service", "disable", "sudo", "--yes"]);
    assert!(said(&disabled).contains(&format!("sudo asks for {module} again")), "{}", said(&disabled));
    assert_eq!(files(), before, "the line is back");
}

#[test]
fn users_of_google_authenticator_go_on_and_the_line_comes_back() {
    host(|host| {
        let (app, _) = enroll(host, "alice", TOTP);
        goes_on(host, &app, &format!("@include common-auth\n{GOOGLE}{REST}"), "pam_google_authenticator.so");
    });
}

#[test]
fn a_line_above_the_password_is_replaced_by_one_behind_it() {
    host(|host| {
        let (app, _) = enroll(host, "alice", TOTP);
        goes_on(host, &app, &format!("{GOOGLE}@include common-auth\n{REST}"), "pam_google_authenticator.so");
    });
}

#[test]
fn users_of_pam_oath_go_on_and_the_line_comes_back() {
    host(|host| {
        let (app, line) = oath(host);
        goes_on(host, &app, &format!("@include common-auth\n{line}{REST}"), "pam_oath.so");
    });
}

#[test]
fn while_a_user_would_be_refused_the_line_stays_unless_force_says_otherwise() {
    host(|host| {
        host.configure("[[rule]]\nusers = [\"root\", \"carol\", \"david\", \"erin\"]\nsecond_factor = \"off\"\n");
        enroll(host, "alice", TOTP);
        write("sudo", &format!("@include common-auth\n{GOOGLE}{REST}"));
        let before = files();
        let (status, output) = replace(host, &[]);
        assert_eq!(status, 7, "{output}");
        assert!(output.contains("sudo would refuse bobby, who is not enrolled"), "{output}");
        assert!(output.contains("twofactor enroll bobby"), "{output}");
        assert_eq!(files(), before);
        assert!(!is_enrolled(host, "alice"), "nothing was begun");
        let (status, output) = replace(host, &["--force"]);
        assert_eq!(status, 0, "{output}");
        assert!(is_enrolled(host, "alice") && !sudo().contains("google"), "{}", sudo());
    });
}

#[test]
fn a_user_who_cannot_be_taken_over_keeps_the_line() {
    host(|host| {
        enroll(host, "alice", TOTP);
        enroll(host, "bobby", TOTP);
        fs::set_permissions("/home/bobby/.google_authenticator", fs::Permissions::from_mode(0o666)).unwrap();
        write("sudo", &format!("@include common-auth\n{GOOGLE}{REST}"));
        let before = files();
        let (status, output) = replace(host, &[]);
        assert_eq!(status, 8, "{output}");
        assert!(output.contains("bobby: not taken over") && output.contains("others may write to it"), "{output}");
        assert_eq!(files(), before);
        assert!(!is_enrolled(host, "alice"), "nothing was begun");
    });
}

#[test]
fn a_person_is_asked_for_the_line_and_for_the_change() {
    host(|host| {
        let (app, _) = enroll(host, "alice", TOTP);
        write("sudo", &format!("@include common-auth\n{GOOGLE}{REST}"));
        let before = files();
        for answer in ["n", "y"] {
            let mut terminal = Terminal::start(&host.twofactor(&ENABLE[..4]), Size::LARGE);
            terminal.expect("sudo runs pam_google_authenticator.so (/etc/pam.d/sudo:2). Take its users over");
            terminal.expect("[y/N] ");
            terminal.type_line("y");
            let shown = terminal.expect("Change these files? [y/N] ");
            assert!(shown.contains("alice: would be taken over with 1 app"), "{shown}");
            assert!(shown.contains("-auth required pam_google_authenticator.so nullok"), "{shown}");
            assert_eq!(files(), before);
            terminal.type_line(answer);
            terminal.expect(if answer == "y" { "alice: taken over" } else { "nothing was changed" });
            terminal.wait();
            assert_eq!(is_enrolled(host, "alice"), answer == "y");
        }
        assert_eq!(login(host, &app.code(0)), ReturnCode::SUCCESS);
    });
}

#[test]
fn without_the_option_the_line_stays_and_is_named() {
    host(|host| {
        enroll(host, "alice", TOTP);
        host.enroll("alice", &[]);
        write("sudo", &format!("@include common-auth\n{}{REST}", GOOGLE.replace("required", "sufficient")));
        let output = host.run_twofactor(&ENABLE);
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("sudo keeps /etc/pam.d/sudo:2"), "{}", said(&output));
        assert!(sudo().contains("pam_google_authenticator.so") && sudo().contains("pam_twofactor.so"), "{}", sudo());
        let (status, output) = replace(host, &[]);
        assert_eq!(status, 0, "{output}");
        assert!(!sudo().contains("pam_google_authenticator.so") && sudo().contains("pam_twofactor.so"), "{}", sudo());
    });
}

#[test]
fn lines_on_which_others_depend_stay() {
    host(|host| {
        enroll(host, "alice", TOTP);
        fs::write("/etc/pam.d/common-codes", GOOGLE).unwrap();
        for (auth, words) in [
            ("@include common-auth\n@include common-codes\n".to_owned(), "a file that other services include"),
            (
                format!(
                    "@include common-auth\nauth [success=1 default=ignore] pam_localuser.so\n{GOOGLE}auth required pam_permit.so\n"
                ),
                "jumps past /etc/pam.d/sudo:3",
            ),
            (
                format!("{}auth required pam_unix.so use_first_pass\n", GOOGLE.replace("nullok", "forward_pass")),
                "takes the password that /etc/pam.d/sudo:1",
            ),
        ] {
            write("sudo", &format!("{auth}{REST}"));
            let before = files();
            let (status, output) = replace(host, &[]);
            assert_eq!(status, 7, "{output}");
            assert!(output.contains(words), "{output}");
            assert_eq!(files(), before);
        }
    });
}

#[test]
fn into_a_file_that_was_changed_since_the_line_does_not_come_back() {
    host(|host| {
        enroll(host, "alice", TOTP);
        write("sudo", &format!("@include common-auth\n{GOOGLE}{REST}"));
        assert_eq!(replace(host, &[]).0, 0);
        write("sudo", &format!("{}session optional pam_permit.so\n", sudo()));
        let disabled = said(&host.run_twofactor(&["service", "disable", "sudo", "--yes"]));
        let words = "does not come back: auth required pam_google_authenticator.so nullok";
        assert!(disabled.contains(words), "{disabled}");
        assert!(!sudo().contains("twofactor") && !sudo().contains("google"), "{}", sudo());
    });
}
