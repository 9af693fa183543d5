//! `twofactor rename OLD NEW`: a user got another login name, and the account goes along.
//!
//! Invariant: an account never goes to another person unasked. What says that both names are one person's is the uid in the
//! account; where it is another one, a person has to say so.

use serde_json::json;
use twofactor_core::codes::token::Serial;
use twofactor_core::config::rule::Rule;
use twofactor_core::host::shell::quoted;
use twofactor_core::host::user::{Person, SystemUsers, Uid, UserDatabase as _, UserName};
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{Belongs, Renamed};

use crate::args::state::Rename;
use crate::error::{Failure, LeavingFailure};
use crate::host::{self, Host};
use crate::journal;
use crate::output::values::counted;
use crate::output::{self, Output};
use crate::terminal::{self, Yes};

pub(crate) fn run(arguments: &Rename, host: &Host, output: &Output) -> Result<(), Failure> {
    let to = host::known_person(&arguments.new)?;
    let (from, there) = former_name(&arguments.old)?;
    if from == to.name {
        return Err(LeavingFailure::SameName(from).into());
    }
    let seen = host.accounts.belongs(&from)?;
    let is_certain = seen == Belongs::ToNobody || seen.uid() == Some(to.uid);
    let is_known = |person: &Person| person.uid != Uid::NONE && to.uid != Uid::NONE;
    if let Some(there) = there.filter(|there| !is_certain && is_known(there) && there.uid != to.uid) {
        return Err(LeavingFailure::StillThere(there).into());
    }
    if !is_certain && !arguments.yes {
        ask(&from, &to, seen)?;
    }
    let renamed = host.accounts.rename(&from, &to, seen, host.sysadmin()?.by())?;
    let record = journal::about(Event::AccountRenamed, &to.name).with("user_before", &from);
    journal::write(record.with_some("uid_before", seen.uid()).with_some("uid", to.uid.known()));
    warn_of_rules(&from, host);
    let Renamed { apps, tokens } = renamed;
    output.done(
        || {
            let (apps, tokens) = (counted(apps as u64, "app"), counted(tokens.len() as u64, "physical token"));
            format!("{from}'s account is {to}'s now, with {apps} and {tokens}.\n")
        },
        || {
            json!({
                "user": to.name.as_str(),
                "user_before": from.as_str(),
                "uid": to.uid.known(),
                "uid_before": seen.uid().map(|uid| uid.0),
                "apps": apps,
                "tokens": tokens.iter().map(Serial::as_str).collect::<Vec<_>>(),
            })
        },
    )?;
    let (old, new) = (quoted(from.as_str()), quoted(to.name.as_str()));
    // Each host has names of its own.
    let first = if host::administers_central() { String::new() } else { format!("usermod -l {old} {new}, then ") };
    output.explain(&format!("Undo: {first}\"twofactor rename {new} {old}\"."));
    Ok(())
}

/// The name that the account has, and the person who has it now: a name that the host does not know is taken as it was typed.
fn former_name(typed: &str) -> Result<(UserName, Option<Person>), Failure> {
    if let Some(person) = SystemUsers.person(typed)? {
        return Ok((person.name.clone(), Some(person)));
    }
    let name = UserName::new(typed).map_err(|_| Failure::UnknownUser(typed.to_owned()))?;
    Ok((name, None))
}

/// Asks whether both are one person.
fn ask(from: &UserName, to: &Person, seen: Belongs) -> Result<(), Failure> {
    if !terminal::is_interactive() {
        return Err(Failure::CannotAsk);
    }
    if host::administers_central() {
        return confirmed(&format!(
            "{from}'s account is {to}'s from now on, on all hosts. Is {to} the same person? [y/N] "
        ));
    }
    let of = seen.uid().map_or_else(|| "a uid that is not known".to_owned(), |uid| format!("uid {uid}"));
    let question =
        format!("{from}'s account belongs to {of}, and {to} has uid {}. Is {to} the same person? [y/N] ", to.uid);
    confirmed(&question)
}

fn confirmed(question: &str) -> Result<(), Failure> {
    match terminal::ask_yes(question)? {
        Yes::Yes => Ok(()),
        Yes::No => Err(Failure::Declined),
    }
}

/// Names what the configuration still says of the former name.
fn warn_of_rules(from: &UserName, host: &Host) {
    let names = |rule: &&Rule| rule.conditions.users.iter().flatten().any(|user| user == from.as_str());
    let rules = host.config.rules.iter().filter(names).map(|rule| rule.line);
    let callers = host.config.callers.iter().filter(|caller| caller.user == from.as_str()).map(|caller| caller.line);
    for line in rules.chain(callers) {
        output::warning(&format!("{}:{line} names {from}, and is not changed", host.config_file.display()));
    }
}
