//! The registry's file and those that SQLite keeps beside it.

/// The file in the state folder.
pub const FILE: &str = "registry.db";

/// The same while it is made.
pub(super) const UNFINISHED: &str = "registry.db.new";

/// The files SQLite keeps beside it.
pub(crate) const WRITE_AHEAD_LOG: &str = "registry.db-wal";

pub(crate) const SHARED_MEMORY: &str = "registry.db-shm";

/// The journal of a change that was interrupted while the registry had no write-ahead log.
pub(crate) const JOURNAL: &str = "registry.db-journal";
