//! Files and folders that only their owner, root, may change: opened first, then the *handle* is checked.
//!
//! Invariants: no symbolic link is followed in the last component of a path, nothing blocks on a FIFO or becomes a
//! controlling terminal, nothing is inherited across exec, and a handle that is not a plain file of the right owner
//! with one link and no write permission for others is refused. A file that is replaced is complete and durable or
//! the old one: a temporary file with a fixed name, fsync, rename, fsync of the folder. Left-overs of a crash are
//! replaced. What is overwritten in place is durable when the call returns; that it is whole, its reader must see.

pub use error::{FileError, describe};
pub use folder::{Beginning, Flush, Folder, InPlace, Owner, Prepared, Protection, read_file};
pub(crate) use folder::{TEMPORARY, UNFINISHED};
pub use lock::Locked;
pub use reach::{is_out_of_reach, stays_out_of_reach};
pub use unsteady::read_unsteady_file;

mod error;
mod folder;
mod lock;
mod moving;
mod reach;
mod unsteady;

/// A folder for a test, as a store wants it: private to its owner.
#[cfg(test)]
pub(crate) fn private_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary folder");
    std::fs::set_permissions(
        directory.path(),
        <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o700),
    )
    .expect("its mode is set");
    directory
}
