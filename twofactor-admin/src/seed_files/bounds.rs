//! The bounds of everything in a seed file.

/// The largest file, in bytes.
pub const LARGEST_FILE: u64 = 64 << 20;
/// The most that is unpacked, in bytes: of one zip entry, and of all that are taken.
pub const LARGEST_ENTRY: u64 = 256 << 20;
/// The most entries of a zip file.
pub const MOST_ENTRIES: usize = 1_000;
/// The most rows of a file.
pub const MOST_ROWS: usize = 4_000_000;
/// The longest field, in bytes.
pub const LONGEST_FIELD: usize = 1_024;
/// The most columns of a table that are looked at.
pub(super) const MOST_COLUMNS: usize = 64;
/// The number of lines that a table's header may have above it.
pub(super) const LONGEST_TITLE: usize = 100;
/// The most notes about one file.
pub(super) const MOST_NOTES: usize = 32;
/// The most iterations of PBKDF2, of all blocks of the key together: less than two seconds.
pub(super) const MOST_ITERATIONS: u32 = 1_000_000;
/// The most elements of an XML document: as many as are read in two seconds, those of 100,000 encrypted keys.
pub(super) const MOST_XML_ELEMENTS: usize = 2_500_000;

/// A length, as sizes of files are counted.
pub(super) fn length_of(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
