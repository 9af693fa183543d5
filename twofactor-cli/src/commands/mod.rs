//! The commands, one file each: what the arguments mean, what the core is asked to do, and what is said about it.

mod completions;
mod config;
mod doctor;
mod enroll;
mod explain;
mod invite;
mod log;
mod offer;
mod recovery;
mod reset;
mod series;
mod service;
mod state;
mod status;
mod token;
mod unlock;
mod verify;

use std::fmt::Write as _;

use serde_json::Value;
use twofactor_core::clock::UnixTime;
use twofactor_core::otp::{Kind, Parameters};
use twofactor_core::recovery::RecoveryCode;
use zeroize::Zeroizing;

pub(crate) use token::LineProblem;

use crate::args::{Command, Series, Typed};
use crate::error::Failure;
use crate::host::Host;
use crate::output::Output;

/// Does what was typed.
pub(crate) fn run(typed: Typed, output: &Output) -> Result<(), Failure> {
    let file = typed.global.config.as_deref();
    match typed.command {
        Command::Enroll(arguments) => enroll::run(&arguments, &Host::to_change(file)?, output),
        Command::Status(arguments) => status::run(&arguments, &Host::open(file)?, output),
        Command::Verify(arguments) => verify::run(arguments, &Host::open(file)?, output),
        Command::Reset(arguments) => reset::run(&arguments, &Host::to_change(file)?, output),
        Command::Recovery(arguments) => recovery::run(&arguments, &Host::to_change(file)?, output),
        Command::Unlock(arguments) => unlock::run(&arguments, &Host::to_change(file)?, output),
        Command::Invite(arguments) => invite::run(&arguments, &Host::to_change(file)?, output),
        Command::Service(arguments) => service::run(&arguments, file, output),
        Command::State(arguments) => state::run(&arguments, &Host::open(file)?, output),
        Command::Explain(arguments) => explain::run(&arguments, file, output),
        Command::Log(arguments) => log::run(&arguments, file, output),
        Command::Token(arguments) if arguments.changes_nothing() => token::run(arguments, &Host::open(file)?, output),
        Command::Token(arguments) => token::run(arguments, &Host::to_change(file)?, output),
        Command::Series(arguments @ Series::Delete(_)) => series::run(arguments, &Host::to_change(file)?, output),
        Command::Series(arguments) => series::run(arguments, &Host::open(file)?, output),
        Command::Doctor(arguments) => doctor::run(&arguments, file, output),
        Command::Config(arguments) => config::run(&arguments, file, output),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

/// `TOTP, SHA1, 6 digits, 30 s`.
fn described(parameters: Parameters) -> String {
    let (algorithm, digits) = (parameters.algorithm, parameters.digits.count());
    match parameters.kind {
        Kind::Totp(period) => format!("TOTP, {algorithm}, {digits} digits, {} s", period.seconds()),
        Kind::Hotp => format!("HOTP, {algorithm}, {digits} digits"),
    }
}

/// The period in seconds; `null` for a counter.
fn period(kind: Kind) -> Value {
    match kind {
        Kind::Totp(period) => period.seconds().into(),
        Kind::Hotp => Value::Null,
    }
}

/// `2027-01-31`.
fn day(time: UnixTime) -> String {
    time.to_string().chars().take_while(|letter| *letter != 'T').collect()
}

/// Recovery codes, a line each, indented.
fn listed(codes: &[RecoveryCode]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(codes.len() * 32));
    for code in codes {
        let _ = writeln!(text, "  {}", code.expose_grouped().as_str());
    }
    text
}

/// Recovery codes for JSON.
fn exposed(codes: &[RecoveryCode]) -> Vec<Value> {
    codes.iter().map(|code| code.expose_grouped().as_str().into()).collect()
}

/// What recovery codes are for, above the codes.
const ABOUT_RECOVERY_CODES: &str = "
Recovery codes. Each one opens one login in place of a code, for the day the
phone is lost. Keep them on paper: they are not shown again.

";
