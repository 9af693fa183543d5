//! Two consecutive codes of a token that is to be registered, counted like any answer.

use super::course::{Judged, Verification};
use super::two_codes::TwoCodes;
use crate::account::State;
use crate::codes::otp::{self, Parameters, Progress, Reach};
use crate::codes::secret::Secret;
use crate::store::enrollment::{Listing, NotRegistered, Registration, RegistrationProof};
use crate::store::error::StoreError;
use zeroize::Zeroizing;

/// Checks two codes of a token in inventory.
pub(in crate::store) struct RegistrationCheck<'a, F> {
    /// The codes.
    pub(in crate::store) two: TwoCodes<'a>,
    /// Looks the serial up, once the attempt is counted.
    pub(in crate::store) find: F,
}

impl<F: FnOnce() -> Result<Listing, StoreError>> Verification for RegistrationCheck<'_, F> {
    type Outcome = Result<Registration, NotRegistered>;

    fn refused_unseen(&self, before: &State) -> Option<Result<Self::Outcome, StoreError>> {
        self.two.is_blocked(before).then_some(Ok(Err(NotRegistered::Throttled)))
    }

    fn charged(&self, before: &State) -> State {
        self.two.charged(before)
    }

    fn look(self, before: State, _: State) -> Result<Judged<Self::Outcome>, StoreError> {
        let TwoCodes { serial, codes, now, .. } = self.two;
        let outcome = match (self.find)()? {
            Listing::Free(token, progress) => {
                // The wide reach suits a token that lay in a drawer for years, and no session can be opened with a
                // token in inventory.
                let found = otp::resynchronize(&token.secret, token.parameters, codes, progress, Reach::Day, now);
                let anchored = found.map(|step| progress.anchored(step, token.parameters.kind, now));
                let registration = anchored.map(|progress| Registration {
                    serial: serial.clone(),
                    proof: RegistrationProof::Progress(progress),
                });
                registration.ok_or_else(|| NotRegistered::WrongCodes(serial.clone()))
            }
            not_free => {
                // It takes as long as with a token: time must not tell what lies in the box.
                if let Ok(decoy) = Secret::from_bytes(Zeroizing::new(vec![0; 20])) {
                    let (parameters, progress) = (Parameters::default(), Progress::default());
                    let _ = otp::resynchronize(&decoy, parameters, codes, progress, Reach::Day, now);
                }
                Err(match not_free {
                    Listing::Unknown => NotRegistered::NoSuchToken,
                    Listing::NotFree | Listing::Free(..) => NotRegistered::NotFree(serial.clone()),
                })
            }
        };
        Ok(Judged { kept: outcome.is_ok().then_some(before), outcome: Ok(outcome) })
    }
}
