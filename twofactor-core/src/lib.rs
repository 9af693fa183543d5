//! The rules of twofactor: codes, accounts, stores, policy, and the story of a login.
//!
//! Pure where it can be: no libpam, no terminal, no `unsafe`; time, users, store, conversation and log are arguments.
//! Dependencies point one way: a module uses its own group of this list and those above, and never in a circle.

#![forbid(unsafe_code)]

// Values.
pub mod clock;
pub mod digest;
pub mod document;
pub mod pairs;
pub mod pam_service;
pub mod programs;
pub mod reason;
pub mod secret;
pub mod shell;
pub mod trusted;
pub mod user;

// Codes.
pub mod otp;
pub mod qr;
pub mod recovery;

// What a person typed.
pub mod answer;
pub mod invitation;

// Things.
pub mod lifecycle;
pub mod throttle;
pub mod token;

// What counts among things.
pub mod rule;

// Things made of things.
pub mod account;
pub mod memory;
pub mod otpauth;

// Storage.
pub mod store;

// Rules as they are written.
pub mod config;

// Rules made of rules.
pub mod policy;

// Stories.
pub mod arguments;
pub mod audit;
pub mod enrollment;
pub mod logbook;
pub mod login;

// What a sysadmin should know.
pub mod checkup;

// Seed files.
#[cfg(feature = "seed-files")]
pub mod import;
