//! The lock on the file of keys: one command at a time reads it, decides by the store, and writes it.
//!
//! Invariant: the lock is on the file's folder, because a change puts another file in the place of the one that was read. It ends with the
//! process that holds it.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::ServerError;
use crate::sealing::new_file::{folder_of, wrong};

/// The longest wait for another command.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// The lock of a command that changes keys, or works on records by them.
#[derive(Debug)]
pub struct KeyLock(File);

impl KeyLock {
    /// Locks the file of keys at `path`, which need not be there yet.
    pub fn take(path: &Path) -> Result<Self, ServerError> {
        let folder = File::open(folder_of(path)).map_err(|error| wrong(path, error))?;
        let began = Instant::now();
        loop {
            match folder.try_lock() {
                Ok(()) => return Ok(Self(folder)),
                Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(ServerError::KeysBusy(path.display().to_string())),
                Err(TryLockError::Error(error)) => return Err(wrong(path, error)),
            }
        }
    }
}

impl Drop for KeyLock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}
