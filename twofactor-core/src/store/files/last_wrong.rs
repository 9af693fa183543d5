//! The last wrong codes of a user. A program that judges for others tells by them whether an attempt was counted as a guess.

use super::locations::Files;
use crate::account::throttle::Count;
use crate::codes::digest::Digest;
use crate::host::clock::UnixTime;
use crate::host::user::UserName;
use crate::store::error::StoreError;

/// The last wrong code on each count, by its digest and time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastWrong(Vec<Option<(Digest, UnixTime)>>);

impl LastWrong {
    /// True when a wrong code was counted between `before` and now. The same code a moment later is counted once.
    pub fn is_later_than(&self, before: &Self) -> bool {
        let counted = |(place, last): (usize, &Option<_>)| last.is_some() && before.0.get(place) != Some(last);
        self.0.iter().enumerate().any(counted)
    }
}

impl Files {
    /// The last wrong codes of a user; none of one of whom nothing is kept.
    pub fn last_wrong(&self, user: &UserName) -> Result<LastWrong, StoreError> {
        let Some(account) = self.unlocked(user)? else { return Ok(LastWrong::default()) };
        let state = account.state()?;
        Ok(LastWrong(Count::ALL.map(|count| state.throttle_of(count).last_wrong).into()))
    }
}
