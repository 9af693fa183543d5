//! The hosts of a fleet: the authority that signs their certificates, and whose certificate counts.

pub(crate) mod authority;
pub(crate) mod fleet_hosts;
pub(crate) mod host;
pub(crate) mod records;
pub(crate) mod roll;
pub(crate) mod rows;
pub(crate) mod store;
pub(crate) mod table;
