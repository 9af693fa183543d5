//! The log read back: what [`record`](twofactor_core::log::record) wrote, from wherever it was kept.
//!
//! Invariants: only a line that begins as ours, after what the syslog daemon put in front, and that is ours to its end
//! is taken for ours. What stands in several sources is one entry. No source is held in memory: entries pass through.
//! Where lines come from, and how a file is opened, is the caller's affair.

mod entry;
pub mod merge;
pub mod syslog_line;
pub mod timestamp;

pub use entry::{Entry, Message, Source, Wanted, Writer};
