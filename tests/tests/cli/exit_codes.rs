//! The exit codes of the manual, one test a code, and errors that say what to do.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Output;

use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::terminal::{Size, Terminal};

use crate::{stderr, stdout};

#[track_caller]
fn assert_fails(host: &Host, arguments: &[&str], status: i32, words: &[&str]) -> Output {
    let output = host.run_twofactor(arguments);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
    let errors = stderr(&output);
    for word in words {
        assert!(errors.contains(word), "{arguments:?} should say {word:?}: {errors}");
    }
    host.fits_as(arguments, &output);
    output
}

#[test]
fn zero_is_done() {
    private_host(|host| {
        host.user_with_app("alice");
        for arguments in [
            &["status"][..],
            &["status", "alice"],
            &["unlock", "alice"],
            &["config", "show"],
            &["--help"],
            &["--version"],
        ] {
            assert_eq!(host.run_twofactor(arguments).status.code(), Some(0), "{arguments:?}");
        }
    });
}

#[test]
fn one_is_a_store_that_cannot_be_read_or_written() {
    private_host(|host| {
        host.user_with_app("alice");
        fs::write("/var/lib/twofactor/users/alice/secret.toml", "garbage").unwrap();
        let output =
            assert_fails(host, &["status", "alice"], 1, &["twofactor: error: ", "secret.toml:1:", "twofactor: hint: "]);
        assert_eq!(stdout(&output), "");
    });
}

#[test]
fn two_is_usage() {
    private_host(|host| {
        for arguments in
            [&["enrol", "alice"][..], &["enroll"], &["enroll", "alice", "--digits", "9"], &["--jsn", "status"]]
        {
            assert_fails(host, arguments, 2, &[]);
        }
        assert_fails(host, &["enrol", "alice"], 2, &["enroll"]);
    });
}

#[test]
fn three_is_no_such_user() {
    private_host(|host| {
        host.add_user("alice");
        assert_fails(host, &["enroll", "nobody-here"], 3, &["there is no user \"nobody-here\"", "twofactor: hint: "]);
        for command in ["status", "unlock", "recovery"] {
            assert_fails(host, &[command, "alice"], 3, &["alice is not enrolled", "twofactor enroll alice"]);
        }
        assert_fails(host, &["verify", "alice", ANY_CODE], 3, &["alice is not enrolled"]);
        assert_fails(host, &["reset", "alice", "--yes"], 3, &["alice is not enrolled"]);
        assert_fails(host, &["enroll", "../alice"], 3, &[]);
    });
}

#[test]
fn four_is_not_permitted() {
    private_host(|host| {
        host.user_with_app("alice");
        // Of one's own, users without root ask the broker.
        let mut command = host.twofactor(&["status", "--missing"]);
        let output = command.uid(65534).gid(65534).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{}", said(&output));
        assert!(stderr(&output).contains("hint: run it with sudo"), "{}", said(&output));
        fs::set_permissions("/var/lib/twofactor/users/alice/secret.toml", Permissions::from_mode(0o666)).unwrap();
        assert_fails(host, &["status", "alice"], 4, &["secret.toml", "chmod"]);
    });
}

#[test]
fn five_is_a_code_that_is_wrong() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        assert_fails(host, &["verify", "alice", &alice.wrong_code()], 5, &["would be refused", "wrong-code"]);
        assert_fails(host, &["verify", "alice"], 5, &["no code was given"]);
        for nothing in ["12", "letters", "123456789"] {
            let words = ["would be refused: that is no code (wrong-code)", "hint: a code has 6 to 8 digits"];
            assert_fails(host, &["verify", "alice", nothing], 5, &words);
        }
        let secret = host.place("secret");
        fs::write(&secret, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP").unwrap();
        let second =
            ["enroll", "alice", "--label", "second", "--secret-file", secret.to_str().unwrap(), "--qr", "none"];
        assert_fails(host, &second, 5, &["not confirmed; nothing was changed"]);
    });
}

#[test]
fn seven_is_refused_with_the_option_that_overrides() {
    private_host(|host| {
        host.user_with_app("alice");
        assert_fails(host, &["enroll", "alice"], 7, &["alice already has a token \"app\"", "--replace"]);
        assert_fails(host, &["reset", "alice"], 7, &["--yes"]);
    });
}

#[test]
fn eight_is_an_invalid_input_file() {
    private_host(|host| {
        host.add_user("alice");
        let path = host.place("secret");
        fs::write(&path, "0123456789").unwrap();
        assert_fails(host, &["enroll", "alice", "--secret-file", path.to_str().unwrap()], 8, &["not base32"]);
        fs::write(&path, "JBSWY3DP").unwrap();
        assert_fails(host, &["enroll", "alice", "--secret-file", path.to_str().unwrap()], 8, &["5 bytes"]);
    });
}

#[test]
fn nine_is_an_invalid_configuration_and_every_problem_is_named() {
    private_host(|host| {
        host.add_user("alice");
        host.configure("[window]\ndrfit = \"60s\"\n[prompt]\ntries = 9\n");
        let words = ["twofactor.toml:2:1: unknown key drfit; did you mean drift?", "twofactor.toml:4:9"];
        for arguments in [&["config", "check"][..], &["config", "show"], &["status"], &["enroll", "alice"]] {
            assert_fails(host, arguments, 9, &words);
        }
        for path in ["/nowhere.toml", "/no/such/folder/twofactor.toml"] {
            for command in [&["status"][..], &["config", "check"], &["enroll", "alice", "--no-confirm"]] {
                let output = host.run_twofactor(&[&["--config", path], command].concat());
                let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(output.status.code(), Some(9), "{complaint}");
                assert!(complaint.contains(&format!("{path} does not exist")), "{complaint}");
                assert!(!complaint.contains("regular file"), "{complaint}");
            }
        }
        fs::remove_file("/etc/twofactor/twofactor.toml").unwrap();
        assert!(host.run_twofactor(&["config", "check"]).status.success());
    });
}

#[test]
fn an_unsafe_configuration_is_not_permitted() {
    private_host(|host| {
        host.configure("");
        fs::set_permissions("/etc/twofactor/twofactor.toml", Permissions::from_mode(0o666)).unwrap();
        assert_fails(host, &["status"], 4, &["twofactor.toml", "chmod"]);
    });
}

#[test]
fn what_is_no_number_is_said_to_be_none() {
    private_host(|host| {
        for typed in ["x", "0", "100001"] {
            assert_fails(host, &["log", "-n", typed], 2, &["not a number from 1 to 100000"]);
        }
    });
}

#[test]
fn messages_are_wrapped_at_words_on_a_terminal_and_whole_in_a_pipe() {
    private_host(|host| {
        host.configure("");
        let arguments = ["unlock", "nobody-of-this-name-is-known-to-this-host-which-knows-a-few"];
        let output = host.run_twofactor(&arguments);
        assert_eq!(stderr(&output).lines().count(), 2, "{}", said(&output));
        let mut terminal = Terminal::start(&host.twofactor(&arguments), Size { columns: 60, lines: 24 });
        assert!(!terminal.wait().success());
        let screen = terminal.shown();
        assert!(screen.contains("twofactor: error: there is no user\r\n"), "{screen}");
    });
}

#[test]
fn errors_of_what_somebody_typed_hold_no_escape_sequences() {
    private_host(|host| {
        let output = host.run_twofactor(&["enroll", "al\u{1b}[2Jice"]);
        assert_eq!(output.status.code(), Some(3));
        assert!(!stderr(&output).contains('\u{1b}'), "{}", said(&output));
    });
}
