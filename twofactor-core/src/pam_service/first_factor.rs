//! The file that tells our line of a failed first factor, where a failure does not end the phase.
//!
//! In a substack a refusal ends the substack only. So the service includes this file behind it, in a substack of its own:
//! `done` leaves a stack only while nothing has failed (libpam/pam_dispatch.c), so its last line runs behind a failure alone.
//! Invariants: a line that notes asks nothing, looks nothing up and returns PAM_IGNORE; what it notes can only refuse.

/// The path of the file. Services name it by this path, so libpam finds it whatever folder it reads services from.
pub const FILE: &str = "/etc/pam.d/twofactor-first-factor";

/// Its name: no service is called so.
pub const NAME: &str = "twofactor-first-factor";

/// Its text.
pub const TEXT: &str = "\
# Written by \"twofactor service enable\"; \"service disable\" removes it with the
# last service that includes it. Without it every login of those is refused.
#
# Where the password stands in a substack, a wrong one does not end the login.
# The last line runs only where something has failed: the line of
# pam_twofactor.so below then refuses, asks for no code and counts nothing.
auth    optional                        pam_twofactor.so first_factor=unknown
auth    [success=done default=ignore]   pam_permit.so
auth    optional                        pam_twofactor.so first_factor=failed
";

/// The note that a line makes, instead of asking for a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstFactor {
    /// Nothing is known yet: what an earlier authentication noted is forgotten.
    Unknown,
    /// Something has failed.
    Failed,
}

impl FirstFactor {
    /// The key of the argument.
    pub const KEY: &str = "first_factor";

    /// By the value of the argument.
    pub fn of(value: &str) -> Option<Self> {
        match value {
            "unknown" => Some(Self::Unknown),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }

    /// The note of a line with these arguments. A line with another argument beside it is no such line, and refuses.
    pub fn of_arguments(arguments: &[String]) -> Option<Self> {
        let [argument] = arguments else { return None };
        argument.split_once('=').filter(|(key, _)| *key == Self::KEY).and_then(|(_, value)| Self::of(value))
    }
}
