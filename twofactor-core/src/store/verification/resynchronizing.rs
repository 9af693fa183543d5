//! Two consecutive codes of a physical token that its owner reads to the helpdesk: counted like any answer, and used up when
//! they are right.

use super::course::{Judged, Verification};
use super::owner::must_be_of;
use crate::account::State;
use crate::account::notice::Notice;
use crate::codes::otp::{self, Code, Parameters, Progress, Reach};
use crate::codes::recovery::Salt;
use crate::codes::secret::Secret;
use crate::codes::token::{Seeds, Serial};
use crate::host::clock::UnixTime;
use crate::host::user::Person;
use crate::store::error::StoreError;
use crate::store::helpdesk::NotHelped;
use crate::store::redemption::Attempt;
use crate::store::rules::VerificationRules;
use zeroize::Zeroizing;

/// Checks and burns two codes of a token that has an owner.
///
/// Right codes are burned in the owner's state as the outcome settles, whatever becomes of the registry afterwards: the member
/// has heard them.
pub(in crate::store) struct Resynchronizing<'a> {
    /// The owner.
    pub(in crate::store) person: &'a Person,
    /// The token's serial.
    pub(in crate::store) serial: &'a Serial,
    /// Its secret.
    pub(in crate::store) secret: &'a Secret,
    /// The parameters of its codes.
    pub(in crate::store) parameters: Parameters,
    /// How far it has come.
    pub(in crate::store) progress: Progress,
    /// Two codes, one after the other.
    pub(in crate::store) codes: [&'a Code; 2],
    /// The attempt they are part of.
    pub(in crate::store) attempt: &'a Attempt<'a>,
    /// The throttle, and the count that wrong answers go on.
    pub(in crate::store) rules: &'a VerificationRules,
    /// The time, read under the lock.
    pub(in crate::store) now: UnixTime,
    /// The notice to the owner.
    pub(in crate::store) notice: Notice,
}

impl Verification for Resynchronizing<'_> {
    type Outcome = Result<Progress, NotHelped>;

    fn prepare(&mut self, mut read: State) -> State {
        read.notice(self.notice.clone());
        read
    }

    fn refused_unseen(&self, before: &State) -> Option<Result<Self::Outcome, StoreError>> {
        if let Err(uid_changed) = must_be_of(before, self.person) {
            return Some(Err(uid_changed));
        }
        let blocked =
            before.throttle_of(self.rules.count).blocked_until(self.attempt.source, self.rules.limits, self.now);
        blocked.map(|_| Ok(Err(NotHelped::Throttled)))
    }

    fn charged(&self, before: &State) -> State {
        let [first, second] = self.codes;
        let guess = Zeroizing::new(format!("{} {} {}", self.serial, first.expose(), second.expose()));
        let mut charged = before.clone();
        charged.throttle_of_mut(self.rules.count).charge(
            self.attempt.source,
            Salt::NONE.fingerprint(&guess),
            self.rules.limits,
            self.now,
        );
        charged
    }

    fn look(self, mut before: State, _: State) -> Result<Judged<Self::Outcome>, StoreError> {
        let Self { secret, parameters, progress, codes, now, .. } = self;
        let found = otp::resynchronize(secret, parameters, codes, progress, Reach::Day, now);
        let Some(step) = found else { return Ok(Judged { kept: None, outcome: Ok(Err(NotHelped::WrongCodes)) }) };
        let (reached, seeds) = (progress.anchored(step, parameters.kind, now), Seeds::of(secret, parameters));
        before.burn(seeds, reached);
        before.forgive_near_misses(seeds);
        Ok(Judged { kept: Some(before), outcome: Ok(Ok(reached)) })
    }
}
