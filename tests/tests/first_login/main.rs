//! The first login of somebody who has no second factor, and what the policy asks of whom: the real module in real sshd,
//! login, su and sudo, and in the real libpam where no more than that is asked about.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod clients;
mod cockpit;
mod console;
mod decision;
mod disks;
mod expired;
mod factors;
mod fobs;
mod guarantee;
mod interrupted;
mod invitations;
mod notices;
mod other_clients;
mod remembered;
mod rules;
mod rules_in_doubt;
mod rules_over_ssh;
mod services;
mod ssh;
mod strangers;

use std::path::Path;

use twofactor_tests::first_login::{
    CODE, CONFIRM, ENROLL, INVITATION, INVITED, ONCE_MORE, Offer, STACK, WRITE_DOWN, client, recovery_codes, write_down,
};
use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::pam::{Login, Outcome};
use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::ssh::Sshd;
use twofactor_tests::terminal::Terminal;

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

/// What the sysadmin gives to the user.
fn invite(host: &Host, user: &str) -> String {
    let invited = host.json(&["invite", user]);
    invited["invitation"].as_str().expect("an invitation").to_owned()
}

/// Types the password at a client's terminal and reads what is offered.
#[track_caller]
fn offered(terminal: &mut Terminal) -> Offer {
    terminal.expect("assword: ");
    terminal.type_line(PASSWORD);
    Offer::read(&terminal.expect(CONFIRM))
}

/// The same where a secret was kept.
#[track_caller]
fn offered_again(terminal: &mut Terminal) -> Offer {
    terminal.expect("assword: ");
    terminal.type_line(PASSWORD);
    terminal.expect(ONCE_MORE);
    terminal.type_line("");
    Offer::read(&terminal.expect(CONFIRM))
}

/// Sets up an app over ssh, whatever the account was, and gives it.
#[track_caller]
fn enrolled_over_ssh(sshd: &Sshd<'_>, user: &str) -> Authenticator {
    let mut terminal = sshd.terminal(&client(user));
    let offer = offered(&mut terminal);
    terminal.type_line(&offer.app.code(0));
    terminal.expect("Your second factor is set up.");
    write_down(&mut terminal);
    terminal.expect("$ ");
    offer.app
}

/// Nothing is stored that could open a session.
#[track_caller]
fn assert_not_enrolled(host: &Host, user: &str) {
    assert!(!Path::new("/var/lib/twofactor/users").join(user).join("secret.toml").exists(), "{user} has credentials");
    let enrolled =
        host.module_log().into_iter().find(|line| line.contains(": enrolled") || line.contains(": registered"));
    assert_eq!(enrolled, None);
    let status = host.run_twofactor(&["status", user]);
    assert_eq!(status.status.code(), Some(3), "{}", said(&status));
}

/// Goes through a login through libpam; `answer` is given the prompt and all that was shown so far.
#[track_caller]
fn conversing(login: Login<'_>, answer: impl FnMut(&str, &str) -> String) -> Outcome {
    login.conversing(answer)
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
