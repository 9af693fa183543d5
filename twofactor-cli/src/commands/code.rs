//! `twofactor code USER`: ten digits that open one session, for a user without phone and token.

use serde_json::json;
use twofactor_core::account::factors::FactorKind;
use twofactor_core::host::user::{SystemUsers, UserDatabase as _, UserName};
use twofactor_core::log::record::Event;
use zeroize::Zeroizing;

use crate::args::Code;
use crate::error::{Failure, quoted};
use crate::host::{self, Host};
use crate::journal;
use crate::output::{self, Format, Output, Stream, Unwritten};

pub(crate) fn run(arguments: &Code, host: &Host, output: &Output) -> Result<(), Failure> {
    if arguments.revoke { revoke(&arguments.user, host, output) } else { give(arguments, host, output) }
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
    warn_when_useless(&user, host);
    let shown = match output.format() {
        Format::Json => output::must_show_json(json!({
            "user": user.as_str(),
            "code": code.expose_grouped().as_str(),
            "until": until.to_string(),
        })),
        Format::Text => {
            let about = format!("{user} can log in, once, until {until}, with the code\n");
            let about = output.explanation(&about, Stream::Results);
            output::must_show(Stream::Results, &Zeroizing::new(format!("{about}{}\n", code.expose_grouped().as_str())))
        }
    };
    if let Err(error) = shown {
        // A code that was not shown is of no use.
        if host.accounts.revoke_code(&user)? {
            journal::write(journal::about(Event::CodeRevoked, &user));
        }
        return Err(Failure::TemporaryCodeUnseen(Unwritten(error)));
    }
    Ok(())
}

fn revoke(typed: &str, host: &Host, output: &Output) -> Result<(), Failure> {
    let known = SystemUsers.canonical(typed)?;
    let is_known = known.is_some();
    // A user who was deleted from the host may come back under the same name.
    let user = match known {
        Some(user) => user,
        None => UserName::new(typed).map_err(|_| Failure::UnknownUser(typed.to_owned()))?,
    };
    let had = host.accounts.revoke_code(&user)?;
    if !had && !is_known {
        return Err(Failure::UnknownUser(typed.to_owned()));
    }
    if had {
        journal::write(journal::about(Event::CodeRevoked, &user));
    }
    Ok(output.done(
        || if had { format!("{user}'s temporary code is void.\n") } else { format!("{user} had no temporary code.\n") },
        || json!({ "user": user.as_str(), "revoked": had }),
    )?)
}

/// Says so when a rule for this user may refuse the code: it counts as a recovery code.
fn warn_when_useless(user: &UserName, host: &Host) {
    let refusing = host.config.rules.iter().any(|rule| !rule.demand.factors.include(FactorKind::Recovery));
    if refusing {
        output::warning(&format!(
            "a rule accepts no recovery codes, and so not this code; see \"twofactor explain {}\"",
            quoted(user.as_str())
        ));
    }
}
