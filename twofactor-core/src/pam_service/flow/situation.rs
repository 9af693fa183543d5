//! The situations in which a phase can be, and its ends.

use super::super::control::{Action, Outcome};
use thiserror::Error;

/// libpam's view of a phase so far: its impression and its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SoFar {
    /// Nothing that counts was returned. At the end: permission denied.
    Nothing,
    /// Success.
    Success,
    /// Success, but the password has expired.
    NewPassword,
    /// A failure that was said to be ok. At the end: that failure.
    Tolerated,
    /// A failure whose code says that the password has expired. At the end of an account phase applications have it changed and
    /// go on, whatever refused behind it.
    ExpiredPassword,
    /// Any other failure.
    Failure,
}

impl SoFar {
    /// True when an application lets in at such an end of the account phase; an expired password is changed on the way.
    pub fn lets_in(self) -> bool {
        match self {
            Self::Success | Self::NewPassword | Self::ExpiredPassword => true,
            Self::Nothing | Self::Tolerated | Self::Failure => false,
        }
    }

    /// libpam's view once a module has returned a failure: its code is the phase's, unless there was another
    /// failure before.
    pub(super) fn refused(self, outcome: Outcome) -> Self {
        match (self, outcome) {
            (Self::ExpiredPassword | Self::Failure, _) => self,
            (_, Outcome::NewPassword) => Self::ExpiredPassword,
            _ => Self::Failure,
        }
    }
}

/// The fate of the first factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Primary {
    /// No module asked for one.
    NotAsked,
    /// No known module has asked for one, but an unknown one accepted something.
    Perhaps,
    /// Some module did, and none accepted it.
    Refused,
    /// Some module accepted it.
    Passed,
}

/// The fate of our own line; of several, the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ours {
    /// It did not run.
    NotRun,
    /// It accepted.
    Passed,
    /// It had nothing to say.
    Ignored,
    /// It refused.
    Refused,
}

/// The fate of second factors of other products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Others {
    /// None accepted.
    None,
    /// One did, and nothing else: it stands for a first factor.
    Alone,
    /// One did, and so did a first factor.
    Beside,
}

/// The number of our own lines that accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Accepted {
    /// None.
    None,
    /// One.
    Once,
    /// Several: each of them asked.
    Repeatedly,
}

/// The word that our line gets of a failed first factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Told {
    /// Nothing.
    Nothing,
    /// A failure was noted, and our line has not run since.
    Noted,
    /// Our line ran with the note. It refuses then, although it is followed here as if it asked: what it would let in is known
    /// that way.
    Told,
}

/// A line that ran, what it returned, and what was done with that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The line, by its place in the phase.
    pub line: usize,
    /// Its result.
    pub outcome: Outcome,
    /// libpam's action.
    pub action: Action,
    /// The line that ran next, or would have: as many as there are at the end.
    pub next: usize,
}

/// A way a phase can end, and a shortest path to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The end.
    pub so_far: SoFar,
    /// With which first factor.
    pub primary: Primary,
    /// With which answer of ours.
    pub ours: Ours,
    /// With which second factor of another product.
    pub others: Others,
    /// The number of our lines that accepted.
    pub accepted: Accepted,
    /// The word that our line got.
    pub told: Told,
    /// The steps, in their order.
    pub path: Vec<Step>,
}

/// A phase has too many ways to follow.
#[derive(Debug, Error)]
#[error("its lines jump and reset in too many ways to follow")]
pub struct Tangled;

/// The assumption about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assumed {
    /// Nothing: it does what a module of its nature may do.
    Nothing,
    /// Its module is not there.
    Missing,
    /// It accepts.
    Passes,
    /// It refuses.
    Refuses,
    /// It has something to say.
    Decides,
    /// It has nothing to say.
    Abstains,
}

/// The situation that a way has come to. From equal situations on, everything is equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Situation {
    /// The line that runs next, by its place in the phase.
    pub line: usize,
    /// libpam's view of the phase.
    pub so_far: SoFar,
    /// The fate of the first factor.
    pub primary: Primary,
    /// The fate of our own line.
    pub ours: Ours,
    /// The fate of second factors of other products.
    pub others: Others,
    /// The number of our own lines that accepted.
    pub accepted: Accepted,
    /// The word that our line got.
    pub told: Told,
    /// The view when each substack was entered; empty where nothing is ever reset to it.
    pub entered: Vec<SoFar>,
}
