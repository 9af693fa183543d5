//! An answer is charged, looked up, judged and settled, in this order and under the lock.

use super::decoy;
use super::judged::Judged;
use super::ownership;
use super::user_folder::Locked;
use crate::account::remembered::{Memory, Place};
use crate::account::{Judgement, LastAccepted, NearMiss, Proof, Rules, State, Uses, Wallet};
use crate::host::shell;
use crate::log::reason::Reason;
use crate::store::error::StoreError;
use crate::store::redemption::{Factor, Redeemed, Redemption, Stripping};

impl Locked {
    /// Burns a right code of an answer to which none is needed.
    pub(super) fn strip(&self, judged: &Judged<'_>) -> Result<Stripping, StoreError> {
        let Judged { person, wallet, attempt, now } = *judged;
        let mut file = self.state_file()?;
        let before = file.read_at(now)?.recognizing(wallet.tokens());
        ownership::must_be_of(&before, person)?;
        if before.stripping.blocked_until(attempt.source, attempt.limits, now).is_some() {
            return Ok(Stripping::Throttled);
        }
        let Some(guess) = attempt.guess() else { return Ok(Stripping::Nothing) };
        let mut charged = before.clone();
        charged.stripping.charge(attempt.source, wallet.salt().fingerprint(guess), attempt.limits, now);
        let charge = file.charge(&charged)?;
        let rules = Rules { window: attempt.window, reaches: attempt.reaches, now };
        match wallet.judge(attempt.readings, None, &before, &rules) {
            Judgement::Right { reading, proof, uses } => {
                let mut after = before.after(uses);
                after.has_credentials = wallet.credentials.is_some();
                after.stripping.accept(attempt.source);
                file.settle(charge, Some(&after))?;
                Ok(Stripping::Burned { reading, factor: factor_of(*proof, wallet, &after) })
            }
            // A client that sends the same again guesses nothing, and learns nothing.
            Judgement::Replayed { .. } => {
                file.settle(charge, Some(&before))?;
                Ok(Stripping::Nothing)
            }
            _ => {
                file.settle(charge, None)?;
                Ok(Stripping::Nothing)
            }
        }
    }

