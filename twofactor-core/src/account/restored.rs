//! An account out of a backup: what may have happened since the backup was made is taken for done.
//!
//! Invariants: a code that was used before the backup stays used. Of those used since, this host knows nothing: so nothing
//! counts that is older than the restore. What spares a code or opens a session by itself does not come back.

use crate::account::credentials::{Credentials, FirstUse};
use crate::account::remembered::Memories;
use crate::account::state::{State, Usage};
use crate::codes::otp::Kind;
use crate::codes::token::{Seeds, Token};
use crate::host::clock::UnixTime;

/// The treatment of recovery codes, of which some may have been used since the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryCodes {
    /// They are void.
    Void,
    /// They are good as they were.
    Keep,
}

/// The changes of a restore to an account, beside the steps that it has burned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revival {
    /// The number of recovery codes that are void now.
    pub voided: usize,
    /// The number of counters whose next code counts only together with the one after it.
    pub in_doubt: usize,
}

impl State {
    /// Learns what another state of the same user has used. What this one knows better stays.
    pub fn learn(&mut self, other: &Self) {
        for (seed, theirs) in &other.usage {
            match self.usage.iter_mut().find(|(known, _)| known == seed) {
                Some((_, ours)) => ours.progress.watermark = ours.progress.watermark.max(theirs.progress.watermark),
                None => self.usage.push((*seed, theirs.clone())),
            }
        }
        for digest in &other.used_recovery {
            if !self.used_recovery.contains(digest) {
                self.used_recovery.push(*digest);
            }
        }
    }

    /// Makes the state of a backup, with its credentials, the one of an account that is restored at `now`. `known` has the
    /// seeds whose use this host knows.
    pub fn revive(
        &mut self,
        credentials: Option<&mut Credentials>,
        known: &Self,
        recovery: RecoveryCodes,
        now: UnixTime,
    ) -> Revival {
        self.memories = Memories::default();
        self.handout = None;
        self.has_credentials = credentials.is_some();
        let Some(credentials) = credentials else { return Revival::default() };
        let mut revival = Revival::default();
        if recovery == RecoveryCodes::Void {
            revival.voided = credentials.recovery_left(self);
            credentials.recovery.clear();
        }
        for app in &credentials.apps {
            self.burn_until(&app.token, known, now, &mut revival);
        }
        for held in &mut credentials.held {
            let is_unused = held.first_use == FirstUse::Open && !self.has_used(&held.token);
            self.burn_until(&held.token, known, now, &mut revival);
            if is_unused {
                // Burned, and not used by its owner: the first login may still be further out.
                held.token.start = self.progress_of(&held.token);
            }
        }
        revival
    }

