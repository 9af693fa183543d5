//! `twofactor service` on PAM files as distributions ship them: what it writes, what the real libpam makes of that, and how it
//! goes away again.
//!
//! Modules that this host has run for real, pam_unix first of all; `layout.rs` says which are stubs, and what those do.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod changing;
mod dispatch;
mod enabling;
mod layout;
mod placed;
mod programs;
mod reading;
mod real_programs;
mod refusals;
mod rehearsal;
mod removing;
mod replacing;
mod siblings;
mod sshd;
mod telling;
mod warnings;
