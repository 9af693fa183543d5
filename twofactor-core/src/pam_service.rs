//! A PAM service as configured: its lines, with everything it includes, in the order libpam runs them.
//!
//! Read as libpam reads (pam.conf(5), libpam/pam_handlers.c): `#` comments, lines continued with a backslash, `@include` of
//! Debian, `include` and `substack`, module paths, controls in brackets, `-` before a type. What libpam makes a line of that
//! always fails is such a line here ([`Kind::Broken`]). Nothing is run or changed.
//!
//! A service that older and newer versions of libpam read differently is an error here: which of them a host has is not known,
//! and the next upgrade changes it.
//!
//! [`flow`] says how the phases can end, [`findings`] what is wrong with that.

pub mod account_line;
pub mod control;
pub mod environment;
pub mod findings;
pub mod first_factor;
pub mod flow;
pub mod letters;
mod line;
pub mod modules;
mod naming;
pub mod programs;
pub mod script;
mod service;
pub mod text;

pub use line::{Absence, Flaw, Kind, Line, Phase};
pub use naming::{FOLDERS, OTHER, is_copy, is_name, names};
pub use script::SERVICE;
pub use service::{Scripted, Service, ServiceError, find, is_debians_include, lines};
pub use text::Reading;
