//! Where accounts are kept, seen from a login: one verb that matters, [`Store::redeem`].
//!
//! The trait exposes verbs, not data. There is no "read the secret" on the login path, so that a store may one day verify
//! where the host never sees a seed. Success exists only as a [`Redeemed`], which only a store can make, and only after
//! it has recorded the success durably.
//!
//! What a sysadmin asks of a store stands apart, in [`administration`].

pub mod administration;
mod enrollment;
mod error;
pub mod files;
mod open;
mod redemption;
pub mod registry;
mod rules;
mod verification;

pub use enrollment::{
    EnrollmentStatus, EnrollmentStore, NotRegistered, Pending, PendingFactor, Registration, SecretOrigin, Superseded,
};
pub use error::{Loss, StoreError, Unusable};
pub use open::open;
pub use redemption::{Absent, Attempt, Factor, Presence, Redeemed, Redemption, Remembered, Store, Stripping};
pub use rules::VerificationRules;
