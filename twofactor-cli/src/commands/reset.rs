//! `twofactor reset USER`: forgets an account, or takes its confirmation back.

use serde_json::json;
use twofactor_core::audit::Event;
use twofactor_core::store::files::Reset;
use twofactor_core::user::UserName;

use crate::args;
use crate::error::Failure;
use crate::host::Host;
use crate::journal;
use crate::output::Output;
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
        return Err(Failure::NotEnrolled(user));
    }
    let kept = matches!(reset, Reset::Confirmations).then_some("secret");
    journal::write(journal::about(Event::Reset, &user).with_some("kept", kept));
    Ok(output.done(
        || match reset {
            Reset::Everything => format!("{user} is no longer enrolled.\n"),
            Reset::Confirmations => {
                format!("{user}'s app opens no login until a code confirms it: run \"twofactor enroll {user}\".\n")
            }
        },
        || json!({ "user": user.as_str(), "secret_kept": matches!(reset, Reset::Confirmations) }),
    )?)
}

fn ask(user: &UserName, reset: Reset) -> Result<(), Failure> {
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
