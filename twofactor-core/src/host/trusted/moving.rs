//! Folders that get another place in one step.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, RenameFlags, renameat, renameat2};
use nix::sys::stat::fstatat;

use super::error::{FileError, io_error};
use super::folder::{Folder, UNFINISHED};
use crate::host::random;

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

    /// True when `folder` is what is called `name` in this one.
    pub(crate) fn is_named(&self, name: &str, folder: &Self) -> Result<bool, FileError> {
        let failed = |error: io::Error| io_error(&self.path.join(name), "examine", error);
        let ours = folder.handle.metadata().map_err(failed)?;
        match fstatat(&self.handle, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) => Ok((found.st_dev, found.st_ino) == (ours.dev(), ours.ino())),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(failed(errno.into())),
        }
    }

    /// Removes the folder `name` with all that is in it. A crash leaves a folder whose name begins with `-new-`, or nothing.
    /// Best effort: what stays there, `doctor` names.
    pub(crate) fn discard(&self, name: &str) {
        let mut random = [0; 8];
        if random::fill(&mut random).is_err() {
            return;
        }
        let aside = format!("{UNFINISHED}{:016x}", u64::from_be_bytes(random));
        if self.rename(name, &aside).is_ok() {
            let _ = fs::remove_dir_all(self.path.join(aside));
        }
    }

    fn flush(&self) -> Result<(), FileError> {
        self.handle.sync_all().map_err(|error| io_error(&self.path, "sync", error))
    }
}
