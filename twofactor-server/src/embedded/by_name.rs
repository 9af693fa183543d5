//! The accounts of an embedded store as servers and a sysadmin's commands see them.
//!
//! Invariants: names are compared and no uids, because hosts give other uids to a name than this machine does. Each verb acts as
//! the owner of the folder.

mod accounts;
mod hosts;
mod logins;
mod own;
mod state;
mod store;
mod tokens;

pub(super) use hosts::open as open_hosts;
pub(super) use store::ByName;
