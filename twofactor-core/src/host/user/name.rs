//! User names: canonical, and safe as the name of a file.

use std::fmt;
use thiserror::Error;

/// A user name as the user database spells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(pub(super) String);

/// Why a text cannot be a user name.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("not a user name: {0}")]
pub struct UserNameError(&'static str);

impl UserName {
    /// Checks that `name` can be a user name and a directory entry.
    pub fn new(name: &str) -> Result<Self, UserNameError> {
        let refused = if name.is_empty() {
            "it is empty"
        } else if name.len() > 255 {
            "it is longer than 255 bytes"
        } else if name == "." || name == ".." || name.contains('/') {
            "it is a path"
        } else if name.starts_with('-') {
            "it begins with a hyphen"
        } else if name.chars().any(char::is_control) {
            "it has control characters"
        } else {
            return Ok(Self(name.to_owned()));
        };
        Err(UserNameError(refused))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
