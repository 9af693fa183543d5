//! Accounts of other systems, read so that their users need not enroll anew.
//!
//! [`google_authenticator`] reads the state file of one user, [`oath_users`] the file of pam_oath with all of them, [`app_export`] what
//! an authenticator app writes. They give
//! [`Arrival`]s, which a store takes in. [`pam_u2f`] says who has which keys, and no more.
//!
//! Invariants: a code that the other system has accepted is not good once more; where it does not say which it has accepted,
//! every code is burned that it can have. A file that the other system itself would refuse is refused, and no error repeats
//! its text. Memory that held a secret is wiped.

pub mod app_export;
mod arrival;
pub mod google_authenticator;
pub mod oath_users;
pub mod pam_u2f;

pub use arrival::{Arrival, Arrived, Refused, Remark};
