//! Connections of hosts: TLS, places, questions one after the other.

pub(crate) mod places;
pub(crate) mod serving;
pub(crate) mod tls;
pub(crate) mod validity;
