//! `[[caller]]`: service accounts that may ask the broker about other users.
//!
//! Invariants: the broker judges by the service that stands here, and never by one that the caller names; an account may ask
//! about members of the groups that stand here and about no other user.

/// A service account's leave to ask about others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The line it begins at.
    pub line: usize,
    /// The name of the account.
    pub user: String,
    /// The PAM service that rules and the log see.
    pub service: String,
    /// The groups whose members it may ask about.
    pub groups: Vec<String>,
}
