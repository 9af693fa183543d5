//! The server of a fleet as a library: `twofactor-server` and the tests run it.
//!
//! The meaning of a login is decided in twofactor-core. This crate takes the questions of hosts. Of a store in PostgreSQL it reads the
//! accounts, writes and seals them; of one in files the core does that.

#![forbid(unsafe_code)]

mod accounts;
mod alarms;
mod answering;
mod audit;
mod authority;
mod central;
mod checking;
mod database;
mod embedded;
mod enrollments;
mod error;
mod escrow;
mod fleet_file;
mod fleet_hosts;
mod host;
mod host_records;
mod host_rows;
mod host_store;
mod host_table;
mod housekeeping;
mod inspecting;
mod inventory;
mod journal;
mod judged;
mod judging;
mod key_file;
mod key_table;
mod keys;
mod memberships;
mod merging;
mod names;
mod new_file;
mod own_changes;
mod part_of_log;
mod places;
mod postgresql;
mod queues;
mod renaming;
mod resealing;
mod roll;
mod schema;
mod sealed_columns;
mod sealing;
mod serving;
mod showings;
mod times;
mod tls;
mod validity;

pub use answering::Server;
pub use central::{Central, CentralError};
pub use checking::{Findings, check};
pub use embedded::{
    accounts as embedded_accounts, check as check_embedded, hosts as embedded_hosts,
    keys_in_use as keys_in_use_embedded, reseal as reseal_embedded,
};
pub use error::ServerError;
pub use escrow::Escrow;
pub use fleet_hosts::FleetHosts;
pub use host::Host;
pub use housekeeping::Running;
pub use key_file::{KeyChange, change as change_keys, init as init_keys, read as read_keys, read_credential};
pub use key_table::{KeyTable, KeyUse};
pub use keys::Keys;
pub use postgresql::Postgresql;
pub use resealing::{Resealed, reseal};
pub use sealed_columns::{OTHER_BYTES, SEALED_COLUMNS, SealedColumn};
pub use serving::{Admission, Hosts, serve};
pub use tls::{of_fleet as tls_of_fleet, of_site as tls_of_site};
pub use validity::lasting;
