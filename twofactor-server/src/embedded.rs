//! The embedded default: a fleet on one machine. Accounts are the core's files and registry; beside them stands a SQLite file with the
//! hosts, the answers of the last half minute, and the audit.
//!
//! Invariants: one server at a time runs on a folder. Accounts are judged and locked by the core, as on a single host, but by their
//! names alone. A command of root acts there as the folder's owner. Seeds are protected by the rights
//! of the folder; the key of the authority is sealed, too.

mod by_name;
mod checking;
mod history;
mod judging;
mod opening;

pub use checking::check;
pub(crate) use judging::InFiles;
pub use opening::{accounts, hosts, keys_in_use, note_keys, reseal};
