//! `make demo`: the main job, for real, in a private host: enroll a user, log in over ssh with password and code, and see
//! the same code refused. Prints what a person at the terminals would see, and the log.
//!
//! Nothing of this machine is changed: users, `/etc`, network, processes and devices are private, and end with it.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a demonstration prints, and fails loudly")]

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use twofactor_tests::artifacts::{self, Profile};
use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::private_host::{self, Host, PASSWORD};
use twofactor_tests::requirements;
use twofactor_tests::ssh::{Client, STACK, Sshd};
use twofactor_tests::terminal::{Size, Terminal};

const USER: &str = "alice";

/// What a terminal shows usually, but tall enough for a QR code with what stands around it.
const SCREEN: Size = Size { columns: 80, lines: 48 };

fn main() -> ExitCode {
    if !requirements::met() {
        return ExitCode::FAILURE;
    }
    let started = Instant::now();
    let artifacts = artifacts::build(Profile::Release);
    private_host::run(&artifacts, |host| {
        host.add_user(USER);
        host.succeed("install", ["-d", "-m", "0700", "/var/lib/twofactor", "/var/lib/twofactor/users"]);
        switch_on();
        let sshd = host.sshd("");
        let authenticator = enroll(host);
        let code = log_in(&sshd, &authenticator);
        replay(&sshd, &code);
        show_log(host);
    });
    let seconds = started.elapsed().as_secs_f32();
    say(&format!("{seconds:.1} s, a real sshd and the real module. Nothing on this machine was changed."));
    ExitCode::SUCCESS
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
    command("twofactor enroll alice");
    let mut tool = host.twofactor(&["enroll", USER]);
    if !std::io::stdout().is_terminal() {
        tool.env("NO_COLOR", "1");
    }
    let mut terminal = Terminal::start(&tool, SCREEN);
    let shown = terminal.expect("Code from the app: ");
    show(&shown);
    let uri = shown.lines().find_map(|line| line.strip_prefix("URI: ")).expect("the tool shows the URI");
    let authenticator = Authenticator::from_uri(uri.trim());
    let code = authenticator.code(0);
    // It is not shown while it is typed, so the transcript says it.
    println!("[types {code}, which oathtool computed from the secret]");
    terminal.type_line(&code);
    assert!(terminal.wait().success(), "the enrollment failed:\n{}", terminal.shown());
    show(&terminal.rest());
    authenticator
}

/// Logs in with password and code, as alice.
fn log_in(sshd: &Sshd<'_>, authenticator: &Authenticator) -> String {
    say("Alice logs in. The code that confirmed the enrollment is burned, so she takes the next one:");
    let code = authenticator.code(1);
    let mut session = client(sshd, &code);
    session.expect("$ ");
    session.type_line("id -un; hostname; exit");
    session.wait();
    show(&format!("$ {}", session.rest()));
    code
}

/// Somebody who has her password and looked over her shoulder tries the same code.
fn replay(sshd: &Sshd<'_>, code: &str) {
    say("Somebody who has her password and saw that code tries it right after her:");
    let mut session = client(sshd, code);
    let status = session.wait();
    show(&session.rest());
    assert!(!status.success(), "the same code opened a second session");
}

/// Answers the two prompts of an ssh client.
fn client(sshd: &Sshd<'_>, code: &str) -> Terminal {
    command("ssh alice@127.0.0.1");
    let mut session = sshd.terminal(&Client { user: USER, password: PASSWORD, code, options: &[] });
    show(&session.expect("assword: "));
    println!("[types her password]");
    session.type_line(PASSWORD);
    show(session.expect("code: ").trim_start());
    println!("[types {code}]");
    session.type_line(code);
    session
}

fn show_log(host: &Host) {
    say("What the module wrote to the log:");
    command("journalctl -t sshd | grep pam_twofactor");
    for line in host.module_log() {
        println!("{line}");
    }
    let status = host.succeed("twofactor", ["status"]);
    command("twofactor status");
    print!("{status}");
}

fn say(words: &str) {
    println!("\n--- {words}\n");
}

fn command(line: &str) {
    println!("# {line}");
}

/// Shows what a terminal showed, without its carriage returns.
fn show(text: &str) {
    print!("{}", text.replace('\r', ""));
    let _ = std::io::stdout().flush();
}
