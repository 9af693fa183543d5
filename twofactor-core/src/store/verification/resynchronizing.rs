//! Two consecutive codes of a physical token that its owner reads to the helpdesk: counted like any answer, and used up when
//! they are right.

use super::course::{Judged, Verification};
use super::owner::must_be_of;
use super::two_codes::TwoCodes;
use crate::account::State;
use crate::account::notice::Notice;
use crate::codes::otp::{self, Parameters, Progress, Reach};
use crate::codes::secret::Secret;
use crate::codes::token::Seeds;
use crate::host::user::Person;
use crate::store::error::StoreError;
use crate::store::helpdesk::NotHelped;

/// Checks and burns two codes of a token that has an owner.
///
/// Right codes are burned in the owner's state as the outcome settles, because the member has heard them. A registry that fails
/// afterwards does not make them good again.
pub(in crate::store) struct Resynchronizing<'a> {
    /// The owner.
    pub(in crate::store) person: &'a Person,
    /// The codes.
    pub(in crate::store) two: TwoCodes<'a>,
    /// The token's secret.
    pub(in crate::store) secret: &'a Secret,
    /// The parameters of its codes.
    pub(in crate::store) parameters: Parameters,
    /// The codes that are used, and the distance of its clock.
    pub(in crate::store) progress: Progress,
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
        self.two.is_blocked(before).then_some(Ok(Err(NotHelped::Throttled)))
    }

    fn charged(&self, before: &State) -> State {
        self.two.charged(before)
    }

    fn look(self, mut before: State, _: State) -> Result<Judged<Self::Outcome>, StoreError> {
        let Self { two: TwoCodes { codes, now, .. }, secret, parameters, progress, .. } = self;
        let found = otp::resynchronize(secret, parameters, codes, progress, Reach::Day, now);
        let Some(step) = found else { return Ok(Judged { kept: None, outcome: Ok(Err(NotHelped::WrongCodes)) }) };
        let (reached, seeds) = (progress.anchored(step, parameters.kind, now), Seeds::of(secret, parameters));
        before.burn(seeds, reached);
        before.forgive_near_misses(seeds);
        Ok(Judged { kept: Some(before), outcome: Ok(Ok(reached)) })
    }
}
