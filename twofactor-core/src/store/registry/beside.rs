//! The files that SQLite keeps beside the registry, checked before SQLite opens them.
//!
//! Invariants: a file that would make SQLite hang, wait or misread is refused by name. A
//! change of the registry, under its lock, sets the file aside under another name and deletes nothing: an unreadable
//! log may have held changes that are missing now.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use super::error::RegistryError;
use super::file_names::{JOURNAL, SHARED_MEMORY, WRITE_AHEAD_LOG};
use crate::host::trusted::Folder;

/// The suffix of a file that was set aside; a number follows where there are several.
pub(crate) const ASIDE: &str = ".aside";
/// So many are kept.
const MOST_ASIDE: usize = 9;

/// The beginning of a write-ahead log, and of a rollback journal (<https://sqlite.org/fileformat2.html>).
const LOG_HEADER: usize = 32;
const LOG_MAGIC: u32 = 0x377f_0682;
const LOG_FORMAT: u32 = 3_007_000;
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// The number of attempts to read a header that a process may be writing.
const TRIES: u32 = 3;

/// Makes sure that SQLite can use all of them.
pub(super) fn check(state: &Folder) -> Result<(), RegistryError> {
    for name in [WRITE_AHEAD_LOG, SHARED_MEMORY, JOURNAL] {
        check_kind(state, name)?;
        state.examine(name)?;
    }
    for attempt in 1.. {
        let problem = match (is_no_log(state)?, is_no_journal(state)?) {
            (false, false) => return Ok(()),
            (true, _) => unusable(state, WRITE_AHEAD_LOG, "does not begin as a write-ahead log does"),
            (false, true) => unusable(state, JOURNAL, "does not begin as a rollback journal does"),
        };
        if attempt == TRIES {
            return Err(problem);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Sets aside what SQLite cannot use. Only under the lock on the state folder.
pub(super) fn set_aside_what_is_unusable(state: &Folder) -> Result<Vec<PathBuf>, RegistryError> {
    let mut moved = Vec::new();
    for name in [WRITE_AHEAD_LOG, SHARED_MEMORY, JOURNAL] {
        if check_kind(state, name).is_err() {
            moved.push(set_aside(state, name)?);
        }
        state.examine(name)?;
    }
    if is_no_log(state)? {
        moved.push(set_aside(state, WRITE_AHEAD_LOG)?);
    }
    if is_no_journal(state)? {
        moved.push(set_aside(state, JOURNAL)?);
    }
    Ok(moved)
}

/// True when the file in the place of a journal is no journal. A finished journal begins with a zero.
fn is_no_journal(state: &Folder) -> Result<bool, RegistryError> {
    let journal = state.beginning(JOURNAL, JOURNAL_MAGIC.len())?;
    let is_none = |bytes: Vec<u8>| bytes.first().is_some_and(|first| *first != 0) && bytes != JOURNAL_MAGIC;
    Ok(journal.is_some_and(|journal| is_none(journal.bytes)))
}

/// True when the file in the place of the log is no log. Shorter than a header, it is empty for SQLite, and no change was ever in
/// it.
fn is_no_log(state: &Folder) -> Result<bool, RegistryError> {
    let log = state.beginning(WRITE_AHEAD_LOG, LOG_HEADER)?;
    Ok(log.is_some_and(|log| log.bytes.len() >= LOG_HEADER && !is_header(&log.bytes)))
}

/// True when `bytes` are the header of a log: magic number, format, page size, and the checksum of these.
fn is_header(bytes: &[u8]) -> bool {
    let word =
        |place: usize| -> [u8; 4] { std::array::from_fn(|byte| bytes.get(4 * place + byte).copied().unwrap_or(0)) };
    let big = |place| u32::from_be_bytes(word(place));
    let magic = big(0);
    let native = |place| if magic & 1 == 1 { big(place) } else { u32::from_le_bytes(word(place)) };
    let (mut first, mut second) = (0_u32, 0_u32);
    for pair in 0..3 {
        first = first.wrapping_add(native(2 * pair)).wrapping_add(second);
        second = second.wrapping_add(native(2 * pair + 1)).wrapping_add(first);
    }
    let page = big(2);
    magic & !1 == LOG_MAGIC
        && big(1) == LOG_FORMAT
        && page.is_power_of_two()
        && (512..=65_536).contains(&page)
        && (big(6), big(7)) == (first, second)
}

/// Refuses everything but a plain file; its owner does not matter here.
fn check_kind(state: &Folder, name: &str) -> Result<(), RegistryError> {
    match fs::symlink_metadata(state.path().join(name)) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(found) => Err(unusable(state, name, kind(&found))),
        // A file that cannot be examined is reported when it is opened.
        Err(_) => Ok(()),
    }
}

fn kind(found: &Metadata) -> &'static str {
    if found.is_symlink() {
        "is a symbolic link"
    } else if found.is_dir() {
        "is a folder and not a regular file"
    } else {
        "is not a regular file"
    }
}

fn unusable(state: &Folder, name: &str, problem: &'static str) -> RegistryError {
    RegistryError::Beside { path: state.path().join(name), problem }
}

/// Gives a file another name. Gives where it is now.
fn set_aside(state: &Folder, name: &str) -> Result<PathBuf, RegistryError> {
    let free = |name: &String| {
        fs::symlink_metadata(state.path().join(name)).is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    let names = (1..=MOST_ASIDE).map(|number| match number {
        1 => format!("{name}{ASIDE}"),
        number => format!("{name}{ASIDE}.{number}"),
    });
    let mut names = names;
    let aside = names.find(free).ok_or_else(|| unusable(state, name, "cannot be set aside once more"))?;
    state.rename(name, &aside)?;
    Ok(state.path().join(aside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_known_by_its_header() {
        // As SQLite 3.40 wrote it on a little-endian machine.
        let mut header = Vec::new();
        for word in [LOG_MAGIC, LOG_FORMAT, 4096, 0, 0x0102_0304, 0x0506_0708] {
            header.extend(u32::to_be_bytes(word));
        }
        let words: Vec<u32> =
            header.chunks(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
        let (mut first, mut second) = (0_u32, 0_u32);
        for pair in words.chunks(2) {
            first = first.wrapping_add(pair[0]).wrapping_add(second);
            second = second.wrapping_add(pair[1]).wrapping_add(first);
        }
        header.extend(first.to_be_bytes());
        header.extend(second.to_be_bytes());
        assert!(is_header(&header));
        for byte in 0..header.len() {
            let mut damaged = header.clone();
            damaged[byte] ^= 0x10;
            assert!(!is_header(&damaged), "byte {byte}");
        }
        assert!(!is_header(&[0; 32]) && !is_header(&[0xa5; 32]));
    }
}
