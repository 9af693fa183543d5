//! The wrong codes of each user as this server remembers them, beside the database. A writer of the database can put an account back to
//! a state in which none were counted, and guess on.
//!
//! Invariant: a user's attempts are judged while this server has counted no more wrong codes within an hour than the throttle allows at
//! most, also where the account has fewer. A question that is asked again counts once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use twofactor_core::account::throttle::Limits;
use twofactor_core::host::user::UserName;

/// The time over which they are counted.
const WINDOW: Duration = Duration::from_hours(1);

/// The users remembered, so that invented names fill no memory.
const MOST_USERS: usize = 100_000;

/// A throttle has three bounds: of the source of the last login, of its host, and of all others. An account has three throttles for the
/// questions of hosts.
const BOUNDS: u32 = 9;

/// The wrong codes of users.
#[derive(Default)]
pub(crate) struct Guesses(Mutex<HashMap<UserName, WrongCodes>>);

struct WrongCodes {
    since: Instant,
    count: u32,
    /// The digest of the question that was counted last.
    last: Vec<u8>,
}

impl WrongCodes {
    fn are_recent(&self) -> bool {
        self.since.elapsed() < WINDOW
    }
}

impl Guesses {
    /// True while the throttle cannot have let so many through.
    pub(crate) fn are_too_many(&self, user: &UserName, limits: Limits) -> bool {
        let Some(most) = limits.most_within(WINDOW) else { return false };
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = counted.get(user).filter(|counted| counted.are_recent());
        counted.is_some_and(|counted| counted.count >= most.saturating_mul(BOUNDS))
    }

    /// Counts a wrong code of the question with this digest, unless it was counted last: a host asks again, under the same number, where
    /// nothing was written or its answer was lost.
    pub(crate) fn count(&self, user: &UserName, question: &[u8]) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= MOST_USERS {
            counted.retain(|_, counted| counted.are_recent());
        }
        if let Some(counted) = counted.get_mut(user).filter(|counted| counted.are_recent()) {
            if counted.last != question {
                counted.count = counted.count.saturating_add(1);
                question.clone_into(&mut counted.last);
            }
        } else if counted.len() < MOST_USERS {
            counted.insert(user.clone(), WrongCodes { since: Instant::now(), count: 1, last: question.to_vec() });
        }
    }

    /// Forgets those of a user who has logged in: at the source of that login the throttle begins anew.
    pub(crate) fn forget(&self, user: &UserName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_wrong_codes_than_a_throttle_lets_through_end_the_judging_of_that_user_until_a_login() {
        let (guesses, limits) = (Guesses::default(), Limits::default());
        let [alice, bob] = ["alice", "bob"].map(|name| UserName::new(name).unwrap());
        let most = 9 * (11 + 4);
        for number in 0..most {
            assert!(!guesses.are_too_many(&alice, limits), "{number}");
            guesses.count(&alice, &[number]);
            guesses.count(&alice, &[number]);
        }
        assert!(guesses.are_too_many(&alice, limits));
        assert!(!guesses.are_too_many(&bob, limits));
        let none = Limits { first_delay: Duration::ZERO, ..limits };
        assert!(!guesses.are_too_many(&alice, none), "where nothing is delayed");
        guesses.forget(&alice);
        assert!(!guesses.are_too_many(&alice, limits));
    }
}
