//! The central store as a sysadmin's command sees it: every verb of a store, one after the other, over the same database, seals and
//! judgement as a server's.
//!
//! Invariants: a verb about an account reads it, lets the core judge in memory (`OneAccount`) and writes by the server's
//! compare-and-set, together with its row of the audit; after a conflict it reads and judges again. The row names no host: `host` is
//! empty, `who` is the sysadmin. What is about files of one host is refused by name.

mod accounts;
mod damaged;
mod error;
mod history;
mod hosts;
mod judging;
mod logins;
mod renaming;
mod state;
mod store;
mod tokens;
mod views;

pub use error::CentralError;
pub use store::Central;
