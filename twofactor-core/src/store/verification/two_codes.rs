//! Two consecutive codes of one physical token: one guess, on the count that the rules name.

use crate::account::State;
use crate::codes::otp::Code;
use crate::codes::recovery::Salt;
use crate::codes::token::Serial;
use crate::host::clock::UnixTime;
use crate::store::redemption::Attempt;
use crate::store::rules::VerificationRules;
use zeroize::Zeroizing;

/// Two codes under the lock of the account that they are counted on.
#[derive(Clone, Copy)]
pub(in crate::store) struct TwoCodes<'a> {
    /// The token's serial.
    pub(in crate::store) serial: &'a Serial,
    /// The codes, one after the other.
    pub(in crate::store) codes: [&'a Code; 2],
    /// The attempt they are part of.
    pub(in crate::store) attempt: &'a Attempt<'a>,
    /// The throttle, and the count that wrong answers go on.
    pub(in crate::store) rules: &'a VerificationRules,
    /// The time, read under the lock.
    pub(in crate::store) now: UnixTime,
}

impl TwoCodes<'_> {
    /// True while no attempt from there is looked at.
    pub(super) fn is_blocked(&self, before: &State) -> bool {
        let throttle = before.throttle_of(self.rules.count);
        self.rules.block(throttle, self.attempt.source, self.now)
    }

    /// The state with this guess on the count, as if it were wrong.
    pub(super) fn charged(&self, before: &State) -> State {
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
}
