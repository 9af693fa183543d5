//! The Debian package in a freshly installed Debian 12 and a Debian 13: dpkg, apt, pam-auth-update, sshd, login, su and sudo are real.
//!
//! What always holds here: PAM never names a module that is not there, and whoever could log in before can log in
//! afterwards, whatever happens to dpkg meanwhile.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod fleet;
mod interrupted;
mod lifecycle;
mod package;
mod profile;
mod staying;
mod system;
