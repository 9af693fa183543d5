//! An invitation code, counted like any answer.

use super::course::{Judged, Verification};
use super::owner::must_be_of;
use crate::account::State;
use crate::account::invitation::{Invitation, InvitationCode};
use crate::codes::recovery::Salt;
use crate::host::clock::UnixTime;
use crate::host::user::Person;
use crate::log::reason::Reason;
use crate::store::error::StoreError;
use crate::store::redemption::Attempt;
use crate::store::rules::VerificationRules;

/// Checks an invitation code.
pub(in crate::store) struct InvitationCheck<'a> {
    /// The user who logs in.
    pub(in crate::store) person: &'a Person,
    /// The code.
    pub(in crate::store) typed: &'a InvitationCode,
    /// The attempt it is part of.
    pub(in crate::store) attempt: &'a Attempt<'a>,
    /// The throttle, and the count that wrong answers go on.
    pub(in crate::store) rules: &'a VerificationRules,
    /// The time, read under the lock.
    pub(in crate::store) now: UnixTime,
}

impl Verification for InvitationCheck<'_> {
    type Outcome = Result<Invitation, Reason>;

    fn refused_unseen(&self, before: &State) -> Option<Result<Self::Outcome, StoreError>> {
        // An invitation of another person with this name admits no user.
        if before.invitation.is_some()
            && let Err(uid_changed) = must_be_of(before, self.person)
        {
            return Some(Err(uid_changed));
        }
        let blocked = self.rules.block(before.throttle_of(self.rules.count), self.attempt.source, self.now);
        blocked.then_some(Ok(Err(Reason::Throttled)))
    }

    fn charged(&self, before: &State) -> State {
        let mut charged = before.clone();
        let fingerprint = Salt::NONE.fingerprint(self.typed.expose());
        charged.throttle_of_mut(self.rules.count).charge(self.attempt.source, fingerprint, self.rules.limits, self.now);
        charged
    }

    fn look(self, before: State, _: State) -> Result<Judged<Self::Outcome>, StoreError> {
        let invitation = before.invitation.filter(|invitation| invitation.admits(self.typed, self.now));
        let outcome = invitation.ok_or(Reason::InvitationWrong);
        Ok(Judged { kept: outcome.is_ok().then_some(before), outcome: Ok(outcome) })
    }
}
