//! PAM services changed: our lines into a text and out of it, and what libpam is to run before the change is written.
//!
//! Read as the core reads them ([`pam_service`](twofactor_core::pam_service)). Nothing is run or written here.

mod course;
pub mod placing;
pub mod rehearsal;
pub mod siblings;
mod together;
