//! The arguments of a PAM line: `conf=FILE`, `debug`, `nullok`, or `first_factor=WORD` alone. Anything else is an error.

use std::path::PathBuf;

use crate::config::settings::{DEFAULT_PATH, Expected};
use crate::pam_service::first_factor::FirstFactor;

/// The argument `debug`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Events only.
    Normal,
    /// Decisions too; never a secret, a code or a password.
    Debug,
}

/// The arguments as meant, and everything wrong with them.
#[derive(Debug)]
pub struct Arguments {
    /// `conf=FILE`.
    pub conf: PathBuf,
    /// The expectation of that file: it must be there when the line names it.
    pub expected: Expected,
    /// `debug`.
    pub verbosity: Verbosity,
    /// `nullok`.
    pub null_ok: NullOk,
    /// `first_factor=WORD`: the line notes that and asks for nothing.
    pub notes: Option<FirstFactor>,
    /// One sentence for every argument that means nothing to us.
    pub problems: Vec<String>,
    /// The number of arguments so far.
    count: usize,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            conf: PathBuf::from(DEFAULT_PATH),
            expected: Expected::Perhaps,
            verbosity: Verbosity::Normal,
            null_ok: NullOk::No,
            notes: None,
            problems: Vec::new(),
            count: 0,
        }
    }
}

impl Arguments {
    /// Reads all arguments, also after the first mistake.
    pub fn parse<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut parsed = Self::default();
        arguments.into_iter().for_each(|argument| parsed.take(argument));
        parsed
    }

    /// Reads one more argument.
    pub fn take(&mut self, argument: &str) {
        self.count += 1;
        match argument.split_once('=') {
            Some(("conf", _)) if self.expected == Expected::Certainly => {
                self.problems.push("conf= is there twice".to_owned());
            }
            Some(("conf", path)) if path.starts_with('/') => {
                self.conf = PathBuf::from(path);
                self.expected = Expected::Certainly;
            }
            Some(("conf", _)) => self.problems.push("conf= takes an absolute path".to_owned()),
            Some((FirstFactor::KEY, word)) => match FirstFactor::of(word) {
                Some(first_factor) => self.notes = Some(first_factor),
                None => self.problems.push(format!("{}= takes unknown or failed", FirstFactor::KEY)),
            },
            None if argument == "debug" => self.verbosity = Verbosity::Debug,
            None if argument == "nullok" => self.null_ok = NullOk::Yes,
            _ => {
                let near = KNOWN.into_iter().find(|known| strsim::jaro_winkler(argument, known) > 0.8);
                let meant = near.map_or_else(String::new, |known| format!("; did you mean {known}?"));
                self.problems.push(format!("unknown argument {argument}{meant}"));
            }
        }
        if self.count > 1 && self.notes.take().is_some() {
            self.problems.push(format!("{}= stands alone on its line", FirstFactor::KEY));
        }
    }
}

/// The arguments that a line can have, for the message about a mistyped one.
const KNOWN: [&str; 4] = ["conf=", "debug", "first_factor=", "nullok"];

/// The `nullok` argument of a PAM line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NullOk {
    /// `required` means required.
    #[default]
    No,
    /// `required` means `optional` on this line.
    Yes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_that_means_nothing_is_named() {
        let parsed = Arguments::parse(["nullok", "conf=/a", "conf=/b", "conf=c", "debug=1", "nullok "]);
        assert_eq!((parsed.conf.to_str(), parsed.null_ok), (Some("/a"), NullOk::Yes));
        assert_eq!((parsed.verbosity, parsed.expected), (Verbosity::Normal, Expected::Certainly));
        let problems = ["conf= is there twice"; 2].map(str::to_owned).into_iter();
        let problems = problems.chain([
            "unknown argument debug=1; did you mean debug?".to_owned(),
            "unknown argument nullok ; did you mean nullok?".to_owned(),
        ]);
        assert_eq!(parsed.problems, problems.collect::<Vec<_>>());
        assert_eq!(Arguments::parse(["conf=etc"]).problems, ["conf= takes an absolute path"]);
    }

    #[test]
    fn a_line_notes_something_only_where_that_is_all_it_says() {
        let notes = |arguments: &[&str]| Arguments::parse(arguments.iter().copied()).notes;
        assert_eq!(notes(&["first_factor=failed"]), Some(FirstFactor::Failed));
        assert_eq!(notes(&["first_factor=unknown"]), Some(FirstFactor::Unknown));
        for wrong in [
            &["first_factor=right"][..],
            &["first_factor=failed", "nullok"],
            &["conf=/a", "first_factor=failed"],
            &["first_factor=failed", "first_factor=unknown"],
        ] {
            let parsed = Arguments::parse(wrong.iter().copied());
            assert_eq!((parsed.notes, parsed.problems.len()), (None, 1), "{wrong:?}: {:?}", parsed.problems);
        }
    }
}
