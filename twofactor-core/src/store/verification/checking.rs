//! A code that a user reads to the helpdesk: judged like an answer of a login, used up, and opening nothing.

use super::course::{Judged, Verification};
use super::owner::must_be_of;
use super::presented::Presented;
use crate::account::notice::Notice;
use crate::account::{Judgement, NearMiss, Proof, State};
use crate::store::error::StoreError;
use crate::store::helpdesk::{Credential, NotHelped, Verdict};

/// Checks and burns a code without a login.
pub(in crate::store) struct Checking<'a> {
    /// The code, and what it is judged by.
    pub(in crate::store) presented: Presented<'a>,
    /// The notice to the owner.
    pub(in crate::store) notice: Notice,
}

impl Verification for Checking<'_> {
    type Outcome = Result<Verdict, NotHelped>;

    fn prepare(&mut self, read: State) -> State {
        let mut before = read.recognizing(self.presented.wallet.tokens());
        before.notice(self.notice.clone());
        before
    }

    fn refused_unseen(&self, before: &State) -> Option<Result<Self::Outcome, StoreError>> {
        let Presented { person, rules, .. } = self.presented;
        if let Err(uid_changed) = must_be_of(before, person) {
            return Some(Err(uid_changed));
        }
        if self.presented.is_blocked(before, rules.count) {
            return Some(Ok(Err(NotHelped::Throttled)));
        }
        let is_no_guess = self.presented.guess().is_none();
        is_no_guess.then_some(Ok(Ok(Verdict::Wrong)))
    }

    fn charged(&self, before: &State) -> State {
        let guess = self.presented.guess().unwrap_or_default();
        self.presented.charged(before, self.presented.rules.count, guess)
    }

    fn look(self, before: State, mut charged: State) -> Result<Judged<Self::Outcome>, StoreError> {
        let Presented { wallet, attempt, rules, now, .. } = self.presented;
        let (kept, verdict) = match wallet.judge(attempt.readings, None, &before, &self.presented.tolerance()) {
            Judgement::Right { proof, uses, .. } => {
                let mut burned = before.burning(uses);
                burned.throttle_of_mut(rules.count).accept(attempt.source, rules.limits, now);
                (Some(burned), Verdict::Right(Credential::of(*proof)))
            }
            Judgement::Replayed { .. } => (Some(before), Verdict::Replayed),
            Judgement::NotConfirmed => (None, Verdict::NotConfirmed),
            Judgement::Disabled { serial, stage } => (None, Verdict::Disabled { serial, stage }),
            Judgement::NearMiss(near_miss) => {
                // The member knows now when it will be right, so alone it never is.
                charged.count_near_miss(&near_miss);
                let NearMiss { serial, label, steps, .. } = *near_miss;
                let is_held = wallet.credentials.is_some_and(|credentials| credentials.held(&serial).is_some());
                let verdict = if is_held {
                    Verdict::TokenOutOfStep { serial, steps }
                } else {
                    Verdict::AppOutOfStep { label, steps }
                };
                (Some(charged), verdict)
            }
            // Every kind of credential counts here.
            Judgement::NotAllowed | Judgement::Wrong => (None, Verdict::Wrong),
        };
        Ok(Judged { kept, outcome: Ok(Ok(verdict)) })
    }
}

impl Credential {
    /// The credential of a proof.
    pub fn of(proof: Proof) -> Self {
        match proof {
            Proof::Token { serial, label, drift, .. } => Self::Token { serial, label, drift },
            Proof::Recovery(_) => Self::Recovery,
            Proof::Temporary => Self::Temporary,
        }
    }
}
