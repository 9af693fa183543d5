//! Views of an account. Nothing is changed.

use crate::account::factors::Factors;
use crate::account::{App, Confirmation, Credentials, Judgement, Rules, State, Wallet};
use crate::codes::answer::Answer;
use crate::codes::otp::{self, Reaches};
use crate::codes::token::{Label, Token};
use crate::host::clock::UnixTime;
use crate::store::administration::{AccountStatus, AppStatus, Newcomer};
use crate::store::rules::VerificationRules;

/// The account as a sysadmin sees it, but for its physical tokens.
pub(in crate::store) fn status(
    credentials: Option<&Credentials>,
    state: &State,
    rules: &VerificationRules,
    now: UnixTime,
) -> AccountStatus {
    let VerificationRules { window, limits, .. } = *rules;
    let apps = credentials.iter().flat_map(|credentials| &credentials.apps).map(|app| {
        let token = app.token();
        let progress = state.progress_of(token);
        AppStatus {
            serial: token.serial.clone(),
            label: token.label.clone(),
            parameters: token.parameters,
            issued: token.issued,
            drift: progress.drift,
            burned_until: otp::burned_until(token.parameters.kind, progress, window, now),
            confirmation: app.confirmation(),
            last_accepted: state.usage_of(token.seeds()).last_accepted,
        }
    });
    AccountStatus {
        apps: apps.collect(),
        tokens: Vec::new(),
        tokens_problem: None,
        ssh_keys: credentials.map_or_else(Vec::new, |credentials| credentials.ssh_keys.clone()),
        recovery_left: credentials.map_or(0, |credentials| credentials.recovery_left(state)),
        failures: state.throttle.user.count,
        blocked_until: state.throttle.others_blocked_until(limits, now),
        own_failures: state.unprivileged.user.count,
        own_blocked_until: state.unprivileged.others_blocked_until(limits, now),
        last_accepted: state.last_accepted.clone(),
        invited_until: state.invitation.as_ref().and_then(|invitation| invitation.open_until(now)),
        temporary_until: state.handout.as_ref().and_then(|handout| handout.open_until(now)),
        uid: state.uid,
    }
}

/// The open invitation of a user without credentials.
pub(in crate::store) fn newcomer(state: &State, rules: &VerificationRules, now: UnixTime) -> Option<Newcomer> {
    let invited_until = state.invitation.as_ref().and_then(|invitation| invitation.open_until(now))?;
    Some(Newcomer {
        uid: state.uid,
        invited_until,
        failures: state.throttle.user.count,
        blocked_until: state.throttle.others_blocked_until(rules.limits, now),
    })
}

/// Judges an answer as a login would; but a sysadmin learns of codes that are further off than a login looks.
pub(in crate::store) fn judged(
    credentials: &Credentials,
    state: State,
    answer: Answer,
    rules: &VerificationRules,
    now: UnixTime,
) -> Judgement {
    let rules = Rules { window: rules.window, reaches: Reaches::DAY, now };
    let wallet = Wallet { credentials: Some(credentials), factors: Factors::ALL };
    wallet.judge(&[answer], None, &state.recognizing(wallet.tokens()), &rules)
}

/// The token of an app that waits for its confirmation, with all the progress it ever made.
pub(in crate::store) fn pending(credentials: Credentials, state: &State, label: &Label) -> Option<Token> {
    let pending = |app: &App| app.token().label == *label && app.confirmation() == Confirmation::Pending;
    credentials.apps.into_iter().find(pending).map(|app| app.offered_again(state))
}
