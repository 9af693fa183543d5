//! Places in a seed file.

use std::fmt;
use std::sync::Arc;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The entry of a zip file.
    pub entry: Option<Arc<str>>,
    /// From 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            Some(entry) => write!(formatter, "{entry}, line {}", self.line),
            None => write!(formatter, "line {}", self.line),
        }
    }
}
