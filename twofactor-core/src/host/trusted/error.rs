//! Errors of trusted files, each with the command that corrects it.

use crate::host::shell;
use nix::errno::Errno;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Why a file or folder cannot be used. "It is not there" is never among these reasons.
#[derive(Debug, Error)]
pub enum FileError {
    /// Others than its owner could have written it, or it is not a plain file at all.
    #[error("{} {problem}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// The problem, as a predicate.
        problem: String,
        /// The command that mends it.
        remedy: String,
    },
    /// Larger than any file of ours.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest size that is read.
        limit: usize,
    },
    /// The system refused.
    #[error("cannot {doing} {}: {}", path.display(), describe(source))]
    Io {
        /// The file.
        path: PathBuf,
        /// The action that was tried.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// Another process held the lock for the whole time.
    #[error("{} was locked for {} seconds by {}", path.display(), waited.as_secs(), in_words(*holder))]
    LockTimeout {
        /// The file.
        path: PathBuf,
        /// The time we waited.
        waited: Duration,
        /// The process that holds it, where the kernel tells.
        holder: Option<u32>,
    },
}

impl FileError {
    /// A way to find out about the process that holds a lock.
    pub(crate) fn hint_at_holder(path: &Path, holder: Option<u32>) -> String {
        match holder {
            Some(process) => {
                format!("see whether it is stopped (STAT T), and end it: ps -o pid,user,stat,args -p {process}")
            }
            None => format!("see who holds it: fuser -v {}", in_shell(path)),
        }
    }
}

/// A process as it is named in a sentence.
pub(super) fn in_words(holder: Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |process| format!("process {process}"))
}

/// A path in a command that is pasted.
pub(super) fn in_shell(path: &Path) -> String {
    shell::quoted(&path.to_string_lossy())
}

pub(super) fn refused(path: &Path, problem: &str, remedy: String) -> FileError {
    FileError::Unsafe { path: path.to_owned(), problem: problem.to_owned(), remedy }
}

pub(super) fn io_error(path: &Path, doing: &'static str, source: io::Error) -> FileError {
    FileError::Io { path: path.to_owned(), doing, source }
}

/// The system's words, without Rust's "(os error 28)".
pub fn describe(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).desc().to_lowercase(),
        // The library's own words for it are "entity not found".
        None if error.kind() == io::ErrorKind::NotFound => Errno::ENOENT.desc().to_lowercase(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_has_the_same_words_from_the_kernel_and_from_us() {
        let ours = describe(&io::ErrorKind::NotFound.into());
        assert_eq!(
            (ours.as_str(), describe(&Errno::ENOENT.into()).as_str()),
            ("no such file or directory", ours.as_str())
        );
    }
}
