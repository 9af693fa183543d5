//! `twofactor unlock USER`: forgets counted wrong codes.

use serde_json::json;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::Event;

use crate::args::Unlock;
use crate::error::Failure;
use crate::host::Host;
use crate::journal;
use crate::output::Output;

pub(crate) fn run(arguments: &Unlock, host: &Host, output: &Output) -> Result<(), Failure> {
    let user = match host.account_holder(&arguments.user) {
        // A user who tries invitations at the login prompt is counted before having an account.
        Err(Failure::NotEnrolled(user)) if host.accounts.has_traces(&user)? => user,
        found => found?,
    };
    let Some(failures) = host.accounts.unlock(&user)? else {
        return Err(Failure::NotEnrolled(user));
    };
    journal::write(journal::about(Event::Unlocked, &user).with("failures", failures));
    say(&user, failures, output)
}

/// Says what was forgotten.
pub(super) fn say(user: &UserName, failures: u32, output: &Output) -> Result<(), Failure> {
    Ok(output.done(
        || match failures {
            0 => format!("{user} had no wrong codes counted; logins are not delayed.\n"),
            1 => format!("1 wrong code of {user} is forgotten; logins are not delayed.\n"),
            _ => format!("{failures} wrong codes of {user} are forgotten; logins are not delayed.\n"),
        },
        || json!({ "user": user.as_str(), "failures": failures }),
    )?)
}
