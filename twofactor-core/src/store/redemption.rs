//! The redemption of an answer, with the proofs that only a store can make.

use super::error::StoreError;
use crate::account::factors::Factors;
use crate::account::remembered::{Place, Recall};
use crate::account::throttle::Source;
use crate::account::{Proof, State, Wallet};
use crate::codes::answer::Answer;
use crate::codes::otp::{Code, Digits};
use crate::host::user::{Person, UserName};
use crate::log::reason::Reason;
use std::time::Duration;

/// Answers whether a code opens a session, and burns it in the same transaction.
pub trait Store {
    /// Whether there is an account under this name, whoever it belongs to. Absence comes as a proof; whatever cannot be read
    /// is an error.
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError>;

    /// The code lengths of the user's tokens, for finding the code at the end of a combined answer. Empty without an
    /// account.
    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError>;

    /// Whether an accepted login like this one is still remembered, so that nobody has to be asked. Says `None` for whoever
    /// has nothing to be remembered of, and where what opened that one no longer counts.
    fn remembers(&self, person: &Person, like: &Recall<'_>, factors: Factors)
    -> Result<Option<Remembered>, StoreError>;

    /// How many recovery codes are still good; `None` for whoever never had any.
    fn recovery_left(&self, person: &Person) -> Result<Option<usize>, StoreError>;

    /// Checks an attempt and burns what it used: lock, read, throttle, charge, verify, put on disk.
    fn redeem(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Redemption, StoreError>;

    /// Burns a right code at the end of an answer to which no code is needed. Guesses count apart from those that could open
    /// a session: they delay no login, and no login makes up for them.
    fn strip(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Stripping, StoreError>;

    /// Does the same work for a user who does not exist, and changes nothing: how long it takes must not tell who exists.
    fn pretend(&self, attempt: &Attempt<'_>);
}

/// An answer, and what the policy says about it. Not the time, and not how far off a code may be: the store knows these.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// What the answer can mean; more than one for combined answers. All together are one attempt.
    pub readings: &'a [Answer],
    /// The code of the attempt before, when that was a [`Redemption::NearMiss`]: the two must be consecutive.
    pub previous: Option<&'a Code>,
    /// Where the login comes from.
    pub source: &'a Source,
    /// What counts.
    pub factors: Factors,
    /// Where to remember an accepted login, and for how long.
    pub remember: Option<(Place<'a>, Duration)>,
}

/// Proof that a login like this one was accepted a while ago and is remembered.
#[derive(Debug)]
pub struct Remembered(pub(in crate::store) ());

/// Whether a user has an account.
#[derive(Debug)]
#[must_use]
pub enum Presence {
    /// There is one, whatever its condition: apps, recovery codes, or a physical token, be it lost.
    Enrolled,
    /// There provably is none.
    Absent(Absent),
}

/// Proof that a user has no account: the entry was not there in a folder that was opened, and no token is assigned in a
/// registry that could be read.
#[derive(Debug)]
pub struct Absent(pub(in crate::store) ());

/// What became of an attempt.
#[derive(Debug)]
#[must_use]
pub enum Redemption {
    /// The code was right, and it is burned.
    Redeemed(Redeemed),
    /// It is a wrong code, and counted as one; but it seems to be of a token whose clock is off, and the next code of that
    /// can prove it.
    NearMiss {
        /// What a sysadmin should know, when it happens again and again.
        hint: Option<String>,
    },
    /// It was not.
    Refused {
        /// The log's word for it.
        reason: Reason,
        /// What a sysadmin should know beside it.
        hint: Option<String>,
    },
}

/// What an answer to which no code is needed had at its end.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Stripping {
    /// A right code, which is burned.
    Burned {
        /// Which of the attempt's readings was right.
        reading: usize,
        /// What it is a code of.
        factor: Factor,
    },
    /// Nothing that is a right code.
    Nothing,
    /// There were too many guesses: it was not looked at.
    Throttled,
}

impl Redemption {
    /// A refusal that its reason explains.
    pub(in crate::store) fn refused(reason: Reason) -> Self {
        Self::Refused { reason, hint: None }
    }
}

/// Proof that a code was right and that its use is on disk. Only a store can make one.
#[derive(Debug)]
#[must_use]
pub struct Redeemed {
    pub(in crate::store) factor: Factor,
    pub(in crate::store) reading: usize,
    pub(in crate::store) problem: Option<StoreError>,
}

/// What opened the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Factor {
    /// A token's code.
    Token {
        /// What the user calls it; a physical token's serial.
        label: String,
        /// Its learned drift in steps, after this login.
        drift: i32,
    },
    /// A recovery code.
    Recovery {
        /// How many are left.
        left: usize,
    },
}

impl Factor {
    /// What a right code is a code of, once `state` has it as used.
    pub(super) fn of(proof: Proof, wallet: &Wallet<'_>, state: &State) -> Self {
        match proof {
            Proof::Token { label, drift, .. } => Self::Token { label: label.to_string(), drift },
            Proof::Recovery(_) => {
                let left = wallet.credentials.map_or(0, |credentials| credentials.recovery_left(state));
                Self::Recovery { left }
            }
        }
    }
}

impl Redeemed {
    /// What opened the session.
    pub fn factor(&self) -> &Factor {
        &self.factor
    }

    /// Which of the attempt's readings was right.
    pub fn reading(&self) -> usize {
        self.reading
    }

    /// What kept another part of the store from answering. This login did not need it; the next may.
    pub fn problem(&self) -> Option<&StoreError> {
        self.problem.as_ref()
    }
}
