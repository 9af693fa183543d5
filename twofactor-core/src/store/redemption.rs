//! The redemption of an answer, with the proofs that only a store can make.

use super::error::StoreError;
use crate::account::factors::Factors;
use crate::account::notice::Notice;
use crate::account::remembered::{LoginPlace, Recall};
use crate::account::throttle::Source;
use crate::account::{Proof, State, Wallet};
use crate::codes::answer::Answer;
use crate::codes::otp::{Code, Digits};
use crate::codes::ssh_key::{Fingerprint, SshKey};
use crate::host::user::{Person, UserName};
use crate::log::reason::Reason;
use crate::log::record::Record;
use std::time::Duration;

/// Answers whether a code opens a session, and burns it in the same transaction.
pub trait Store {
    /// Whether an account exists under this name; its owner does not matter. Absence comes as a proof, and an
    /// unreadable account is an error.
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError>;

    /// The code lengths of the user's tokens, for finding the code at the end of a combined answer. Empty without an
    /// account.
    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError>;

    /// A proof that a login like this one is remembered, so that no code is asked. `None` when none is remembered, and
    /// when the factor that opened the remembered login no longer counts.
    fn remembers(&self, person: &Person, like: &Recall<'_>, factors: Factors)
    -> Result<Option<Remembered>, StoreError>;

    /// The first of `keys`, which sshd has verified, that is enrolled for the user and counts. Nothing is burned, written or counted: a
    /// key is no guess, and its signature is over sshd's session and no other. So throttling does not apply either, or
    /// wrong codes of others would keep the owner of a key out.
    fn recognize(&self, person: &Person, keys: &[SshKey], factors: Factors) -> Result<Option<Recognized>, StoreError>;

    /// The number of unused recovery codes; `None` for a user who never had any.
    fn recovery_left(&self, person: &Person) -> Result<Option<usize>, StoreError>;

    /// Checks an attempt and burns what it used: lock, read, throttle, charge, verify, put on disk.
    fn redeem(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Redemption, StoreError>;

    /// Burns a right code at the end of an answer to which no code is needed. Guesses count apart from those that could open
    /// a session: they delay no login, and no login makes up for them.
    fn strip(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Stripping, StoreError>;

    /// The changes that the user has not been told of. Each is given once, to a login that shows it.
    fn take_notices(&self, person: &Person) -> Result<Vec<Notice>, StoreError>;

    /// Does the same work for a user who does not exist, and changes nothing: the time it takes must not reveal which
    /// users exist.
    fn pretend(&self, attempt: &Attempt<'_>);
}

/// An answer, with what the policy says about the login. The time and the window are missing: the store has its own.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The possible readings of the answer; more than one for combined answers. Together they are one attempt.
    pub readings: &'a [Answer],
    /// The code of the attempt before, when that was a [`Redemption::NearMiss`]: the two must be consecutive.
    pub previous: Option<&'a Code>,
    /// The address that the login comes from.
    pub source: &'a Source,
    /// The factors that the policy accepts.
    pub factors: Factors,
    /// The place and duration for which an accepted login is remembered.
    pub remember: Option<(LoginPlace<'a>, Duration)>,
}

/// Proof that a login like this one was accepted a while ago and is remembered.
#[derive(Debug)]
pub struct Remembered(pub(in crate::store) ());

/// Proof that sshd has verified a key that is enrolled for the user.
#[derive(Debug)]
pub struct Recognized(pub(in crate::store) Fingerprint);

impl Recognized {
    /// The log line with this key.
    #[must_use]
    pub fn noted_in(&self, record: Record) -> Record {
        record.with("token", format_args!("ssh-key:{}", self.0))
    }
}

/// The presence of an account.
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

/// The outcome of an attempt.
#[derive(Debug)]
#[must_use]
pub enum Redemption {
    /// The code was right, and it is burned.
    Redeemed(Redeemed),
    /// The code was wrong and is counted as wrong, but it is a code outside the window, of a token whose clock may be
    /// off. The token's next code can confirm it.
    NearMiss {
        /// A hint for the sysadmin, once it happens repeatedly.
        hint: Option<String>,
    },
    /// The attempt was refused.
    Refused {
        /// The log's word for it.
        reason: Reason,
        /// A hint for the sysadmin.
        hint: Option<String>,
    },
}

/// The outcome of looking for a code at the end of an answer that needs none.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Stripping {
    /// A right code, which is burned.
    Burned {
        /// The index of the right reading.
        reading: usize,
        /// The factor it is a code of.
        factor: Factor,
    },
    /// No right code.
    Nothing,
    /// The answer was not looked at: there were too many guesses.
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

/// The name of a temporary code in the log and the state.
pub(in crate::store) const TEMPORARY: &str = "temporary";

/// The factor that opened the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Factor {
    /// A token's code.
    Token {
        /// The label of an app; the serial of a physical token.
        label: String,
        /// Its learned drift in steps, after this login.
        drift: i32,
    },
    /// A recovery code.
    Recovery {
        /// The number of codes left.
        left: usize,
    },
    /// A temporary code of the helpdesk.
    Temporary,
}

impl Factor {
    /// The log line with this factor: a token with its drift, or the recovery codes that are left.
    #[must_use]
    pub fn noted_in(&self, record: Record) -> Record {
        match self {
            Self::Token { label, drift } => record.with("token", label).with("drift", drift),
            Self::Recovery { left } => record.with("token", "recovery").with("recovery_codes_left", left),
            Self::Temporary => record.with("token", TEMPORARY),
        }
    }

    /// The factor of a right code, after `state` has recorded its use.
    pub(super) fn of(proof: Proof, wallet: &Wallet<'_>, state: &State) -> Self {
        match proof {
            Proof::Token { label, drift, .. } => Self::Token { label: label.to_string(), drift },
            Proof::Temporary => Self::Temporary,
            Proof::Recovery(_) => {
                let left = wallet.credentials.map_or(0, |credentials| credentials.recovery_left(state));
                Self::Recovery { left }
            }
        }
    }
}

impl Redeemed {
    /// The factor that opened the session.
    pub fn factor(&self) -> &Factor {
        &self.factor
    }

    /// The index of the reading that was right.
    pub fn reading(&self) -> usize {
        self.reading
    }

    /// The error of another part of the store, which this login did not need and the next one may.
    pub fn problem(&self) -> Option<&StoreError> {
        self.problem.as_ref()
    }
}
