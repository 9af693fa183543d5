//! A login whose answers are all written beforehand, for processes that may end at any moment.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::process::Command;

use serde_json::Value;
use twofactor_tests::private_host::{Host, said};

use crate::deadline;

/// A stack in which other modules succeed, so that a module which is ignored by mistake lets in.
pub(crate) const CHAIN: &str = "chain";

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Accepted,
    Refused,
    /// The process ended without a word about it.
    Silent,
    /// It did not end.
    Hung,
}

/// Writes the service [`CHAIN`].
pub(crate) fn chain(host: &Host) {
    host.service(
        CHAIN,
        "auth required pam_permit.so\nauth required pam_twofactor.so\nauth required pam_permit.so\n\
         account required pam_permit.so\n",
    );
}

/// Ends what `command` begins with a login at [`CHAIN`]: `pam-login` itself, or `pam-login` in strace.
pub(crate) fn at_chain(host: &Host, mut command: Command, user: &str, answer: &str) -> End {
    let arguments = ["--service", CHAIN, "--user", user, "--rhost", "192.0.2.7", "--calls", "authenticate,account"];
    command.args(["--confdir", &host.confdir()]).args(arguments);
    answered(host, command, &[answer])
}

/// Runs an application with these answers, and reads how its login ended.
pub(crate) fn answered(host: &Host, mut command: Command, answers: &[&str]) -> End {
    let script: String = answers.iter().map(|answer| line(answer)).collect();
    let path = host.place("answers");
    fs::write(&path, script).unwrap();
    command.stdin(File::open(&path).unwrap());
    let Ok(output) = deadline::output(command) else { return End::Hung };
    ended(&output.stdout).unwrap_or_else(|| panic!("not a report: {}", said(&output)))
}

/// How pam-login takes an answer.
pub(crate) fn line(answer: &str) -> String {
    let hex = answer.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("answer {hex}\n")
}

/// The end of a login as pam-login reports it; the last line may be cut off.
pub(crate) fn ended(report: &[u8]) -> Option<End> {
    let text = String::from_utf8_lossy(report);
    let mut results = Vec::new();
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let event: Value = serde_json::from_str(line).ok()?;
        if event["event"] == "result" {
            results.push(event["code"].as_i64()?);
        }
    }
    Some(match results.as_slice() {
        [] => End::Silent,
        codes if codes.iter().all(|code| *code == 0) => End::Accepted,
        _ => End::Refused,
    })
}

/// The module's last lines in the log, for the story of a failure.
pub(crate) fn last_words(host: &Host) -> String {
    let lines = host.module_log();
    lines[lines.len().saturating_sub(6)..].join("\n")
}
