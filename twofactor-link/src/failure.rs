//! The way in which a command of the link fails: a sentence, what to do, and the exit code of `twofactor` for it.

/// A failure.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) problem: String,
    pub(crate) hint: String,
    pub(crate) exit: Exit,
}

/// The exit codes, as in twofactor(8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Failed = 1,
    WrongCode = 5,
    Refused = 7,
    BadConfiguration = 9,
}

impl Failure {
    pub(crate) fn new(exit: Exit, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: hint.into(), exit }
    }
}
