//! The stream of a backup: a line of JSON for each record, between a header and a trailer. `docs/guide/without-twofactor.md`
//! shows it, twofactor-backup(8) describes it.
//!
//! ```text
//! {"twofactor_backup":1,"at":"2026-11-28T06:00:00Z","program":"0.1.0"}
//! {"account":{"user":"alice","credentials":"…","state":"…"}}
//! {"token":{"series":"fobs","serial":"123456","secret":"…",…}}
//! {"end":{"records":2,"accounts":1,"tokens":1,"sha256":"…"}}
//! ```
//!
//! Invariants: a stream without its trailer is no backup, nor is one with anything behind it. What a record may hold is
//! judged by the store that takes it. Encryption is not a matter of this stream: the tool wraps it in age.

pub use imprint::{Imprint, ImprintWriter};
pub use later::{EVENTS, LaterAct, LaterActs, Subject};
pub use reading::{BackupReader, StreamError};
pub use writing::{BackupWriter, Summary};

mod form;
mod imprint;
mod later;
mod reading;
mod writing;

#[cfg(test)]
mod tests;
