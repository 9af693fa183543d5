//! The tool `twofactor` in processes of ordinary users.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Output, Stdio};

use nix::unistd::User;

use crate::oathtool::Authenticator;
use crate::private_host::Host;

impl Host {
    /// The tool with these arguments in a process of `user`.
    pub fn twofactor_of(&self, user: &str, arguments: &[&str]) -> Command {
        let user = User::from_name(user).expect("a look-up").expect("a user");
        let mut command = self.command("setpriv");
        let ids = [format!("--reuid={}", user.uid), format!("--regid={}", user.gid)];
        command.args(ids).args(["--clear-groups", "twofactor"]).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs it with lines of standard input.
    pub fn run_twofactor_of(&self, user: &str, arguments: &[&str], lines: &str) -> Output {
        let mut command = self.twofactor_of(user, arguments);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("setpriv runs");
        // A command that asks nothing takes nothing.
        let _ = process.stdin.take().expect("a pipe").write_all(lines.as_bytes());
        process.wait_with_output().expect("it ends")
    }
}

/// Runs a command that shows a secret on standard error: types `before` it is shown, and then the answers.
pub fn answering_for_the_secret(
    mut command: Command,
    before: &str,
    answers: impl FnOnce(&Authenticator) -> String,
) -> (Authenticator, Output) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("the command runs");
    let mut input = process.stdin.take().expect("a pipe");
    input.write_all(before.as_bytes()).expect("it reads");
    let mut shown = BufReader::new(process.stderr.take().expect("a pipe"));
    let mut text = String::new();
    while !text.contains("URI: ") {
        assert!(shown.read_line(&mut text).expect("text") > 0, "no URI was shown: {text}");
    }
    let app = Authenticator::shown_in(&text);
    input.write_all(answers(&app).as_bytes()).expect("it reads");
    drop(input);
    let mut rest = Vec::new();
    shown.read_to_end(&mut rest).expect("text");
    let mut output = process.wait_with_output().expect("it ends");
    output.stderr = [text.into_bytes(), rest].concat();
    (app, output)
}
