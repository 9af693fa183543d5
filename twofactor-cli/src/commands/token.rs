//! `twofactor token …`: physical tokens. One file for each thing that is done with them.

mod assign;
mod change;
mod codes;
mod doubts;
mod helpdesk;
mod import;
mod list;
mod probe;
mod rejects;
mod resync;
mod seed_file;
mod show;
mod understanding;

pub(crate) use assign::LineProblem;

use serde_json::{Value, json};
use twofactor_core::clock::UnixTime;
use twofactor_core::lifecycle::Change;
use twofactor_core::otp::Kind;
use twofactor_core::store::files::{LastCredential, TokenError, TokenView};
use twofactor_core::token::Serial;
use twofactor_core::user::UserName;

use crate::args::{self, Token};
use crate::commands::period;
use crate::error::{Failure, in_steps};
use crate::host::Host;
use crate::output::Output;
use crate::terminal::{self, Yes};

/// Does what was typed behind `token`.
pub(super) fn run(arguments: Token, host: &Host, output: &Output) -> Result<(), Failure> {
    match arguments {
        Token::Import(arguments) => import::run(&arguments, host, output),
        Token::List(arguments) => list::run(&arguments, host, output),
        Token::Show(arguments) => show::run(&arguments, host, output),
        Token::Assign(arguments) => assign::assign(&arguments, host, output),
        Token::Unassign(arguments) => assign::unassign(&arguments, host, output),
        Token::Enable(arguments) => change::set(&arguments, Change::Enable, host, output),
        Token::Disable(arguments) => change::set(&arguments, Change::Disable, host, output),
        Token::Lost(arguments) => change::set(&arguments, Change::ReportLost, host, output),
        Token::Revoke(arguments) => change::end(&arguments, change::End::Revoke, host, output),
        Token::Delete(arguments) => change::end(&arguments, change::End::Delete, host, output),
        Token::Resync(arguments) => resync::run(arguments, host, output),
        Token::Verify(arguments) => helpdesk::verify(arguments, host, output),
        Token::Identify(arguments) => helpdesk::identify(arguments, host, output),
        Token::Probe(arguments) => probe::run(arguments, host, output),
    }
}

/// The token with that serial.
fn known_token(serial: &Serial, host: &Host) -> Result<TokenView, Failure> {
    let view = host.accounts.token(serial)?;
    Ok(view.ok_or_else(|| TokenError::NoToken(serial.clone()))?)
}

/// A token as JSON, without its secret. The names are those of the manual.
pub(super) fn as_json(view: &TokenView) -> Value {
    let token = &view.listed;
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
fn drift_in_words(steps: i64, kind: Kind) -> String {
    match kind {
        Kind::Totp(period) if steps != 0 => {
            let seconds = steps.unsigned_abs().saturating_mul(period.seconds().into());
            format!("{} ({seconds} s)", in_steps(steps))
        }
        Kind::Totp(_) | Kind::Hotp => in_steps(steps),
    }
}

/// The same in seconds, ahead is positive; `null` for a counter.
fn seconds_of(steps: i64, kind: Kind) -> Value {
    match kind {
        Kind::Totp(period) => steps.saturating_mul(period.seconds().into()).into(),
        Kind::Hotp => Value::Null,
    }
}

/// Whether a person may be asked a yes-or-no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// At a terminal, and `--yes` was not given.
    Possible,
    /// There is nobody to ask.
    Impossible,
    /// `--yes`.
    Unwanted,
}

impl Asking {
    /// Where there is no `--yes`.
    pub(super) fn at_a_terminal() -> Self {
        if terminal::is_interactive() { Self::Possible } else { Self::Impossible }
    }

    /// Where there is.
    pub(super) fn unless(yes: &args::tokens::Yes) -> Self {
        if yes.yes { Self::Unwanted } else { Self::at_a_terminal() }
    }

    /// Asks before something that cannot be undone.
    pub(super) fn confirm(self, question: &str) -> Result<(), Failure> {
        match self {
            Self::Unwanted => Ok(()),
            Self::Impossible => Err(Failure::CannotAsk),
            Self::Possible => ask(question),
        }
    }

    /// Does `act`, which may refuse to take somebody's last credential: at a terminal that is a question.
    pub(super) fn act<T>(
        self,
        last: LastCredential,
        mut act: impl FnMut(LastCredential) -> Result<T, TokenError>,
    ) -> Result<T, Failure> {
        match act(last) {
            Err(error @ TokenError::LastCredential(_)) if self == Self::Possible => {
                let what = error.to_string().replacen("token", "Token", 1);
                ask(&format!("{what}. Take it all the same? [y/N] "))?;
                Ok(act(LastCredential::Take)?)
            }
            result => Ok(result?),
        }
    }
}

fn ask(question: &str) -> Result<(), Failure> {
    match terminal::ask_yes(question)? {
        Yes::Yes => Ok(()),
        Yes::No => Err(Failure::Declined),
    }
}

/// `1 token`, `2 tokens`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
