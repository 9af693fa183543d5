//! `twofactor token resync SERIAL [CODE1 CODE2]`: two consecutive codes say where the token stands. Both are burned.

use serde_json::json;
use twofactor_core::account::lifecycle::Stage;
use twofactor_core::codes::otp::{Kind, Step};
use twofactor_core::codes::token::Serial;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::TokenError;

use crate::args::tokens::TwoCodes;
use crate::commands::token::codes;
use crate::commands::token::rendering::{drift_in_words, seconds_of};
use crate::error::Failure;
use crate::host::Host;
use crate::host::known_token;
use crate::journal;
use crate::output::Output;

pub(super) fn run(arguments: TwoCodes, host: &Host, output: &Output) -> Result<(), Failure> {
    let serial = arguments.serial;
    // Before the user waits for a second code.
    let token = known_token(&serial, host)?;
    if token.stage == Stage::Revoked {
        return Err(TokenError::Revoked(serial).into());
    }
    let [first, second] = codes::two(arguments.codes)?;
    let progress = host.accounts.resynchronize(&serial, [&first, &second], host.sysadmin()?.by())?;
    let kind = token.parameters.kind;
    let owner = token.owner.as_ref();
    let record = journal::about_token(Event::Resynced, &serial).with_some("user", owner);
    journal::write(record.with("drift", progress.drift));
    say(&serial, owner, kind, progress.drift, progress.watermark, output)
}

/// Says where the token stands.
pub(crate) fn say(
    serial: &Serial,
    owner: Option<&UserName>,
    kind: Kind,
    drift: i32,
    watermark: Option<Step>,
    output: &Output,
) -> Result<(), Failure> {
    let next_counter = match kind {
        Kind::Hotp => watermark.map(|step| step.0.saturating_add(1)),
        Kind::Totp(_) => None,
    };
    Ok(output.done(
        || match next_counter {
            Some(next) => format!("Token {serial} is in step again: its next counter is {next}.\n"),
            None => format!("Token {serial} is in step again: {}.\n", drift_in_words(drift.into(), kind)),
        },
        || {
            json!({
                "serial": serial.as_str(),
                "user": owner.map(UserName::as_str),
                "drift": drift,
                "drift_seconds": seconds_of(drift.into(), kind),
                "next_counter": next_counter,
            })
        },
    )?)
}
