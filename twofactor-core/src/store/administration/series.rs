//! Series: the tokens that one file, or several, brought in.

use crate::host::clock::UnixTime;

/// One import.
#[derive(Debug, Clone)]
pub struct ImportRecord {
    /// The file's name as it was given.
    pub file: String,
    /// The file's digest.
    pub sha256: Vec<u8>,
    /// The time.
    pub at: UnixTime,
    /// The author.
    pub who: String,
    /// Tokens it brought.
    pub added: u64,
    /// Tokens that were there already.
    pub unchanged: u64,
    /// Tokens that contradicted what was there.
    pub conflicts: u64,
    /// Rows that could not be read.
    pub rejected: u64,
}

/// A series and what has become of its tokens.
#[derive(Debug, Clone)]
pub struct SeriesSummary {
    /// Its name.
    pub name: String,
    /// All its tokens.
    pub tokens: u64,
    /// Those without an owner that can be assigned.
    pub inventory: u64,
    /// Those with an owner.
    pub assigned: u64,
    /// Those put aside or lost.
    pub unusable: u64,
    /// Those revoked.
    pub revoked: u64,
    /// The files it came from, oldest first.
    pub imports: Vec<ImportRecord>,
}
