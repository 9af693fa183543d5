//! Folders that get another place in one step.

use nix::errno::Errno;
use nix::fcntl::{RenameFlags, renameat, renameat2};

use super::error::{FileError, io_error};
use super::folder::Folder;

impl Folder {
    /// Moves `from` out of this folder into `to`, where nothing is called `name`, durably.
    pub fn move_to(&self, from: &str, to: &Self, name: &str) -> Result<(), FileError> {
        let failed = |errno: Errno| io_error(&self.path.join(from), "move", errno.into());
        renameat(&self.handle, from, &to.handle, name).map_err(failed)?;
        to.flush()
    }

    /// Gives each of two entries the name of the other, in one step, durably.
    pub fn exchange(&self, one: &str, other: &str) -> Result<(), FileError> {
        let failed = |errno: Errno| io_error(&self.path.join(other), "replace", errno.into());
        renameat2(&self.handle, one, &self.handle, other, RenameFlags::RENAME_EXCHANGE).map_err(failed)?;
        self.flush()
    }

    fn flush(&self) -> Result<(), FileError> {
        self.handle.sync_all().map_err(|error| io_error(&self.path, "sync", error))
    }
}
