//! The host as the rules see it: time, users and groups, files that only root may change, words for a shell, the syslog daemon.

pub mod clock;
pub mod random;
pub mod shell;
pub mod syslog;
pub mod trusted;
pub mod user;
