//! `make demo`: the main job. Enroll a user, log in over ssh with password and code, and see the same code refused.

use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::private_host::Host;
use twofactor_tests::ssh::{STACK, Sshd};

use crate::USER;
use crate::transcript::{command, finish, look_around, refused, run, say, show, show_log_of_module, ssh_with, tool};

pub(crate) fn demonstrate(host: &Host) {
    switch_on();
    let sshd = host.sshd("");
    let authenticator = enroll(host);
    let code = log_in(&sshd, &authenticator);
    replay(&sshd, &code);
    show_log_of_module(host);
    run(host, &["status"]);
}

/// The module stands in the PAM service before anybody is enrolled; with `required`, nobody gets in without a code.
fn switch_on() {
    say("A private host with an sshd of its own. Its PAM service asks for the password, then for a code:");
    command("cat /etc/pam.d/sshd");
    print!("{STACK}");
}

/// Enrolls the user at a terminal, as a sysadmin does with the user beside him.
fn enroll(host: &Host) -> Authenticator {
    say("The sysadmin enrolls alice. Her phone scans the QR code and shows a code, which confirms it:");
    let mut terminal = tool(host, &["enroll", USER]);
    let shown = terminal.expect("Code from the app: ");
    show(&shown);
    let uri = shown.lines().find_map(|line| line.strip_prefix("URI: ")).expect("the tool shows the URI");
    let authenticator = Authenticator::from_uri(uri.trim());
    let code = authenticator.code(0);
    println!("[types {code}, which oathtool computed from the secret]");
    terminal.type_line(&code);
    finish(terminal);
    authenticator
}

/// Logs in with password and code, as alice.
fn log_in(sshd: &Sshd<'_>, authenticator: &Authenticator) -> String {
    say("Alice logs in. The code that confirmed the enrollment is burned, so she takes the next one:");
    let code = authenticator.code(1);
    look_around(ssh_with(sshd, &code));
    code
}

/// Somebody who has her password and looked over her shoulder tries the same code.
fn replay(sshd: &Sshd<'_>, code: &str) {
    say("Somebody who has her password and saw that code tries it right after her:");
    refused(ssh_with(sshd, code));
}
