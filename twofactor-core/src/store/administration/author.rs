//! The author of a change.

use crate::host::clock::UnixTime;

/// The author and the time of a change, for the history.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// The sysadmin, as far as it is known.
    pub who: &'a str,
    /// The time.
    pub at: UnixTime,
}
