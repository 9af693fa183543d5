//! The registry of physical tokens: `registry.db`, an SQLite database in the state folder.
//!
//! Invariants: a login only reads it. The progress of a token is recorded in its owner's own state, so no login waits
//! for another user's login or for an import, and a user who stops a process at a bad moment keeps no other user out. A
//! change of the registry holds the lock on the state folder. A registry that is damaged, foreign or of a newer version
//! is an error and never "no tokens".

mod beside;
mod change;
mod connection;
mod error;
mod file_names;
mod history;
mod intake;
mod look;
mod recognition;
mod row;
mod schema;

pub(crate) use beside::ASIDE;
pub(crate) use change::Edit;
pub(crate) use history::RegistryHistory;
pub(crate) use intake::Intake;
pub use look::{Filter, Listed, Ownership, RegistryReader};
pub(crate) use recognition::{AppSecrets, Twin};
pub(crate) use row::Stored;
#[cfg(test)]
pub(crate) use schema::make_format_1;

use crate::account::Held;
use crate::host::trusted::Folder;
use crate::host::user::UserName;
pub(crate) use connection::{CHANGE_PATIENCE, Patience, Writer, is_obstructed};
pub use error::RegistryError;
pub use file_names::FILE;
pub(crate) use file_names::{JOURNAL, SHARED_MEMORY, WRITE_AHEAD_LOG};

/// The physical tokens assigned to `user`, also disabled and lost ones. None where nothing was ever imported.
pub(crate) fn held_by(state: &Folder, user: &UserName, patience: &Patience) -> Result<Vec<Held>, RegistryError> {
    patience.asking(|patience| match RegistryReader::for_login(state, patience)? {
        Some(reader) => reader.held_by(user),
        None => Ok(Vec::new()),
    })
}
