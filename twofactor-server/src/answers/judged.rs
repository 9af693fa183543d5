//! A question of a host on its way to the accounts, and its judgement.

use std::sync::Arc;

use twofactor_core::account::throttle::Count;
use twofactor_core::host::user::UserName;
use twofactor_core::store::wire::{Call, Message};
use twofactor_core::terms::OwnChanges;
use zeroize::Zeroizing;

use crate::error::ServerError;
use crate::hosts::host::Host;

/// A question that the host may ask.
#[derive(Clone, Copy)]
pub(crate) struct Question<'q> {
    /// The host, by its certificate.
    pub(crate) host: &'q Host,
    /// The question as it came.
    pub(crate) line: &'q [u8],
    /// The same, read.
    pub(crate) message: &'q Message,
    /// The user that it is about.
    pub(crate) user: &'q UserName,
    /// The count that wrong codes go on.
    pub(crate) count: Count,
    /// The changes that the user may make, where it is about the own account.
    pub(crate) own: Option<&'q Arc<OwnChanges>>,
    /// The quota of the host, where the question sets up a first factor without an invitation.
    pub(crate) quota: Option<u32>,
}

impl Question<'_> {
    /// The question, told from every other. One without a number gets one here: two logins may type the same.
    pub(crate) fn numbered(&self) -> Result<Zeroizing<Vec<u8>>, ServerError> {
        let mut numbered = Zeroizing::new(Vec::with_capacity(self.line.len() + 16));
        numbered.extend_from_slice(self.line);
        if !self.message.is_numbered().unwrap_or(false) {
            let mut number = [0; 16];
            getrandom::fill(&mut number).map_err(|_| ServerError::NoRandomness)?;
            numbered.extend_from_slice(&number);
        }
        Ok(numbered)
    }
}

/// The refusals to one host within an hour, beside wrong codes, that get rows. With more of them a hostile host would fill the audit, so
/// the others get none.
pub(crate) const REFUSALS: f64 = 1000.0;

/// The newcomers who have typed codes of tokens at one host within an hour, after which no more newcomers register tokens there. A newcomer
/// is a user of whom nothing is kept. Codes of a token are counted by the user's name, so they take a place in the store, and a hostile
/// host has any number of names, with the codes of one free token, too, which stay good; a place is all that it gains. The guesser of an
/// invitation takes none and does not count here: strangers at a login would keep newcomers out. A user counts once, by the first codes,
/// so that a rollout stays below this.
pub(crate) const NEWCOMERS: f64 = 1000.0;

/// The count of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// A wrong code of a user who is enrolled.
    WrongCode,
    /// An attempt of a newcomer at a token.
    Newcomer,
    /// Anything else.
    Refused,
}

/// The outcome of a question, for the counts and the audit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// A wrong code was looked at and counted.
    pub(crate) is_guess: bool,
    /// Nothing is kept of the user.
    pub(crate) is_new: bool,
    /// It was refused, or has given nothing ([`is_look`]).
    pub(crate) is_refused: bool,
}

impl Outcome {
    /// True where it gets a row of the audit at a host to which so much was refused lately.
    pub(crate) fn gets_row(self, refused: f64) -> bool {
        refused < REFUSALS || self.is_guess || !self.is_refused
    }
}

impl Counted {
    /// Wrong codes, attempts of newcomers at tokens, and all refusals that this is.
    pub(crate) fn counts(self) -> [i32; 3] {
        match self {
            Self::WrongCode => [1, 0, 0],
            Self::Newcomer => [0, 1, 1],
            Self::Refused => [0, 0, 1],
        }
    }

    /// The count of a question whose refusal would be `refusal`.
    pub(crate) fn of(refusal: Self, Outcome { is_guess, is_new, is_refused }: Outcome) -> Option<Self> {
        match (is_guess, is_new) {
            (true, false) => Some(Self::WrongCode),
            // With each of them another name would take a place.
            (true, true) => Some(refusal),
            (false, _) => is_refused.then_some(refusal),
        }
    }
}

/// Refuses a newcomer's question about a token at a host at which so many newcomers have typed codes lately. `is_new`: nothing is kept of the
/// user.
pub(crate) fn may_register(call: &Call, newcomers: f64, is_new: bool) -> Result<(), ServerError> {
    let are_too_many = is_new && call.token().is_some() && newcomers >= NEWCOMERS;
    if are_too_many { Err(ServerError::TooManyNewcomers) } else { Ok(()) }
}

/// True for a question that gives a user nothing, also where its codes are right, which stay good. Else a host takes a place and a row for
/// each name that it invents, with the codes of one free token.
pub(crate) fn is_look(call: &Call) -> bool {
    matches!(call, Call::CheckRegistration(..))
}

/// The count of a question's refusal.
pub(crate) fn refusal(call: &Call, is_new: bool) -> Counted {
    if is_new && call.token().is_some() { Counted::Newcomer } else { Counted::Refused }
}

/// The answer to a question, which is durable.
pub(crate) struct Judged {
    /// The answer.
    pub(crate) answer: Message,
    /// The wrong codes of the host within the last hour, where this was one of them.
    pub(crate) wrong_codes: Option<f64>,
    /// It has a row of the audit. False where more was refused to the host than gets one.
    pub(crate) is_kept: bool,
}

impl Judged {
    /// An answer without a wrong code.
    pub(crate) fn plain(answer: Message) -> Self {
        Self { answer, wrong_codes: None, is_kept: true }
    }
}
