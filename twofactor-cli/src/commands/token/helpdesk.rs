//! `twofactor token verify` and `identify`: is this the code of that token, and which token shows these codes? Both burn
//! nothing.

use serde_json::{Value, json};
use twofactor_core::account::lifecycle::Stage;
use twofactor_core::codes::otp::{Kind, Match, steps_to};
use twofactor_core::host::user::UserName;
use twofactor_core::log::reason::Reason;
use twofactor_core::store::administration::{Identified, TokenError, TokenView};

use crate::args::tokens::{Identify, OneCode};
use crate::commands::token::codes;
use crate::commands::token::rendering::drift_in_words;
use crate::error::{Failure, TokenRefusal, in_steps};
use crate::host::Host;
use crate::host::known_token;
use crate::output::{self, Output};
use crate::progress::Progress;

pub(super) fn verify(arguments: OneCode, host: &Host, output: &Output) -> Result<(), Failure> {
    let serial = arguments.serial;
    let view = known_token(&serial, host)?;
    if view.stage == Stage::Revoked {
        return Err(TokenError::Revoked(serial).into());
    }
    let code = codes::one(arguments.code, "Code: ")?;
    let now = host.now()?;
    let found = host.accounts.verify_token(&serial, &code)?;
    let (refusal, reason) = match found.ok_or_else(|| TokenError::NoToken(serial.clone()))? {
        Match::Fresh(step) => {
            let steps = steps_to(step, view.parameters.kind, now);
            return Ok(output.report(|| in_words(&view, steps), || as_json(&view, steps))?);
        }
        Match::Replayed(_) => (TokenRefusal::Replayed, Reason::Replayed),
        Match::None => (TokenRefusal::Wrong, Reason::WrongCode),
    };
    output.report_json(|| json!({ "serial": serial.as_str(), "accepted": false, "reason": reason.word() }))?;
    Err(Failure::TokenCodeRefused { serial, refusal })
}

fn in_words(view: &TokenView, steps: i64) -> String {
    let token = view;
    let offset = match token.parameters.kind {
        Kind::Hotp => format!("counter {steps}"),
        kind @ Kind::Totp(_) => drift_in_words(steps, kind),
    };
    match &token.owner {
        Some(owner) if view.stage.is_usable() => format!("right for {owner}'s token {}: {offset}\n", token.serial),
        None if view.stage == Stage::Inventory => {
            format!("right: {offset}; but token {} has no user (inventory)\n", token.serial)
        }
        _ => format!("right: {offset}; but token {} is {}, so it opens no login\n", token.serial, view.stage),
    }
}

fn as_json(view: &TokenView, steps: i64) -> Value {
    json!({
        "serial": view.serial.as_str(),
        "user": view.owner.as_ref().map(UserName::as_str),
        "state": view.stage.word(),
        "accepted": view.stage.is_usable(),
        "offset": steps,
        "drift": view.drift,
    })
}

/// Once in so many tokens the progress bar is drawn.
const TICK: u64 = 4096;

pub(super) fn identify(arguments: Identify, host: &Host, output: &Output) -> Result<(), Failure> {
    let all = host.accounts.token_count()?;
    let [first, second] = codes::two(arguments.codes)?;
    let progress = Progress::new("Looking", all, output);
    let found = host.accounts.identify([&first, &second], &mut |looked| {
        if looked % TICK == 0 {
            progress.reached(looked);
        }
    })?;
    progress.done();
    if found.is_empty() {
        output.report_json(|| json!([]))?;
        return Err(Failure::NotIdentified);
    }
    if found.len() > 1 {
        output::warning("more than one token shows these codes by chance; try again with the next two");
    }
    Ok(output.report_lines(
        || found.iter().map(identified_in_words).collect(),
        || found.iter().map(identified_as_json).collect(),
    )?)
}

fn identified_in_words(found: &Identified) -> String {
    let offset = in_steps(found.steps);
    match &found.owner {
        Some(owner) => format!("token {} of {owner}, {offset}\n", found.serial),
        None => format!("token {}, not assigned, {offset}\n", found.serial),
    }
}

fn identified_as_json(found: &Identified) -> Value {
    json!({
        "serial": found.serial.as_str(),
        "user": found.owner.as_ref().map(UserName::as_str),
        "offset": found.steps,
    })
}
