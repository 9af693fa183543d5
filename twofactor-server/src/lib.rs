//! The server of a fleet as a library: `twofactor-server` and the tests run it.
//!
//! The meaning of a login is decided in twofactor-core. This crate takes the questions of hosts. Of a store in PostgreSQL it reads the
//! accounts, writes and seals them; of one in files the core does that.

#![forbid(unsafe_code)]

mod alarms;
mod answers;
mod central;
mod clocks;
mod counting;
mod database;
mod embedded;
mod error;
mod fleet_file;
mod hosts;
mod inventory;
mod journal;
mod merging;
mod network;
mod postgresql;
mod sealing;
mod times;
mod upkeep;

pub use answers::answering::Server;
pub use central::{Central, CentralError};
pub use database::key_table::{KeyTable, KeyUse};
pub use embedded::{
    accounts as embedded_accounts, check as check_embedded, hosts as embedded_hosts,
    keys_in_use as keys_in_use_embedded, note_keys as note_keys_embedded, reseal as reseal_embedded,
};
pub use error::ServerError;
pub use hosts::fleet_hosts::FleetHosts;
pub use hosts::host::Host;
pub use network::serving::{Admission, Hosts, serve};
pub use network::tls::{of_fleet as tls_of_fleet, of_site as tls_of_site};
pub use network::validity::lasting;
pub use postgresql::Postgresql;
pub use sealing::escrow::Escrow;
pub use sealing::key_file::{KeyChange, change as change_keys, init as init_keys, read as read_keys, read_credential};
pub use sealing::key_lock::KeyLock;
pub use sealing::keys::Keys;
pub use sealing::sealed_columns::{OTHER_BYTES, SEALED_COLUMNS, SealedColumn};
pub use upkeep::checking::{Findings, check};
pub use upkeep::housekeeping::Running;
pub use upkeep::resealing::{Resealed, reseal};
