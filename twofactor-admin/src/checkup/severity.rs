//! The severity of findings.

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A user is locked out, or let in without a second factor.
    Problem,
    /// It soon will be a problem, or is one for a few.
    Warning,
    /// Worth knowing. It may be meant like that.
    Note,
}

impl Severity {
    /// Its stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}
