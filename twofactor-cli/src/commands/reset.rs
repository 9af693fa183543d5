//! `twofactor reset USER`: forgets an account, or takes its confirmation back.

use serde_json::json;
use twofactor_core::host::shell::quoted;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::Event;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{Reset, TokenFilter, each_token};

use crate::args;
use crate::error::Failure;
use crate::host::Host;
use crate::journal;
use crate::output::{self, Output};
use crate::terminal::{self, Yes};

pub(crate) fn run(arguments: &args::Reset, host: &Host, output: &Output) -> Result<(), Failure> {
    let user = match host.account_holder(&arguments.user) {
        // What is left of an account may be what has to be forgotten.
        Err(Failure::NotEnrolled(user)) if host.accounts.has_traces(&user)? => user,
        found => found?,
    };
    let reset = if arguments.keep_secret { Reset::Confirmations } else { Reset::Everything };
    if !arguments.yes {
        ask(&user, reset)?;
    }
    if !host.accounts.reset(&user, reset)? {
        return Err(nothing_to_reset(user, host));
    }
    let tokens = tokens_that_stay(&user, host);
    if let (false, Err(failure)) = (tokens.is_empty(), host.check_owner(&user)) {
        output::warning(&format!("{failure}: logins are refused while these tokens stay assigned"));
    }
    let kept = matches!(reset, Reset::Confirmations).then_some("secret");
    journal::write(journal::about(Event::Reset, &user).with_some("kept", kept));
    say(&user, reset, &tokens, output)
}

/// Says what was forgotten, and which tokens stay.
pub(super) fn say(user: &UserName, reset: Reset, tokens: &[String], output: &Output) -> Result<(), Failure> {
    Ok(output.done(
        || match reset {
            Reset::Everything if tokens.is_empty() => format!("{user} is no longer enrolled.\n"),
            Reset::Everything => {
                let tokens = tokens.join(", ");
                format!(
                    "{user}'s app, recovery codes and ssh keys are forgotten. Still assigned: {tokens}; see \"token unassign\".\n"
                )
            }
            Reset::Confirmations => {
                format!(
                    "{user}'s app opens no login until a code confirms it: at a login that lets {user} enroll,\n\
                     or with \"twofactor enroll {}\".\n",
                    quoted(user.as_str())
                )
            }
        },
        || {
            let secret_kept = matches!(reset, Reset::Confirmations);
            json!({ "user": user.as_str(), "secret_kept": secret_kept, "tokens": tokens })
        },
    )?)
}

/// Serials of the user's physical tokens, which a reset leaves alone. That they cannot be listed does not undo what was
/// done.
fn tokens_that_stay(user: &UserName, host: &Host) -> Vec<String> {
    let mut serials = Vec::new();
    let filter = TokenFilter { owner: Some(user.clone()), ..TokenFilter::default() };
    let listed = each_token(&*host.accounts, &filter, |view| {
        serials.push(view.serial.to_string());
        Ok::<(), StoreError>(())
    });
    if let Err(error) = listed {
        output::warning(&format!("{user} may have physical tokens: {error}"));
    }
    serials
}

/// A user who only has physical tokens has an account, and nothing in it that a reset forgets.
fn nothing_to_reset(user: UserName, host: &Host) -> Failure {
    match host.status(&user) {
        Ok(status) if !status.tokens.is_empty() => Failure::OnlyTokens(user),
        Ok(_) | Err(_) => Failure::NotEnrolled(user),
    }
}

pub(super) fn ask(user: &UserName, reset: Reset) -> Result<(), Failure> {
    if !terminal::is_interactive() {
        return Err(Failure::CannotAsk);
    }
    let question = match reset {
        Reset::Everything => format!("Forget {user}'s second factor? [y/N] "),
        Reset::Confirmations => format!("Take back the confirmation of {user}'s app? [y/N] "),
    };
    match terminal::ask_yes(&question)? {
        Yes::Yes => Ok(()),
        Yes::No => Err(Failure::Declined),
    }
}
