//! The last backup, as the host that wrote it remembers it.

use crate::host::clock::UnixTime;

/// A backup that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastBackup {
    /// The time of its content.
    pub at: UnixTime,
    /// The absolute path of its file.
    pub file: String,
    /// The size of the file, in bytes.
    pub size: u64,
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The public keys that open it; none where a passphrase does.
    pub recipients: Vec<String>,
    /// The number of accounts in it.
    pub accounts: u64,
    /// The number of tokens in it.
    pub tokens: u64,
}
