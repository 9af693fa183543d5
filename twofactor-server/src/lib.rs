//! The server of a fleet as a library: `twofactor-server` and the tests run it.
//!
//! The meaning of a login is decided in twofactor-core. This crate takes the questions of hosts, reads accounts from PostgreSQL, writes them
//! and seals them.

#![forbid(unsafe_code)]

mod alarms;
mod answering;
mod audit;
mod authority;
mod central;
mod checking;
mod database;
mod enrollments;
mod error;
mod escrow;
mod fleet_hosts;
mod host_table;
mod housekeeping;
mod inspecting;
mod inventory;
mod journal;
mod key_file;
mod keys;
mod memberships;
mod names;
mod new_file;
mod places;
mod postgresql;
mod renaming;
mod resealing;
mod roll;
mod schema;
mod sealed_columns;
mod sealing;
mod serving;
mod tls;
mod validity;

pub use answering::{Host, Server};
pub use central::{Central, CentralError};
pub use checking::{Findings, check};
pub use error::ServerError;
pub use escrow::Escrow;
pub use fleet_hosts::FleetHosts;
pub use housekeeping::Running;
pub use key_file::{KeyChange, change as change_keys, init as init_keys, read as read_keys, read_credential};
pub use keys::Keys;
pub use postgresql::Postgresql;
pub use resealing::{KeyUse, Resealed, key_use, reseal};
pub use sealed_columns::{OTHER_BYTES, SEALED_COLUMNS, SealedColumn};
pub use serving::{Admission, Hosts, serve};
pub use tls::{of_fleet as tls_of_fleet, of_site as tls_of_site};
pub use validity::lasting;
