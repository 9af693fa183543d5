//! The arguments of a PAM line: `conf=FILE`, `debug`, `nullok`. Anything else is an error.

use std::ffi::CStr;
use std::path::PathBuf;

use twofactor_core::config::{DEFAULT_PATH, Expected};
use twofactor_core::policy::NullOk;

use crate::log::Verbosity;

/// The arguments as meant, and everything wrong with them.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// `conf=FILE`.
    pub(crate) conf: PathBuf,
    /// Whether that file has to be there: it must when the line names it.
    pub(crate) expected: Expected,
    /// `debug`.
    pub(crate) verbosity: Verbosity,
    /// `nullok`.
    pub(crate) null_ok: NullOk,
    /// One sentence for every argument that means nothing to us.
    pub(crate) problems: Vec<String>,
    #[cfg(feature = "panic-on-purpose")]
    panic: bool,
}

impl Arguments {
    /// Reads all arguments, also after the first mistake.
    pub(crate) fn parse(args: &[&CStr]) -> Self {
        let mut arguments = Self {
            conf: PathBuf::from(DEFAULT_PATH),
            expected: Expected::Perhaps,
            verbosity: Verbosity::Normal,
            null_ok: NullOk::No,
            problems: Vec::new(),
            #[cfg(feature = "panic-on-purpose")]
            panic: false,
        };
        for argument in args {
            let Ok(text) = argument.to_str() else {
                arguments.problems.push(format!("{} is not UTF-8", argument.to_string_lossy()));
                continue;
            };
            match text.split_once('=') {
                Some(("conf", _)) if arguments.expected == Expected::Certainly => {
                    arguments.problems.push("conf= is there twice".to_owned());
                }
                Some(("conf", path)) if path.starts_with('/') => {
                    arguments.conf = PathBuf::from(path);
                    arguments.expected = Expected::Certainly;
                }
                Some(("conf", _)) => arguments.problems.push("conf= takes an absolute path".to_owned()),
                None if text == "debug" => arguments.verbosity = Verbosity::Debug,
                None if text == "nullok" => arguments.null_ok = NullOk::Yes,
                #[cfg(feature = "panic-on-purpose")]
                None if text == "panic" => arguments.panic = true,
                _ => arguments.problems.push(format!("unknown argument {text}")),
            }
        }
        arguments
    }

    /// What the test of the panic guard asks for.
    #[cfg(feature = "panic-on-purpose")]
    #[expect(clippy::panic, reason = "the feature exists for this")]
    pub(crate) fn panic_on_purpose(&self) {
        assert!(!self.panic, "panic on purpose");
    }
}
