//! The history of physical tokens: what sysadmins changed, in its order; and the acts of a helpdesk without root, about tokens and
//! all else.

use std::fmt::Debug;

use crate::host::clock::UnixTime;
use crate::log::record::Event;
use crate::store::error::StoreError;
use crate::text::pairs::Pairs;

/// A change that a sysadmin made, or an act of a helpdesk.
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

/// The part of a history that is asked for. A store may give more of it, and never less.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryPart {
    /// Not before this moment.
    pub since: Option<UnixTime>,
    /// Before this moment.
    pub until: Option<UnixTime>,
    /// About one of these users, by either name of a rename; about anything where there is none.
    pub users: Vec<String>,
    /// One of these events; any where there is none.
    pub events: Vec<Event>,
    /// The last so many of them.
    pub last: Option<u32>,
}

/// The history of a store, read in portions, so that it need not fit into memory.
pub trait History: Debug {
    /// The next changes, oldest first; empty at the end.
    fn next_portion(&mut self) -> Result<Vec<PastChange>, StoreError>;
}
