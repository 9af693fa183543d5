//! An attempt with the account that it is judged by, and the work of a wrong one.

use super::course::Ledger;
use crate::account::throttle::Count;
use crate::account::{Rules, State, Wallet};
use crate::codes::answer::Answer;
use crate::codes::digest::Digest;
use crate::codes::recovery::Salt;
use crate::host::clock::UnixTime;
use crate::host::user::Person;
use crate::store::redemption::Attempt;
use crate::store::rules::VerificationRules;
use zeroize::Zeroizing;

/// An attempt under the account's lock, with all that it is judged by.
#[derive(Clone, Copy)]
pub(in crate::store) struct Presented<'a> {
    /// The user who logs in.
    pub(in crate::store) person: &'a Person,
    /// That user's credentials.
    pub(in crate::store) wallet: &'a Wallet<'a>,
    /// The answer.
    pub(in crate::store) attempt: &'a Attempt<'a>,
    /// The store's rules.
    pub(in crate::store) rules: &'a VerificationRules,
    /// The time, read under the lock.
    pub(in crate::store) now: UnixTime,
}

impl Presented<'_> {
    /// The reading that is counted as the guess: the longest, which has all digits of the others. With a shorter one,
    /// guesses that differ only before it would count as one.
    pub(super) fn guess(&self) -> Option<&str> {
        self.attempt.readings.iter().filter_map(Answer::digits).max_by_key(|digits| digits.len())
    }

    /// The digest by which a repeated guess is recognised. Of a program without root, which says itself what the code before
    /// was, each pair is a guess.
    fn fingerprint(&self, guess: &str) -> Digest {
        let salt = self.wallet.credentials.map_or(Salt::NONE, |credentials| credentials.salt);
        match (self.attempt.previous, self.rules.count) {
            (Some(previous), Count::Unprivileged) => {
                salt.fingerprint(&Zeroizing::new(format!("{} {guess}", previous.expose())))
            }
            (Some(_), Count::Logins | Count::Stripping | Count::Helpdesk) | (None, _) => salt.fingerprint(guess),
        }
    }

    /// True while no attempt from there is looked at, by the wrong codes on this count.
    pub(super) fn is_blocked(&self, before: &State, count: Count) -> bool {
        self.rules.block(before.throttle_of(count), self.attempt.source, self.now)
    }

    /// The state with this guess on the count, as if it were wrong.
    pub(super) fn charged(&self, before: &State, count: Count, guess: &str) -> State {
        let mut charged = before.clone();
        let fingerprint = self.fingerprint(guess);
        charged.throttle_of_mut(count).charge(self.attempt.source, fingerprint, self.rules.limits, self.now);
        charged
    }

    /// The limits that the code is held against.
    pub(super) fn tolerance(&self) -> Rules {
        Rules { window: self.rules.window, reaches: self.rules.reaches, now: self.now }
    }
}

/// Does the work of a wrong code and leaves the state as it is: the duration of a refusal must not reveal its reason.
pub(in crate::store) fn in_vain(ledger: &mut impl Ledger, presented: Presented<'_>, before: &State) {
    let Presented { wallet, attempt, rules, .. } = presented;
    std::hint::black_box(&presented.charged(before, rules.count, presented.guess().unwrap_or("0")));
    if let Ok(charge) = ledger.charge(before) {
        let _ = wallet.judge(attempt.readings, attempt.previous, before, &presented.tolerance());
        let _ = ledger.settle(charge, None);
    }
}
