//! The defects a host can have, and the conclusions from what was seen there. For `twofactor doctor`.
//!
//! Invariants: a finding says what is wrong, why that matters and what mends it, and nothing secret. Nothing is
//! looked up or changed here: what the host is like are arguments.

pub mod admission;
pub mod backup;
mod catalogue;
pub mod clock;
mod finding;
pub mod fleet;
pub mod module_file;
pub mod people;
pub mod rules;
pub mod selinux;
pub mod services;
mod severity;
pub mod shadow;
pub mod siblings;
pub mod sshd;
pub mod storage;

pub use catalogue::Id;
pub use finding::{Finding, Mend, some_of};
pub use severity::Severity;
