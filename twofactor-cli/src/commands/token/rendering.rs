//! A token as text and as JSON.

use serde_json::{Value, json};
use twofactor_core::account::lifecycle::Stage;
use twofactor_core::codes::otp::Kind;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::UserName;
use twofactor_core::store::administration::TokenView;

use crate::error::in_steps;
use crate::output::values::period;
use crate::output::{Screen, Tint, tinted};

/// A token's state, in colour where the token opens logins or no longer does.
pub(super) fn tinted_stage(stage: Stage, screen: Screen) -> String {
    tinted(stage.word(), tint(stage), screen)
}

/// The colour of a state.
pub(crate) fn tint(stage: Stage) -> Tint {
    match stage {
        Stage::Active => Tint::Green,
        Stage::Disabled => Tint::Yellow,
        Stage::Lost | Stage::Revoked => Tint::Red,
        Stage::Inventory | Stage::Assigned => Tint::Plain,
    }
}

/// A token as JSON, without its secret. The names are those of the manual.
pub(crate) fn as_json(view: &TokenView) -> Value {
    let token = view;
    json!({
        "serial": token.serial.as_str(),
        "state": view.stage.word(),
        "user": token.owner.as_ref().map(UserName::as_str),
        "uid": view.owner_uid.map(|uid| uid.0),
        "series": token.series,
        "type": token.parameters.kind.name(),
        "algorithm": token.parameters.algorithm.to_string(),
        "digits": token.parameters.digits.count(),
        "period": period(token.parameters.kind),
        "drift": view.drift,
        "near_misses": view.near_misses,
        "assigned_at": token.assigned_at.map(in_rfc_3339),
        "last_accepted": view.last_accepted.map(in_rfc_3339),
        "issued": token.issued.to_string(),
        "vendor": token.vendor,
        "model": token.model,
        "problem": view.problem.as_ref().map(ToString::to_string),
    })
}

fn in_rfc_3339(time: UnixTime) -> String {
    time.to_string()
}

/// `2 steps ahead (60 s)`, `in step`.
pub(crate) fn drift_in_words(steps: i64, kind: Kind) -> String {
    match kind {
        Kind::Totp(period) if steps != 0 => {
            let seconds = steps.unsigned_abs().saturating_mul(period.seconds().into());
            format!("{} ({seconds} s)", in_steps(steps))
        }
        Kind::Totp(_) | Kind::Hotp => in_steps(steps),
    }
}

/// The same in seconds, ahead is positive; `null` for a counter.
pub(crate) fn seconds_of(steps: i64, kind: Kind) -> Value {
    match kind {
        Kind::Totp(period) => steps.saturating_mul(period.seconds().into()).into(),
        Kind::Hotp => Value::Null,
    }
}
