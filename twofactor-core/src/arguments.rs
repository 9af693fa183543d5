//! The arguments of a PAM line: `conf=FILE`, `debug`, `nullok`. Anything else is an error.

use std::path::PathBuf;

use crate::config::{DEFAULT_PATH, Expected};
use crate::policy::NullOk;

/// Whether the line asked for `debug`.
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
    /// Whether that file has to be there: it must when the line names it.
    pub expected: Expected,
    /// `debug`.
    pub verbosity: Verbosity,
    /// `nullok`.
    pub null_ok: NullOk,
    /// One sentence for every argument that means nothing to us.
    pub problems: Vec<String>,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            conf: PathBuf::from(DEFAULT_PATH),
            expected: Expected::Perhaps,
            verbosity: Verbosity::Normal,
            null_ok: NullOk::No,
            problems: Vec::new(),
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
        match argument.split_once('=') {
            Some(("conf", _)) if self.expected == Expected::Certainly => {
                self.problems.push("conf= is there twice".to_owned());
            }
            Some(("conf", path)) if path.starts_with('/') => {
                self.conf = PathBuf::from(path);
                self.expected = Expected::Certainly;
            }
            Some(("conf", _)) => self.problems.push("conf= takes an absolute path".to_owned()),
            None if argument == "debug" => self.verbosity = Verbosity::Debug,
            None if argument == "nullok" => self.null_ok = NullOk::Yes,
            _ => {
                let near = KNOWN.into_iter().find(|known| strsim::jaro_winkler(argument, known) > 0.8);
                let meant = near.map_or_else(String::new, |known| format!("; did you mean {known}?"));
                self.problems.push(format!("unknown argument {argument}{meant}"));
            }
        }
    }
}

/// What a line can say, as somebody who mistyped it is told.
const KNOWN: [&str; 3] = ["conf=", "debug", "nullok"];

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
}
