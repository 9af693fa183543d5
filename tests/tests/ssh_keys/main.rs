//! Security keys of ssh in the place of a code: a key in software (`tests/security-key`), the real ssh, ssh-keygen and sshd.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod attested;
mod certificates;
mod counting;
mod decision;
mod guide;
mod login;
mod own;
mod pin;
mod provider;
mod root;
mod service;
mod variable;
mod words;
