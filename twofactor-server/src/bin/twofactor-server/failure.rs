//! A failure of a command, with what to do about it.

use twofactor_core::store::Unusable as _;
use twofactor_server::ServerError;

/// A failure.
pub(crate) struct Failure {
    pub(crate) problem: String,
    pub(crate) hint: String,
}

impl Failure {
    pub(crate) fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: hint.into() }
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        Self::new(error.to_string(), error.hint())
    }
}
