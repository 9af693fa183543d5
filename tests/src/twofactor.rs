//! The tool `twofactor` in a private host, and the tokens it makes.

use std::cell::{Cell, RefCell};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::oathtool::Authenticator;
use crate::private_host::{Host, said};

/// An enrollment as its owner sees it: what the app or fob holds, and the recovery codes on paper.
#[derive(Debug)]
pub struct Enrollment {
    /// The app or fob.
    pub authenticator: Authenticator,
    /// The otpauth URI.
    pub uri: String,
    /// The recovery codes as they were shown.
    pub recovery_codes: Vec<String>,
    next: Cell<u64>,
    wrong: RefCell<Vec<String>>,
}

impl Host {
    /// The tool with these arguments.
    pub fn twofactor(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("twofactor");
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the tool, whatever comes of it.
    pub fn run_twofactor(&self, arguments: &[&str]) -> Output {
        self.twofactor(arguments).output().unwrap()
    }

    /// Runs the tool with `--json`; it must succeed.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run_twofactor(&[&["--json"], arguments].concat());
        assert!(output.status.success(), "twofactor --json {}: {}", arguments.join(" "), said(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)))
    }

    /// Makes a user with an app that shows codes by time.
    pub fn user_with_app(&self, user: &str) -> Enrollment {
        self.add_user(user);
        self.enroll(user, &[])
    }

    /// Makes a user with a counter token, whose codes never run out.
    pub fn user_with_fob(&self, user: &str) -> Enrollment {
        self.add_user(user);
        self.enroll(user, &["--counter"])
    }

    /// Enrolls a user without asking for a code.
    #[track_caller]
    pub fn enroll(&self, user: &str, options: &[&str]) -> Enrollment {
        let shown = self.json(&[&["enroll", user, "--no-confirm"], options].concat());
        let uri = shown["uri"].as_str().expect("a URI").to_owned();
        let codes = shown["recovery_codes"].as_array().into_iter().flatten();
        Enrollment {
            authenticator: Authenticator::from_uri(&uri),
            recovery_codes: codes.map(|code| code.as_str().expect("a code").to_owned()).collect(),
            uri,
            next: Cell::new(0),
            wrong: RefCell::default(),
        }
    }

    /// Counted wrong codes of a user.
    #[track_caller]
    pub fn failures(&self, user: &str) -> u64 {
        let status = self.json(&["status", user]);
        failures(&status).unwrap_or_else(|| panic!("status says nothing of failures: {status}"))
    }
}

/// The number called `failures`, wherever it stands.
fn failures(value: &Value) -> Option<u64> {
    match value {
        Value::Object(members) => {
            members.get("failures").and_then(Value::as_u64).or_else(|| members.values().find_map(failures))
        }
        Value::Array(items) => items.iter().find_map(failures),
        _ => None,
    }
}

impl Enrollment {
    /// The fob's next code.
    pub fn next_code(&self) -> String {
        let counter = self.next.replace(self.next.get() + 1);
        self.authenticator.counter_codes(counter, 1).remove(0)
    }

    /// The app's code of now.
    pub fn code(&self) -> String {
        self.authenticator.code(0)
    }

    /// A code that is not right now or soon, another one at every call.
    pub fn wrong_code(&self) -> String {
        let mut given = self.wrong.borrow_mut();
        let code = self.authenticator.wrong_codes().find(|code| !given.contains(code)).expect("wrong codes are many");
        given.push(code.clone());
        code
    }
}
