//! The lock on the file of keys: one command at a time reads it, decides by the store, and writes it.
//!
//! Invariants: the lock is on a file beside the file of keys, because a change puts another file in the place of the one that was read. No
//! other user opens that file, so none can hold the lock; a lock on the folder could be held by each user who may list it. It is made once
//! and never removed, so all commands lock the same file. A lock ends with the process that holds it.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use nix::unistd::geteuid;

use crate::error::ServerError;
use crate::sealing::new_file::{folder_of, wrong};

/// The longest wait for another command.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// The bits of a mode that let other users open a file.
const OTHERS: u32 = 0o077;

/// The lock of a command that changes keys, or works on records by them.
#[derive(Debug)]
pub struct KeyLock(File);

impl KeyLock {
    /// Locks the file of keys at `path`, which need not be there yet.
    pub fn take(path: &Path) -> Result<Self, ServerError> {
        let beside = beside(path);
        let file = opened(&beside, folder_of(path)).map_err(|error| wrong(&beside, error))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(ServerError::KeysBusy(path.display().to_string())),
                Err(TryLockError::Error(error)) => return Err(wrong(&beside, error)),
            }
        }
    }
}

impl Drop for KeyLock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// The file that is locked for the file of keys at `path`.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.lock"))
}

/// Opens the file, and makes it where there is none. One that root makes in the folder of another user is that user's, whose own commands
/// lock it, too.
fn opened(beside: &Path, folder: &Path) -> io::Result<File> {
    let folder_owner = fs::metadata(folder)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(O_NOFOLLOW | O_NONBLOCK);
    let (own, owner) = (geteuid().as_raw(), folder_owner.uid());
    match options.clone().create_new(true).open(beside) {
        Ok(file) => {
            if own == 0 && owner != 0 {
                fchown(&file, Some(owner), Some(folder_owner.gid()))?;
            }
            Ok(file)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let file = options.open(beside)?;
            let found = file.metadata()?;
            if is_ours_alone(&found, &[0, own, owner]) {
                Ok(file)
            } else {
                Err(io::Error::other("others than the owner of the folder may lock it; remove it"))
            }
        }
        Err(error) => Err(error),
    }
}

/// True for a plain file of one of these owners that no other user opens.
fn is_ours_alone(found: &Metadata, owners: &[u32]) -> bool {
    found.is_file() && owners.contains(&found.uid()) && found.mode() & OTHERS == 0
}
