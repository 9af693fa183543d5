//! What is printed: words about it, commands, and what the terminals show.

use std::io::{IsTerminal as _, Write as _};

use twofactor_tests::first_login::WRITE_DOWN;
use twofactor_tests::private_host::{Host, PASSWORD};
use twofactor_tests::ssh::{Client, Sshd};
use twofactor_tests::terminal::{Size, Terminal};

use crate::USER;

/// What a terminal shows usually, but tall enough for a QR code with what stands around it.
const SCREEN: Size = Size { columns: 80, lines: 48 };

pub(crate) fn say(words: &str) {
    println!("\n--- {words}\n");
}

pub(crate) fn command(line: &str) {
    println!("# {line}");
}

/// What a terminal is sent to erase the line, such as a bar that shows progress.
const ERASE: &str = "\u{1b}[2K";

/// Shows what a terminal showed, without its carriage returns and what it erased.
pub(crate) fn show(text: &str) {
    for line in text.split_inclusive('\n') {
        let left = line.rsplit(ERASE).next().unwrap_or(line);
        print!("{}", left.replace('\r', ""));
    }
    let _ = std::io::stdout().flush();
}

/// Shows the same with one line in the place of a QR code.
pub(crate) fn show_without_picture(text: &str) {
    let drawn = |line: &str| line.starts_with('█') && line.chars().all(|glyph| matches!(glyph, '█' | '▀' | '▄' | ' '));
    let mut text_without = String::new();
    let mut in_picture = false;
    for line in text.split_inclusive('\n') {
        match (drawn(line.trim_end()), in_picture) {
            (true, false) => text_without.push_str("[a QR code]\n"),
            (true, true) => {}
            (false, _) => text_without.push_str(line),
        }
        in_picture = drawn(line.trim_end());
    }
    show(&text_without);
}

/// Answers a question, when it comes.
pub(crate) fn answer(session: &mut Terminal, question: &str, text: &str, how: &str) {
    show_without_picture(session.expect(question).trim_start());
    typed(how);
    session.type_line(text);
}

/// Shows the recovery codes and presses Enter, as a user does who has written them down.
pub(crate) fn write_down(session: &mut Terminal) {
    show(session.expect(WRITE_DOWN).trim_start());
    typed("Enter");
    session.type_line("");
}

/// The policy, as the sysadmin reads it.
pub(crate) fn configure(host: &Host, text: &str) {
    host.configure(text);
    command("cat /etc/twofactor/twofactor.toml");
    print!("{text}");
}

/// The user has been here before, so her client has nothing to say about the host's key.
pub(crate) fn know_the_host(host: &Host) {
    let key = std::fs::read_to_string(host.place("host_key.pub")).expect("sshd has a key");
    std::fs::write("/etc/ssh/ssh_known_hosts", format!("127.0.0.1 {key}")).expect("a private /etc");
}

/// It is not shown while it is typed, so the transcript says it.
pub(crate) fn typed(what: &str) {
    println!("[types {what}]");
}

/// The tool at the sysadmin's terminal.
pub(crate) fn tool(host: &Host, arguments: &[&str]) -> Terminal {
    command(&format!("twofactor {}", arguments.join(" ")));
    let mut tool = host.twofactor(arguments);
    if !std::io::stdout().is_terminal() {
        tool.env("NO_COLOR", "1");
    }
    Terminal::start(&tool, SCREEN)
}

/// The end of a tool that must succeed.
pub(crate) fn finish(mut tool: Terminal) {
    assert!(tool.wait().success(), "the tool failed:\n{}", tool.shown());
    show(&tool.rest());
}

/// The tool where it asks nothing.
pub(crate) fn run(host: &Host, arguments: &[&str]) {
    finish(tool(host, arguments));
}

/// An ssh client with these options that has answered the prompt for the password.
pub(crate) fn ssh(sshd: &Sshd<'_>, options: &[&str]) -> Terminal {
    command(&format!("ssh {USER}@127.0.0.1"));
    let mut session = sshd.terminal(&Client { user: USER, password: PASSWORD, code: "", options });
    show(&session.expect("assword: "));
    typed("her password");
    session.type_line(PASSWORD);
    session
}

/// An ssh client that has answered the prompts for password and code.
pub(crate) fn ssh_with(sshd: &Sshd<'_>, code: &str) -> Terminal {
    let mut session = ssh(sshd, &[]);
    show(session.expect("code: ").trim_start());
    typed(code);
    session.type_line(code);
    session
}

/// The login succeeded: looks around in the session and ends it.
pub(crate) fn look_around(mut session: Terminal) {
    let before = session.expect("$ ");
    show(before.trim_start());
    session.type_line("id -un; hostname; exit");
    session.wait();
    show(&session.rest());
}

/// The login is refused.
pub(crate) fn refused(mut session: Terminal) {
    let status = session.wait();
    show(&session.rest());
    assert!(!status.success(), "a code opened a second session");
}

/// The lines the module and the tool wrote to the log.
pub(crate) fn show_log(host: &Host) {
    say("What was written to the log:");
    command("journalctl -g twofactor");
    let ours = host.log().into_iter().map(|line| line.text).filter(|text| text.contains("twofactor"));
    ours.for_each(|text| println!("{text}"));
}

/// The log of the module alone.
pub(crate) fn show_log_of_module(host: &Host) {
    say("What the module wrote to the log:");
    command("journalctl -t sshd | grep pam_twofactor");
    host.module_log().iter().for_each(|line| println!("{line}"));
}
