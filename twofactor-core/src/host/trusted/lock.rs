//! The lock on a folder: bounded, fair, and gone with its holder.
//!
//! Invariants: a wait ends after the patience of the caller, whatever other processes do. Who came first is served first, and
//! a process that is stopped while it waits holds the others up for [`DEFERENCE`] at most. No thread, no signal and no
//! blocking system call is needed, because a login waits in a process that belongs to others.
//!
//! Each process that waits is announced by a shared lock on one byte of the folder, numbered by the time of arrival. These are
//! locks of the open file description: they end with the process, too, and need no file.

use std::borrow::Borrow;
use std::fs::{self, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{self, c_int, flock, off_t};
use nix::time::{ClockId, clock_gettime};

use super::error::{FileError, io_error};
use super::folder::Folder;

/// The time for which a newcomer gives way to those before it. One of them may be stopped by its user.
const DEFERENCE: Duration = Duration::from_millis(30);

/// The pause between two tries of the first in the queue.
const NEXT: Duration = Duration::from_micros(100);
/// The pause between two looks of the others at the queue.
const BEHIND: Duration = Duration::from_micros(500);
/// The pause between two tries of all whose deference is over.
const LATE: Duration = Duration::from_millis(1);
/// The same when the lock has been held for [`LONG`]: its holder does not do what a login does.
const PATIENT: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(1);

/// A folder that is locked by this process alone; unlocked when dropped.
#[derive(Debug)]
pub struct Locked(Folder);

impl Borrow<Folder> for Locked {
    fn borrow(&self) -> &Folder {
        &self.0
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing alone would leave the lock with a child that a threaded host happened to fork meanwhile.
        let _ = self.0.handle.unlock();
    }
}

impl Folder {
    /// Locks this folder for us alone, waiting at most `patience`.
    ///
    /// The lock is on the folder itself: it goes with the process that holds it, so a crash leaves nothing that could
    /// block a login, and it cannot be replaced without replacing what it protects. The wait is bounded because the user
    /// who started a setuid program may stop it while it holds the lock.
    pub fn lock(self, patience: Duration) -> Result<Locked, FileError> {
        let started = Instant::now();
        let place = Place::now();
        if !place.is_behind_others(&self) && self.is_locked_now()? {
            return Ok(Locked(self));
        }
        place.take(&self);
        loop {
            let waited = started.elapsed();
            let pause = match waited {
                waited if waited < DEFERENCE && place.is_behind_others(&self) => BEHIND,
                waited if waited < DEFERENCE => NEXT,
                waited if waited < LONG => LATE,
                _ => PATIENT,
            };
            let is_over = waited >= patience;
            if (pause != BEHIND || is_over) && self.is_locked_now()? {
                place.leave(&self);
                return Ok(Locked(self));
            }
            if is_over {
                let holder = holder(&self);
                return Err(FileError::LockTimeout { path: self.path, waited: patience, holder });
            }
            std::thread::sleep(pause.min(patience.saturating_sub(waited)));
        }
    }

    /// Takes the lock if it is free.
    fn is_locked_now(&self) -> Result<bool, FileError> {
        match self.handle.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(io_error(&self.path, "lock", error)),
        }
    }
}

/// A place in the queue: microseconds of the clock that all processes share. Where it cannot be taken or looked at, there is
/// no queue, and the process that tries at the right moment is served.
struct Place(off_t);

impl Place {
    fn now() -> Self {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
        Self(off_t::try_from(now.as_micros()).unwrap_or(off_t::MAX - 1).max(1))
    }

    /// True when a process waits that came before.
    fn is_behind_others(&self, folder: &Folder) -> bool {
        // Asking whether an exclusive lock could be had needs no right to write, and having it does.
        let mut others = range(libc::F_WRLCK, 0, self.0);
        let asked = fcntl(&folder.handle, FcntlArg::F_OFD_GETLK(&mut others));
        asked.is_ok() && c_int::from(others.l_type) != libc::F_UNLCK
    }

    fn take(&self, folder: &Folder) {
        let _ = fcntl(&folder.handle, FcntlArg::F_OFD_SETLK(&range(libc::F_RDLCK, self.0, 1)));
    }

    fn leave(&self, folder: &Folder) {
        let _ = fcntl(&folder.handle, FcntlArg::F_OFD_SETLK(&range(libc::F_UNLCK, self.0, 1)));
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the constants of fcntl fit the fields of fcntl")]
fn range(kind: c_int, start: off_t, length: off_t) -> flock {
    flock { l_type: kind as _, l_whence: libc::SEEK_SET as _, l_start: start, l_len: length, l_pid: 0 }
}

/// The process that holds the lock on a folder, as far as the kernel tells: not out of another PID namespace.
fn holder(folder: &Folder) -> Option<u32> {
    let inode = folder.handle.metadata().ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        // 1: FLOCK  ADVISORY  WRITE 2145 08:02:1835027 0 EOF
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", process, file, ..] = words[..] else { return None };
        let is_it = file.rsplit(':').next() == Some(&inode);
        process.parse().ok().filter(|process| is_it && *process > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::trusted::{Owner, Protection, private_directory};
    use std::path::Path;

    fn folder(path: &Path) -> Folder {
        let me = Owner(nix::unistd::geteuid().as_raw());
        Folder::open(path, me, Protection::FromReading).unwrap().unwrap()
    }

    #[test]
    fn the_wait_is_bounded_and_its_end_names_the_holder() {
        let directory = private_directory();
        let held = folder(directory.path()).lock(Duration::ZERO).unwrap();
        let error = folder(directory.path()).lock(Duration::from_millis(5)).unwrap_err();
        let FileError::LockTimeout { holder, .. } = error else { panic!("{error}") };
        assert_eq!(holder, Some(std::process::id()));
        drop(held);
        drop(folder(directory.path()).lock(Duration::ZERO).unwrap());
    }

    #[test]
    fn who_came_first_is_served_first() {
        let directory = private_directory();
        let held = folder(directory.path()).lock(Duration::ZERO).unwrap();
        let (first, second) = (Place(1), Place(2));
        let (one, two) = (folder(directory.path()), folder(directory.path()));
        first.take(&one);
        second.take(&two);
        assert!(!first.is_behind_others(&one) && second.is_behind_others(&two));
        assert!(Place::now().is_behind_others(&folder(directory.path())), "a newcomer passes nobody");
        first.leave(&one);
        assert!(!second.is_behind_others(&two));
        drop(two);
        assert!(!Place::now().is_behind_others(&folder(directory.path())), "who is gone waits no longer");
        drop(held);
    }

    #[test]
    fn a_process_that_is_stopped_while_it_waits_holds_nobody_up_for_long() {
        let directory = private_directory();
        let stopped = folder(directory.path());
        Place(1).take(&stopped);
        let started = Instant::now();
        drop(folder(directory.path()).lock(Duration::from_secs(10)).unwrap());
        assert!(
            started.elapsed() >= DEFERENCE && started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
        drop(folder(directory.path()).lock(Duration::ZERO).unwrap());
    }
}