    /// Checks and burns, once everything is read that the user has. `problem` is what could not be read.
    pub(super) fn redeem(
        &self,
        judged: &Judged<'_>,
        problem: Option<StoreError>,
        complete: impl FnOnce(&State) -> Result<(), StoreError>,
    ) -> Result<Redemption, StoreError> {
        let Judged { person, wallet, attempt, now } = *judged;
        let user = &person.name;
        let mut file = self.state_file()?;
        let mut before = file.read_at(now)?.recognizing(wallet.tokens());
        let problem = problem.or_else(|| complete(&before).err());
        // What seems to be superfluous may belong to what could not be read.
        if problem.is_none() {
            // The registry knows of all that was ever given.
            before.tokens_before_gift = None;
            before.tidy(wallet);
        }

        if let Err(uid_changed) = ownership::must_be_of(&before, person) {
            decoy::in_vain(&mut file, judged, &before);
            return Err(uid_changed);
        }
        if before.throttle.blocked_until(attempt.source, attempt.limits, now).is_some() {
            decoy::in_vain(&mut file, judged, &before);
            return Ok(Redemption::refused(Reason::Throttled));
        }
        let Some(guess) = attempt.guess() else {
            decoy::in_vain(&mut file, judged, &before);
            return Ok(Redemption::refused(Reason::WrongCode));
        };
        let salt = wallet.salt();
        let mut charged = before.clone();
        charged.throttle.charge(attempt.source, salt.fingerprint(guess), attempt.limits, now);
        let charge = file.charge(&charged)?;

        let refused = |reason, hint| Ok(Redemption::Refused { reason, hint: Some(hint) });
        let rules = Rules { window: attempt.window, reaches: attempt.reaches, now };
        match wallet.judge(attempt.readings, attempt.previous, &before, &rules) {
            Judgement::Right { reading, proof, uses } => {
                let (accepted, factor) = accepted(before, uses, *proof, judged);
                file.settle(charge, Some(&accepted))?;
                Ok(Redemption::Redeemed(Redeemed { factor, reading, problem }))
            }
            Judgement::Replayed { burned_until } => {
                file.settle(charge, Some(&before))?;
                let hint = burned_until.map(|until| {
                    format!(
                        "codes are burned until {until}: was the clock ahead? wait, or: twofactor enroll --replace {}",
                        shell::quoted(user.as_str())
                    )
                });
                Ok(Redemption::Refused { reason: Reason::Replayed, hint })
            }
            Judgement::NotConfirmed => {
                file.settle(charge, Some(&before))?;
                let again = format!("twofactor enroll {}", shell::quoted(user.as_str()));
                refused(Reason::NotConfirmed, format!("the secret waits for its confirmation: {again}"))
            }
            Judgement::Disabled { serial, stage } => {
                file.settle(charge, Some(&before))?;
                let enable = format!("twofactor token enable {}", shell::quoted(serial.as_str()));
                refused(Reason::TokenDisabled, format!("token {serial} is {stage}: {enable}"))
            }
            Judgement::NotAllowed => {
                file.settle(charge, Some(&before))?;
                let allowed = attempt.factors.names().join(", ");
                refused(Reason::FactorNotAllowed, format!("what counts for this login: {allowed}"))
            }
            Judgement::NearMiss(near_miss) => {
                charged.count_near_miss(&near_miss);
                file.settle(charge, Some(&charged))?;
                let hint = near_miss.is_repeated.then(|| near_miss_in_words(&near_miss, wallet));
                problem.map_or(Ok(Redemption::NearMiss { hint }), Err)
            }
            Judgement::Wrong => {
                file.settle(charge, None)?;
                problem.map_or_else(|| Ok(Redemption::refused(Reason::WrongCode)), Err)
            }
        }
    }
}

/// The state after an accepted login, and what opened it. The charge of this attempt is not in it: a right code is no guess.
pub(super) fn accepted(before: State, uses: Uses, proof: Proof, judged: &Judged<'_>) -> (State, Factor) {
    let Judged { person, wallet, attempt, now } = *judged;
    let mut state = before.after(uses);
    state.uid = Some(person.uid);
    state.has_credentials = wallet.credentials.is_some();
    state.throttle.accept(attempt.source);
    let opener = proof.opener();
    let factor = factor_of(proof, wallet, &state);
    let name = match &factor {
        Factor::Token { label, .. } => label.clone(),
        Factor::Recovery { .. } => "recovery".to_owned(),
    };
    if let Some((place, duration)) = &attempt.remember {
        let Place { service, address } = *place;
        let (service, until) = (service.to_owned(), now.after(*duration));
        state.memories.add(Memory { service, address, since: now, until, opener });
    }
    state.last_accepted = Some(LastAccepted { at: now, source: attempt.source.clone(), factor: name });
    (state, factor)
}

/// What a right code is a code of, once `state` has it as used.
pub(super) fn factor_of(proof: Proof, wallet: &Wallet<'_>, state: &State) -> Factor {
    match proof {
        Proof::Token { label, drift, .. } => Factor::Token { label: label.to_string(), drift },
        Proof::Recovery(_) => {
            let left = wallet.credentials.map_or(0, |credentials| credentials.recovery_left(state));
            Factor::Recovery { left }
        }
    }
}

/// What a sysadmin does about a token whose clock is off. How far it is off, and that it is before it is certain, nobody
/// learns: whoever reads the log while he guesses would know which guess will be right, and when.
pub(super) fn near_miss_in_words(near_miss: &NearMiss, wallet: &Wallet<'_>) -> String {
    let NearMiss { serial, label, .. } = near_miss;
    if wallet.held.iter().any(|held| held.token.serial == *serial) {
        format!("is the clock of token {serial} off? twofactor token resync {}", shell::quoted(serial.as_str()))
    } else {
        format!("is the clock of the phone with the app \"{label}\" right?")
    }
}
