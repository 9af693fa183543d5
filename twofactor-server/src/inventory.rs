//! Physical tokens in PostgreSQL: the inventory of a fleet, by the rules of `twofactor_core::store::inventory`.
//!
//! Invariants: whatever changes tokens waits at one advisory lock, and is one transaction over the tokens and the accounts of their
//! owners. A secret, and how far it is used, stand here sealed for their serial; a secret is recognized by a keyed digest. What is read
//! of all tokens is read in portions.

mod app_secrets;
mod changing;
mod history;
mod importing;
mod intake;
pub(crate) mod looking;
mod recognition;
mod registering;
mod row;
mod series;
pub(crate) mod sharing;
mod stop;
mod transaction;
mod writing;

pub(crate) use changing::{Change, Wanted};
pub(crate) use history::TokenHistory;
pub(crate) use importing::Import;
pub(crate) use looking::Seen;
pub(crate) use registering::{Registered, Registering, answer};
pub(crate) use transaction::{Purpose, TOKENS_LOCK, Transaction};
