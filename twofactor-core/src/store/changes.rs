//! The rules of administration, and of what users do about themselves, once for every store: credentials and state go in, credentials and state come out. A store reads
//! before and writes after, in its own order and under its own lock.

mod enrolling;
mod export;
mod favours;
mod forgetting;
mod own;
mod ssh_keys;
mod standing;

pub(in crate::store) use enrolling::{Enrolling, Whole};
pub(in crate::store) use export::exported;
pub(in crate::store) use favours::{forgiven, hand_out, invite, take_back_handout, without_favours};
pub(in crate::store) use forgetting::{Remains, unconfirmed};
pub(in crate::store) use own::{
    Changer, Made, Prepared, attempt, confirmed, first_app, invited, overtaken, own_account, proven_by, token_refused,
};
pub(in crate::store) use ssh_keys::{Added, Removed, add_ssh_key, remove_ssh_key};
pub(in crate::store) use standing::{judged, newcomer, pending, status};
