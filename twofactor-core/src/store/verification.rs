//! The verification of an answer, the same for every store: read, refuse unseen, charge, look, settle.
//!
//! A store locks the account and calls [`verify`] with a [`Ledger`], which reads and writes that account's state. The
//! rest is a function of account, answer and time.

mod checking;
mod course;
mod invitation;
mod owner;
mod presented;
mod redeeming;
mod registration;
mod resynchronizing;
mod stripping;
mod two_codes;

pub(super) use checking::Checking;
pub(super) use course::{Ledger, Verification, verify};
pub(super) use invitation::InvitationCheck;
pub(super) use owner::must_be_of;
pub(super) use presented::{Presented, in_vain};
pub(super) use redeeming::Redeeming;
pub(super) use registration::RegistrationCheck;
pub(super) use resynchronizing::Resynchronizing;
pub(super) use stripping::Stripped;
pub(super) use two_codes::TwoCodes;
