//! Runs commands with `--json` and compares what they print with their schemas.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Output;

use jsonschema::Validator;
use serde_json::Value;
use twofactor_tests::private_host::{Host, private_host, said};

use crate::files::Schemas;

/// Compares the outputs of a story.
pub(crate) struct Witness<'h> {
    pub(crate) host: &'h Host,
    validators: &'h BTreeMap<String, Validator>,
    seen: RefCell<BTreeSet<String>>,
}

/// Tells a story in a private host. It must run each of `commands`, and no other.
pub(crate) fn story(commands: &[&str], tell: impl FnOnce(&Witness<'_>) + Send) {
    // The checkout is out of sight in there.
    let validators = Schemas::read().validators();
    private_host(|host| {
        let witness = Witness { host, validators: &validators, seen: RefCell::default() };
        tell(&witness);
        let commands: BTreeSet<String> = commands.iter().map(|command| (*command).to_owned()).collect();
        assert_eq!(*witness.seen.borrow(), commands, "what was run, and what the story says that it runs");
    });
}

impl Witness<'_> {
    /// Runs a command that succeeds.
    #[track_caller]
    pub(crate) fn runs(&self, arguments: &[&str]) -> Value {
        self.ends(0, arguments)
    }

    /// Runs a command that reports something and ends with this exit code.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32, arguments: &[&str]) -> Value {
        let output = self.host.run_twofactor(&[&["--json"], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        let report = serde_json::from_slice(&output.stdout);
        self.compare(arguments, report.unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", said(&output))))
    }

    /// Runs a command that prints one object a line; gives them as the list that `--json` prints.
    #[track_caller]
    pub(crate) fn lines(&self, arguments: &[&str]) -> Value {
        let output = self.host.run_twofactor(&[arguments, &["--json-lines"]].concat());
        assert!(output.status.success(), "{}", said(&output));
        self.compare(arguments, objects(&output))
    }

    #[track_caller]
    pub(crate) fn compare(&self, arguments: &[&str], report: Value) -> Value {
        let command = self.command_of(arguments);
        let errors = self.validators[&command].iter_errors(&report);
        let errors: Vec<String> = errors.map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{arguments:?}: {}\n{report:#}", errors.join("\n"));
        self.seen.borrow_mut().insert(command);
        report
    }

    /// The command in front of the arguments: of one word to three.
    fn command_of(&self, arguments: &[&str]) -> String {
        let mut names = [3, 2, 1].into_iter().filter_map(|count| Some(arguments.get(..count)?.join(" ")));
        names.find(|name| self.validators.contains_key(name)).unwrap_or_else(|| panic!("no schema for {arguments:?}"))
    }
}

fn objects(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str::<Value>(line).expect("one object a line")).collect()
}
