//! The rpm packages: what is in them, that they come and go without harm, and what the SELinux policy allows.
//!
//! The packages are built as `make rpm` builds them and installed by the real rpm into a root folder of a private host,
//! whose scriptlets really run there. What cannot be shown here: Fedora itself, and a kernel that enforces the policy.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod authselect;
mod contents;
mod installing;
mod packages;
mod root;
mod selinux;
mod stand_ins;
