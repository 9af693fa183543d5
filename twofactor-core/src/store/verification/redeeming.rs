//! An answer that is to open a session.

use super::course::{Judged, Ledger, Verification};
use super::owner::must_be_of;
use super::presented::{Presented, in_vain};
use crate::account::remembered::Memory;
use crate::account::throttle::Count;
use crate::account::{Judgement, LastAccepted, NearMiss, Proof, State, Uses, Wallet};
use crate::host::shell;
use crate::log::reason::Reason;
use crate::store::error::StoreError;
use crate::store::redemption::{Factor, Redeemed, Redemption, TEMPORARY};

/// Checks and burns an answer, once everything is read that the user has.
pub(in crate::store) struct Redeeming<'a, F> {
    /// The answer, and what it is judged by.
    pub(in crate::store) presented: Presented<'a>,
    /// The error that hides a part of the account. A code that seems wrong may belong to that part.
    pub(in crate::store) missing: Option<StoreError>,
    /// Makes sure, by the state, that nothing else is missing.
    pub(in crate::store) complete: F,
}

impl<F: Fn(&State) -> Result<(), StoreError>> Verification for Redeeming<'_, F> {
    type Outcome = Redemption;

    fn prepare(&mut self, read: State) -> State {
        let wallet = self.presented.wallet;
        let mut before = read.recognizing(wallet.tokens());
        self.missing = self.missing.take().or_else(|| (self.complete)(&before).err());
        // What seems to be superfluous may belong to what could not be read.
        if self.missing.is_none() {
            before.tidy(wallet);
        }
        before
    }

    fn refused_unseen(&self, before: &State) -> Option<Result<Redemption, StoreError>> {
        let Presented { person, rules, .. } = self.presented;
        if let Err(uid_changed) = must_be_of(before, person) {
            return Some(Err(uid_changed));
        }
        if self.presented.is_blocked(before, rules.count) {
            return Some(Ok(Redemption::refused(Reason::Throttled)));
        }
        let is_no_guess = self.presented.guess().is_none();
        is_no_guess.then(|| Ok(Redemption::refused(Reason::WrongCode)))
    }

    fn work_in_vain(&self, ledger: &mut impl Ledger, before: &State) {
        in_vain(ledger, self.presented, before);
    }

    fn charged(&self, before: &State) -> State {
        let guess = self.presented.guess().unwrap_or_default();
        self.presented.charged(before, self.presented.rules.count, guess)
    }

    fn look(self, before: State, mut charged: State) -> Result<Judged<Redemption>, StoreError> {
        let Self { presented, missing, .. } = self;
        let Presented { person, wallet, attempt, rules, .. } = presented;
        // A right code that opens nothing is no guess of a login. A program without root says itself what counts: it would have
        // any code looked at and not burned.
        let unopened = (rules.count == Count::Logins).then(|| before.clone());
        let explained = |reason, hint| Ok(Redemption::Refused { reason, hint: Some(hint) });
        let (kept, outcome) = match wallet.judge(attempt.readings, attempt.previous, &before, &presented.tolerance()) {
            Judgement::Right { reading, proof, uses } => {
                let (accepted, factor) = accepted(before, uses, *proof, presented);
                (Some(accepted), Ok(Redemption::Redeemed(Redeemed { factor, reading, problem: missing })))
            }
            Judgement::Replayed { burned_until } => {
                let hint = burned_until.map(|until| {
                    format!(
                        "codes are burned until {until}: was the clock ahead? wait, or: twofactor enroll --replace {}",
                        shell::quoted(person.name.as_str())
                    )
                });
                (Some(before), Ok(Redemption::Refused { reason: Reason::Replayed, hint }))
            }
            Judgement::NotConfirmed => {
                let again = format!("twofactor enroll {}", shell::quoted(person.name.as_str()));
                let hint = format!("the secret waits for its confirmation: {again}");
                (unopened, explained(Reason::NotConfirmed, hint))
            }
            Judgement::Disabled { serial, stage } => {
                let enable = format!("twofactor token enable {}", shell::quoted(serial.as_str()));
                (unopened, explained(Reason::TokenDisabled, format!("token {serial} is {stage}: {enable}")))
            }
            Judgement::NotAllowed => {
                let allowed = attempt.factors.names().join(", ");
                let hint = format!("what counts for this login: {allowed}");
                (unopened, explained(Reason::FactorNotAllowed, hint))
            }
            Judgement::NearMiss(near_miss) => {
                charged.count_near_miss(&near_miss);
                let hint = near_miss.is_repeated.then(|| near_miss_in_words(&near_miss, wallet));
                (Some(charged), missing.map_or(Ok(Redemption::NearMiss { hint }), Err))
            }
            // It may be a code of what could not be read.
            Judgement::Wrong => (None, missing.map_or_else(|| Ok(Redemption::refused(Reason::WrongCode)), Err)),
        };
        Ok(Judged { kept, outcome })
    }
}

/// The state after an accepted login, and what opened it. The charge of this attempt is not in it: a right code is no guess.
fn accepted(before: State, uses: Uses, proof: Proof, presented: Presented<'_>) -> (State, Factor) {
    let Presented { person, wallet, attempt, rules, now } = presented;
    let mut state = before.after(uses);
    state.uid = Some(person.uid);
    state.has_credentials = wallet.credentials.is_some();
    state.throttle_of_mut(rules.count).accept(attempt.source, rules.limits, now);
    let opener = proof.opener();
    let factor = Factor::of(proof, wallet, &state);
    let name = match &factor {
        Factor::Token { label, .. } => label.clone(),
        Factor::Recovery { .. } => "recovery".to_owned(),
        Factor::Temporary => TEMPORARY.to_owned(),
    };
    if let (Some((place, duration)), Some(opener)) = (&attempt.remember, opener) {
        state.memories.add(Memory::of(*place, now, *duration, opener));
    }
    state.last_accepted = Some(LastAccepted { at: now, source: attempt.source.clone(), factor: name });
    (state, factor)
}

/// The hint for a token whose clock is off. It names neither the distance nor an early suspicion: a guesser who reads
/// the log would learn which guess will be right, and when.
fn near_miss_in_words(near_miss: &NearMiss, wallet: &Wallet<'_>) -> String {
    let NearMiss { serial, label, .. } = near_miss;
    if wallet.credentials.is_some_and(|credentials| credentials.held(serial).is_some()) {
        format!("is the clock of token {serial} off? twofactor token resync {}", shell::quoted(serial.as_str()))
    } else {
        format!("is the clock of the phone with the app \"{label}\" right?")
    }
}
