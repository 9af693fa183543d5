//! The questions of a login to a store in another process, and the answers, as messages on a stream.
//!
//! A message is a length (four bytes, big-endian, at most [`LARGEST_QUESTION`] or [`LARGEST_ANSWER`]) and a line of `key=value`
//! pairs as in the log. The first pair of a question is the version. A message that is not understood in full is refused: nothing in
//! it has a default.
//!
//! Messages hold codes. They are wiped when they are dropped.

mod answered;
mod call;
mod channel;
mod enrolling;
mod error;
mod helpdesk;
mod membership;
mod message;
mod self_service;
#[cfg(test)]
mod tests;

pub use answered::Answered;
pub use call::{About, Call, Guess, ShownToken};
pub use channel::Channel;
pub use enrolling::{Confirming, NewcomersApp, TypedInvitation};
pub use error::WireError;
pub use membership::{
    CERTIFICATE_NOT_TAKEN, HostCall, IssuedCertificate, LinkState, NewKey, ShownCertificate, answering_clock,
    answering_link, read_clock, read_link,
};
pub use message::{LARGEST_ANSWER, LARGEST_QUESTION, Message};
