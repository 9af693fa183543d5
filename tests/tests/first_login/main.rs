//! The first login of somebody who has no second factor, and what the policy asks of whom: the real module in real sshd,
//! login, su and sudo, and in the real libpam where no more than that is asked about.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod console;
mod decision;
mod fobs;
mod guarantee;
mod interrupted;
mod invitations;
mod notices;
mod remembered;
mod rules;
mod services;
mod ssh;

use std::path::Path;

use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::pam::{Event, Login, Outcome};
use twofactor_tests::private_host::{Host, PASSWORD};
use twofactor_tests::ssh::{Client, Sshd};
use twofactor_tests::terminal::Terminal;

/// A service in which a second factor can be set up.
const STACK: &str = "\
auth required pam_unix.so nodelay
auth required pam_twofactor.so
account required pam_unix.so
account required pam_twofactor.so
session required pam_permit.so
";

const ENROLL: &str = "[default]\nsecond_factor = \"enroll\"\n";

/// Asked below the QR code.
const CONFIRM: &str = "Code from the app: ";
/// Asked of who is enrolled.
const CODE: &str = "Verification code: ";

/// Configures the host and makes the folders of an empty store, as the package does.
fn configure(host: &Host, text: &str) {
    host.configure(text);
    host.succeed("install", ["-d", "-m", "0700", "/var/lib/twofactor", "/var/lib/twofactor/users"]);
}

/// A service for `pam-login` with nothing but us, and with an account line. The module looks for that where applications do.
fn module_alone(host: &Host, name: &str, arguments: &str) {
    let lines = format!("auth required pam_twofactor.so {arguments}\naccount required pam_twofactor.so {arguments}\n");
    host.service(name, &lines);
    host.system_service(name, &lines);
}

/// An ssh client that says whatever sshd says.
fn client(user: &str) -> Client<'_> {
    let options = &["PreferredAuthentications=keyboard-interactive", "LogLevel=INFO"];
    Client { user, password: PASSWORD, code: "", options }
}

/// What somebody is shown who has to set up an app.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offer {
    /// The app that was set up with it.
    app: Authenticator,
    /// As it was shown.
    uri: String,
}

impl Offer {
    /// The last one in a text. Secret and URI must be of the same app.
    #[track_caller]
    fn read(text: &str) -> Self {
        let last = |start: &str| text.lines().rev().find_map(|line| line.trim_end().strip_prefix(start));
        let secret = last("Secret: ").unwrap_or_else(|| panic!("no secret was shown:\n{text}"));
        let uri = last("otpauth://").unwrap_or_else(|| panic!("no URI was shown:\n{text}"));
        let uri = format!("otpauth://{uri}");
        let app = Authenticator::from_uri(&uri);
        assert_eq!(secret.replace(' ', ""), app.secret, "secret and URI are of one app");
        assert!(secret.split(' ').all(|group| group.len() <= 4), "in groups of four: {secret}");
        Self { app, uri }
    }
}

/// Types the password at a client's terminal and reads what is offered.
#[track_caller]
fn offered(terminal: &mut Terminal) -> Offer {
    terminal.expect("assword: ");
    terminal.type_line(PASSWORD);
    Offer::read(&terminal.expect(CONFIRM))
}

/// Sets up an app over ssh, whatever the account was, and gives it.
#[track_caller]
fn enrolled_over_ssh(sshd: &Sshd<'_>, user: &str) -> Authenticator {
    let mut terminal = sshd.terminal(&client(user));
    let offer = offered(&mut terminal);
    terminal.type_line(&offer.app.code(0));
    terminal.expect("Your second factor is set up.");
    terminal.expect("$ ");
    offer.app
}

/// The recovery codes in a text.
fn recovery_codes(text: &str) -> Vec<String> {
    let code = |word: &&str| word.len() == 19 && word.split('-').all(|group| group.parse::<u16>().is_ok());
    text.split_whitespace().filter(code).map(str::to_owned).collect()
}

/// Nothing is stored that could open a session.
#[track_caller]
fn assert_not_enrolled(host: &Host, user: &str) {
    assert!(!Path::new("/var/lib/twofactor/users").join(user).join("secret.toml").exists(), "{user} has credentials");
    let enrolled =
        host.module_log().into_iter().find(|line| line.contains(": enrolled") || line.contains(": registered"));
    assert_eq!(enrolled, None);
    let status = host.run_twofactor(&["status", user]);
    assert_eq!(status.status.code(), Some(3), "{}", String::from_utf8_lossy(&status.stdout));
}

/// Goes through a login through libpam; `answer` is given the prompt and all that was shown so far.
#[track_caller]
fn conversing(login: Login<'_>, mut answer: impl FnMut(&str, &str) -> String) -> Outcome {
    let mut running = login.start();
    while let Event::Prompt(prompt) = running.advance() {
        let shown = running.so_far().texts().join("\n");
        running.answer(&(&answer(&prompt.text, &shown)).into());
    }
    let outcome = running.outcome();
    running.finish();
    outcome
}

/// Goes through a login in which nobody knows an answer. Nothing of it is counted.
#[track_caller]
fn clueless(login: Login<'_>) -> Outcome {
    conversing(login, |_, _| String::new())
}

/// Sets up what is offered at the first prompt.
#[track_caller]
fn confirming(login: Login<'_>) -> Outcome {
    conversing(login, |_, shown| Offer::read(shown).app.code(0))
}
