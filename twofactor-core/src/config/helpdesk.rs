//! `[[helpdesk]]`: groups whose members may help other users through the broker, without root.
//!
//! Invariants: members of a helpdesk never help root, themselves or each other, nor a member of a group that is protected
//! here. A membership that is not certain counts for the refusal.

/// The groups that are protected where a rule states none: those whose members become root by sudo or su.
pub const PROTECTED: [&str; 3] = ["sudo", "wheel", "admin"];

/// A group that may help other users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Helpdesk {
    /// The line it begins at.
    pub line: usize,
    /// The group.
    pub group: String,
    /// The groups whose members it does not help.
    pub protected: Vec<String>,
}
