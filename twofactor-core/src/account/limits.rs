//! The most that one user can have.

/// Most apps of one user.
pub const MOST_APPS: usize = 16;

/// Most recovery codes of one user.
pub const MOST_RECOVERY_CODES: usize = 20;

/// Most physical tokens of one user.
pub const MOST_HELD: usize = 16;

/// Most ssh keys of one user.
pub const MOST_SSH_KEYS: usize = 100;
