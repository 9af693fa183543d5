//! An answer to which no code is needed and that may have one at its end.

use super::course::{Judged, Verification};
use super::owner::must_be_of;
use super::presented::Presented;
use crate::account::{Judgement, State};
use crate::store::error::StoreError;
use crate::store::redemption::{Factor, Stripping};

/// Burns a right code of an answer to which none is needed.
pub(in crate::store) struct Stripped<'a>(pub(in crate::store) Presented<'a>);

impl Verification for Stripped<'_> {
    type Outcome = Stripping;

    fn prepare(&mut self, read: State) -> State {
        read.recognizing(self.0.wallet.tokens())
    }

    fn refused_unseen(&self, before: &State) -> Option<Result<Stripping, StoreError>> {
        let Presented { person, rules, .. } = self.0;
        if let Err(uid_changed) = must_be_of(before, person) {
            return Some(Err(uid_changed));
        }
        if self.0.is_blocked(before, rules.count.where_none_is_needed()) {
            return Some(Ok(Stripping::Throttled));
        }
        let is_no_guess = self.0.guess().is_none();
        is_no_guess.then_some(Ok(Stripping::Nothing))
    }

    fn charged(&self, before: &State) -> State {
        let count = self.0.rules.count.where_none_is_needed();
        self.0.charged(before, count, self.0.guess().unwrap_or_default())
    }

    fn look(self, before: State, _: State) -> Result<Judged<Stripping>, StoreError> {
        let Presented { wallet, attempt, rules, now, .. } = self.0;
        let (kept, stripping) = match wallet.judge(attempt.readings, None, &before, &self.0.tolerance()) {
            Judgement::Right { reading, proof, uses } => {
                let mut after = before.after(uses);
                after.has_credentials = wallet.credentials.is_some();
                after.throttle_of_mut(rules.count.where_none_is_needed()).accept(attempt.source, rules.limits, now);
                let factor = Factor::of(*proof, wallet, &after);
                (Some(after), Stripping::Burned { reading, factor })
            }
            // A client that sends the same again guesses nothing, and learns nothing.
            Judgement::Replayed { .. } => (Some(before), Stripping::Nothing),
            _ => (None, Stripping::Nothing),
        };
        Ok(Judged { kept, outcome: Ok(stripping) })
    }
}
