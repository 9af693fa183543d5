//! What the link of a host and the servers of its fleet have in common: files of certificates, keys of hosts, and the code with which a
//! host joins. The reader of certificates' DER is that of security keys' attestations, too.
//!
//! Nothing here opens a connection or judges a question.

#![forbid(unsafe_code)]

pub mod certificate;
pub mod der;
pub mod host_key;
pub mod join_code;
pub mod pem;
