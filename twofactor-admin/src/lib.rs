//! Code for administration alone, which no login needs: seed files, PAM files changed, a host checked, the log read back.
//!
//! Pure where it can be, as the core: no libpam, no terminal, no `unsafe`; what a host is like and what a person says are
//! arguments. Imports point one way: a room uses those above it in this list and the core, and no file imports the file of a
//! folder it lies in.

#![forbid(unsafe_code)]

// Files of the host changed: PAM services and the configuration.
pub mod config_editing;
pub mod pam_editing;

// Security keys of ssh.
pub mod attestation;

// What a sysadmin should know.
pub mod checkup;
pub mod logbook;

// Seed files.
pub mod seed_files;

// Accounts of other systems.
pub mod moving_in;

// Everything of a store as one stream.
pub mod backup;
