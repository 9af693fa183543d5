//! The server of a fleet as a library: `twofactor-server` and the tests run it.
//!
//! The meaning of a login is decided in twofactor-core. This crate takes the questions of hosts, reads accounts from PostgreSQL, writes them
//! and seals them.

#![forbid(unsafe_code)]

mod answering;
mod checking;
mod database;
mod error;
mod key_file;
mod schema;
mod sealing;
mod serving;

pub use answering::{Host, Server};
pub use checking::{Findings, check};
pub use error::ServerError;
pub use key_file::{Key, init as init_keys, read as read_keys};
pub use serving::{Hosts, TlsFiles, serve, tls};
