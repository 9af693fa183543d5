//! The four steps of an attempt, in their order. No other place of a store puts an answer to an account.
//!
//! Invariants: an answer is looked at only once its charge is written; its outcome is durable before the caller learns it.

use crate::account::State;
use crate::account::throttle::{Count, Throttle};
use crate::host::clock::UnixTime;
use crate::store::error::StoreError;

/// The state of one account whose lock is held, as a store reads and writes it.
pub(in crate::store) trait Ledger {
    /// Proof that the attempt at hand is counted. Only the ledger makes it.
    type Charge;

    /// Reads the state.
    fn read(&mut self) -> Result<State, StoreError>;

    /// Replaces dates that a clock which was set back has made wrong. Durable when it returns.
    fn correct(&mut self, seen: &State) -> Result<(), StoreError>;

    /// Counts an attempt before its answer is looked at: ending the process from now on does not undo it.
    fn charge(&mut self, charged: &State) -> Result<Self::Charge, StoreError>;

    /// Makes the outcome durable, and the charge with it. `None` keeps the charged state.
    fn settle(&mut self, charge: Self::Charge, outcome: Option<&State>) -> Result<(), StoreError>;

    /// Notes that the attempt was looked at and counts as a wrong code, for a program that judges for others.
    fn counted_a_guess(&mut self) {}
}

/// An answer to one of the questions of a login.
pub(in crate::store) trait Verification: Sized {
    /// The result that the caller gets.
    type Outcome;

    /// The state that the answer is judged by, of the state that was read.
    fn prepare(&mut self, read: State) -> State {
        read
    }

    /// The refusal of an answer that is not looked at: another person's account, or too early.
    fn refused_unseen(&self, before: &State) -> Option<Result<Self::Outcome, StoreError>>;

    /// The work that hides such a refusal. Changes nothing.
    fn work_in_vain(&self, _ledger: &mut impl Ledger, _before: &State) {}

    /// The state with this attempt counted as a wrong one.
    fn charged(&self, before: &State) -> State;

    /// Judges the answer by the state before the attempt.
    fn look(self, before: State, charged: State) -> Result<Judged<Self::Outcome>, StoreError>;
}

/// An answer that was judged and is not settled.
pub(in crate::store) struct Judged<T> {
    /// The state to keep; `None` keeps the charge.
    pub(in crate::store) kept: Option<State>,
    /// The result, which the caller gets once it is durable. An error where an unreadable part of the account may have
    /// the code.
    pub(in crate::store) outcome: Result<T, StoreError>,
}

/// Puts an answer to the account at `now`, a time that was read under the account's lock.
pub(in crate::store) fn verify<V: Verification>(
    ledger: &mut impl Ledger,
    now: UnixTime,
    mut verification: V,
) -> Result<V::Outcome, StoreError> {
    let written = ledger.read()?;
    let seen = written.clone().seen_at(now);
    if seen != written {
        ledger.correct(&seen)?;
    }
    let before = verification.prepare(seen);

    if let Some(refused) = verification.refused_unseen(&before) {
        verification.work_in_vain(ledger, &before);
        return refused;
    }
    let charged = verification.charged(&before);
    // A client that sends the same wrong code again is charged once.
    let is_charged = counts_of(&charged) != counts_of(&before);
    let counts = is_charged.then(|| counts_of(&charged).map(Clone::clone));
    let charge = ledger.charge(&charged)?;
    let Judged { kept, outcome } = verification.look(before, charged)?;
    ledger.settle(charge, kept.as_ref())?;
    if counts.is_some_and(|counts| kept.as_ref().is_none_or(|kept| counts_of(kept) == counts.each_ref())) {
        ledger.counted_a_guess();
    }
    outcome
}

fn counts_of(state: &State) -> [&Throttle; 4] {
    Count::ALL.map(|count| state.throttle_of(count))
}
