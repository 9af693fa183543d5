//! `twofactor code USER`: ten digits that open one session, for a user without phone and token.

use twofactor_core::account::factors::FactorKind;
use twofactor_core::codes::temporary::TemporaryCode;
use twofactor_core::config::Config;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::Event;

use super::handing_out;
use crate::args::Code;
use crate::error::{Failure, quoted};
use crate::host::{self, Host};
use crate::journal;
use crate::output::{self, Output, Unwritten};

pub(crate) fn run(arguments: &Code, host: &Host, output: &Output) -> Result<(), Failure> {
    if arguments.revoke {
        let take = |user: &UserName| host.accounts.revoke_code(user);
        handing_out::revoke(&arguments.user, take, Event::CodeRevoked, "temporary code", output)
    } else {
        give(arguments, host, output)
    }
}

fn give(arguments: &Code, host: &Host, output: &Output) -> Result<(), Failure> {
    let person = host::known_person(&arguments.user)?;
    let user = person.name.clone();
    host.accounts.check_owner(&person)?;
    let until = host.now()?.after(arguments.valid);
    let Some(code) = host.accounts.give_code(&person, until)? else { return Err(Failure::NotEnrolled(user)) };
    // Before it is shown: who has it can log in.
    journal::write(journal::about(Event::CodeGiven, &user).with("until", until));
    host.warn_of_delay(&user)?;
    warn_when_useless(&user, &host.config);
    if let Err(error) = show(&code, &user, until, output) {
        // A code that was not shown is of no use.
        if host.accounts.revoke_code(&user)? {
            journal::write(journal::about(Event::CodeRevoked, &user));
        }
        return Err(Failure::TemporaryCodeUnseen(error));
    }
    Ok(())
}

/// Shows the code, this one time.
pub(super) fn show(code: &TemporaryCode, user: &UserName, until: UnixTime, output: &Output) -> Result<(), Unwritten> {
    let use_of_it = format!("{user} can log in, once, until {until}, with the code\n");
    handing_out::show("code", code.expose_grouped().as_str(), user, until, &use_of_it, output)
}

/// Says so when a rule for this user may refuse the code: it counts as a recovery code.
pub(super) fn warn_when_useless(user: &UserName, config: &Config) {
    let refusing = config.rules.iter().any(|rule| !rule.demand.factors.include(FactorKind::Recovery));
    if refusing {
        output::warning(&format!(
            "a rule accepts no recovery codes, and so not this code; see \"twofactor explain {}\"",
            quoted(user.as_str())
        ));
    }
}
