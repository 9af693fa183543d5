//! The registry of physical tokens: `registry.db`, an SQLite database in the state folder.
//!
//! Invariants: no login opens it. A token that is assigned stands in its owner's `secret.toml` too, and its progress in
//! the owner's state, so a broken, locked or missing registry keeps no user out. A change of the registry holds the lock
//! on the state folder. A registry that is damaged, foreign or of a newer version is an error and never "no tokens".

#[cfg(feature = "registry")]
mod acts;
#[cfg(feature = "registry")]
mod beside;
#[cfg(feature = "registry")]
mod change;
#[cfg(feature = "registry")]
mod connection;
mod error;
#[cfg(feature = "registry")]
mod failure;
mod file_names;
#[cfg(feature = "registry")]
mod history;
#[cfg(feature = "registry")]
mod intake;
#[cfg(feature = "registry")]
mod look;
#[cfg(feature = "registry")]
mod merging;
#[cfg(feature = "registry")]
mod recognition;
#[cfg(feature = "registry")]
mod renaming;
#[cfg(feature = "registry")]
mod row;
#[cfg(feature = "registry")]
mod rows;
#[cfg(feature = "registry")]
mod schema;

#[cfg(feature = "registry")]
pub(crate) use beside::ASIDE;
#[cfg(feature = "registry")]
pub(crate) use change::{Begun, Edit};
#[cfg(feature = "registry")]
pub(crate) use history::RegistryHistory;
#[cfg(feature = "registry")]
pub(crate) use intake::Intake;
#[cfg(feature = "registry")]
pub use look::RegistryReader;
#[cfg(feature = "registry")]
pub(crate) use renaming::RenameLine;
#[cfg(feature = "registry")]
pub(crate) use rows::{RowError, make as make_of_rows};
#[cfg(test)]
pub(crate) use schema::make_format_1;

#[cfg(feature = "registry")]
pub(crate) use connection::{CHANGE_PATIENCE, Writer, is_missing, is_obstructed};
pub use error::RegistryError;
pub use file_names::FILE;
#[cfg(feature = "registry")]
pub(crate) use file_names::{JOURNAL, SHARED_MEMORY, WRITE_AHEAD_LOG};
