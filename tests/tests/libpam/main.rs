//! The real module in the real libpam: what an application gets, what the log says, and what stays behind.
//!
//! Every test has a private host; users and secrets are made by the real tool, codes by oathtool.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod another_person;
mod answers;
mod combined;
mod files;
mod first_factor;
mod guest;
mod memory;
mod once;
mod return_codes;
mod ssh_keys;