    fn burn_until(&mut self, token: &Token, known: &Self, now: UnixTime, revival: &mut Revival) {
        if known.has_recorded(token.seeds()) {
            return;
        }
        let kind = token.parameters.kind;
        let (seeds, progress): (Seeds, _) = (token.seeds(), self.progress_of(token).restored(kind, now));
        self.record(seeds, &Usage { progress, ..self.usage_of(seeds) });
        revival.in_doubt += usize::from(kind == Kind::Hotp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::factors::Factors;
    use crate::account::{App, Judgement, Rules, Wallet};
    use crate::codes::answer::Answer;
    use crate::codes::otp::{Code, Parameters, Progress, Reaches, Step, Window, code_of};
    use crate::codes::recovery::RecoveryCode;
    use crate::codes::secret::Secret;
    use crate::codes::token::{Label, Serial};
    use std::time::Duration;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    fn with_app(kind: Kind) -> Credentials {
        let token = Token {
            serial: Serial::new("app-1").unwrap(),
            label: Label::app(),
            secret: Secret::from_bytes(zeroize::Zeroizing::new(b"12345678901234567890".to_vec())).unwrap(),
            parameters: Parameters { kind, ..Parameters::default() },
            issued: NOW,
            start: Progress::default(),
        };
        let mut credentials = Credentials::none().unwrap();
        credentials.apps.push(App::vouched_for(token));
        credentials.replace_recovery(&[RecoveryCode::generate().unwrap(), RecoveryCode::generate().unwrap()]);
        credentials
    }

    fn code(credentials: &Credentials, step: u64) -> String {
        let token = &credentials.apps[0].token;
        code_of(&token.secret, token.parameters, Step(step))
    }

    fn judged(credentials: &Credentials, state: &State, codes: &[String], now: UnixTime) -> Judgement {
        let typed = |code: &String| Code::new(code.clone().into()).unwrap();
        let wallet = Wallet { credentials: Some(credentials), factors: Factors::ALL };
        let rules = Rules { window: Window::default(), reaches: Reaches::at_login(Duration::from_hours(1)), now };
        let (last, before) = codes.split_last().unwrap();
        let previous = before.last().map(typed);
        wallet.judge(&[Answer::Code(typed(last))], previous.as_ref(), state, &rules)
    }

    #[test]
    fn no_code_that_an_app_has_shown_before_the_restore_counts_after_it() {
        let mut credentials = with_app(Kind::Totp(crate::codes::otp::Period::THIRTY));
        let mut state = State::default();
        let here = NOW.seconds() / 30;
        assert!(matches!(judged(&credentials, &state, &[code(&credentials, here)], NOW), Judgement::Right { .. }));
        let revival = state.revive(Some(&mut credentials), &State::default(), RecoveryCodes::Void, NOW);
        assert_eq!(revival, Revival { voided: 2, in_doubt: 0 });
        for step in here - 2..=here {
            let judgement = judged(&credentials, &state, &[code(&credentials, step)], NOW);
            assert!(matches!(judgement, Judgement::Replayed { .. }), "{step}: {judgement:?}");
        }
        let next = NOW.after(Duration::from_secs(30));
        assert!(matches!(judged(&credentials, &state, &[code(&credentials, here + 1)], next), Judgement::Right { .. }));
        assert!(credentials.recovery.is_empty());
    }

    #[test]
    fn a_counter_is_good_again_with_two_codes_and_then_with_one() {
        let mut credentials = with_app(Kind::Hotp);
        let mut state = State::default();
        let revival = state.revive(Some(&mut credentials), &State::default(), RecoveryCodes::Keep, NOW);
        assert_eq!((revival, credentials.recovery.len()), (Revival { voided: 0, in_doubt: 1 }, 2));
        let codes = [4, 5, 6].map(|step| code(&credentials, step));
        assert!(matches!(judged(&credentials, &state, &codes[..1], NOW), Judgement::NearMiss(_)));
        let Judgement::Right { uses, .. } = judged(&credentials, &state, &codes[..2], NOW) else { panic!("two codes") };
        let state = state.after(uses);
        assert!(matches!(judged(&credentials, &state, &codes[2..], NOW), Judgement::Right { .. }));
    }

    #[test]
    fn a_merged_account_knows_all_that_either_state_has_used_and_doubts_nothing_that_this_host_knows() {
        let mut credentials = with_app(Kind::Hotp);
        let seeds = credentials.apps[0].token.seeds();
        let used = |step| {
            let progress = Progress { watermark: Some(Step(step)), ..Progress::default() };
            let mut state = State::default();
            state.burn(seeds, progress);
            state
        };
        for (ours, theirs) in [(used(9), used(4)), (used(4), used(9))] {
            let mut state = ours.clone();
            state.learn(&theirs);
            let revival = state.revive(Some(&mut credentials), &ours, RecoveryCodes::Keep, NOW);
            assert_eq!(revival, Revival::default());
            let progress = state.progress_of(&credentials.apps[0].token);
            assert_eq!(progress, Progress { watermark: Some(Step(9)), ..Progress::default() });
        }
    }
}
