//! An attempt with all that it is judged by.

use crate::account::Wallet;
use crate::codes::answer::Answer;
use crate::codes::recovery::Salt;
use crate::host::clock::UnixTime;
use crate::host::user::Person;
use crate::store::redemption::Attempt;

impl Attempt<'_> {
    /// What is counted of it. The longest reading holds all digits of the others: were it a shorter one, guesses that differ
    /// only before it would count as one.
    pub(super) fn guess(&self) -> Option<&str> {
        self.readings.iter().filter_map(Answer::digits).max_by_key(|digits| digits.len())
    }
}

impl Wallet<'_> {
    pub(super) fn salt(&self) -> Salt {
        self.credentials.map_or(Salt::NONE, |credentials| credentials.salt)
    }
}

/// An attempt under the lock, with all it is judged by.
pub(super) struct Judged<'a> {
    pub(super) person: &'a Person,
    pub(super) wallet: &'a Wallet<'a>,
    pub(super) attempt: &'a Attempt<'a>,
    /// Read under the lock.
    pub(super) now: UnixTime,
}
