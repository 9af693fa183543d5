//! The reasons for which a source of the log is left out.

use std::{fmt, io};

use twofactor_core::host::trusted::describe;

/// The reason for which a source is left out.
#[derive(Debug)]
pub(crate) enum Problem {
    /// It does not exist, and that is no mistake.
    NotThere(String),
    /// It is there.
    Unreadable { what: String, error: io::Error },
}

impl Problem {
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self, Self::Unreadable { error, .. } if error.kind() == io::ErrorKind::PermissionDenied)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere(what) => write!(formatter, "there is no {what}"),
            Self::Unreadable { what, error } => {
                write!(formatter, "{what}: {}", describe(error))
            }
        }
    }
}
