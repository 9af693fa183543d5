//! A question of a host on its way to the accounts, and its judgement.

use std::sync::Arc;

use twofactor_core::account::throttle::Count;
use twofactor_core::host::user::UserName;
use twofactor_core::store::wire::Message;
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
/// the others get none, and it enrolls no user meanwhile.
pub(crate) const REFUSALS: f64 = 1000.0;

/// The count of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// A wrong code of a user who is enrolled.
    WrongCode,
    /// Anything else.
    Refused,
}

/// The answer to a question, which is durable.
pub(crate) struct Judged {
    /// The answer.
    pub(crate) answer: Message,
    /// The wrong codes of the host within the last hour, where this was one of them.
    pub(crate) wrong_codes: Option<f64>,
    /// It has no row: more was refused to the host than gets one.
    pub(crate) is_over: bool,
}

impl Judged {
    /// An answer without a wrong code.
    pub(crate) fn plain(answer: Message) -> Self {
        Self { answer, wrong_codes: None, is_over: false }
    }
}
