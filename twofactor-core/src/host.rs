//! The host as the rules see it: time, users and groups, files that only root may change, words for a shell.

pub mod clock;
pub mod random;
pub mod shell;
pub mod trusted;
pub mod user;
