//! Stores of accounts, as a login sees them: [`Store::redeem`] is the verb that matters.
//!
//! The trait has verbs and no data. No verb of a login reads a secret, so a store may one day verify codes where the
//! host never sees a seed. A success exists only as a [`Redeemed`], which only a store can make, and only after it has
//! recorded the success durably.
//!
//! The verbs of a sysadmin stand apart, in [`administration`].

pub mod administration;
mod beside_broker;
mod beside_fleet;
pub mod broker;
mod changes;
mod credentials_text;
mod decoy;
mod enrollment;
mod error;
pub mod files;
pub mod helpdesk;
pub mod inventory;
mod newcomer;
pub mod one_account;
mod open;
mod redemption;
pub mod registry;
mod rules;
pub mod self_service;
mod state_text;
mod verification;
pub mod wire;

pub use beside_broker::{FilesAndBroker, Judge};
pub use beside_fleet::LocalAndCentral;
pub use enrollment::{
    EnrollmentStatus, EnrollmentStore, Listing, NotRegistered, Pending, PendingFactor, Registration, SecretOrigin,
    Superseded, TokenRegistration,
};
pub use error::{Loss, StoreError, Unusable};
pub use open::open;
pub use redemption::{
    Absent, Attempt, Factor, Presence, Recognized, Redeemed, Redemption, Remembered, Store, Stripping,
};
pub use rules::VerificationRules;
