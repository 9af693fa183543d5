//! The words and the bounds of the stream.

/// The version of the stream that this program writes, and the newest that it reads.
pub(super) const VERSION: u64 = 1;

/// The name of the first line.
pub(super) const HEADER: &str = "twofactor_backup";
/// The name of the last line.
pub(super) const TRAILER: &str = "end";
/// The name of an account.
pub(super) const ACCOUNT: &str = "account";

/// The longest line, in bytes: an account with all the keys and tokens that one can have takes less than a third.
pub(super) const LONGEST_LINE: usize = 1 << 20;
