//! One account in memory, out of a database: judged here as any other, written by the program that has read it.
//!
//! A verb changes nothing but this copy. The program then writes the change, by one compare-and-set against what it has
//! read, and only after that it tells the answer. An account that was changed meanwhile is read and judged again, so a code
//! is good once although no lock is held between reading and writing.
//!
//! No uid is compared: the names are those of the database, and the uid of a question is the word of a host.

mod account;
mod administration;
mod damaged;
mod enrolling;
mod error;
mod login;
mod ownership;
mod self_service;
mod ssh_keys;
#[cfg(test)]
mod tests;

pub use account::{Change, Decoy, OneAccount, Read, state_of};
pub(in crate::store) use account::{Kept, kept};
pub use damaged::Damaged;
pub use error::{AccountError, Part};
