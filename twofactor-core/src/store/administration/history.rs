//! The history of physical tokens: the changes that sysadmins made, in their order.

use std::fmt::Debug;

use crate::host::clock::UnixTime;
use crate::log::record::Event;
use crate::store::error::StoreError;
use crate::text::pairs::Pairs;

/// A change that a sysadmin made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastChange {
    /// The time of its beginning; it may have waited for another one.
    pub at: UnixTime,
    /// Its author.
    pub who: String,
    /// Its event, in the log's word.
    pub event: Event,
    /// Its objects, in the log's words.
    pub pairs: Pairs,
}

/// The history of a store, read in portions, so that it need not fit into memory.
pub trait History: Debug {
    /// The next changes, oldest first; empty at the end.
    fn next_portion(&mut self) -> Result<Vec<PastChange>, StoreError>;
}
