//! `twofactor invite USER`: a code that lets a user enroll at the login prompt, once.

use serde_json::json;
use twofactor_core::config::InvitationRule;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::{SystemUsers, UserDatabase as _, UserName};
use twofactor_core::log::record::Event;
use twofactor_core::policy;
use twofactor_core::store::{EnrollmentStatus, Superseded};
use zeroize::Zeroizing;

use crate::args::Invite;
use crate::error::{Failure, quoted};
use crate::host::{self, Host};
use crate::journal;
use crate::output::{self, Format, Output, Stream, Unwritten};

pub(crate) fn run(arguments: &Invite, host: &Host, output: &Output) -> Result<(), Failure> {
    if arguments.revoke { revoke(&arguments.user, host, output) } else { invite(arguments, host, output) }
}

fn invite(arguments: &Invite, host: &Host, output: &Output) -> Result<(), Failure> {
    let person = host::known_person(&arguments.user)?;
    let user = person.name.clone();
    host.accounts.check_owner(&person)?;
    match host.accounts.enrollment_status(&person) {
        Ok(EnrollmentStatus::Enrolled) => return Err(Failure::NeedsNoInvitation(user)),
        Ok(EnrollmentStatus::New(_) | EnrollmentStatus::Waiting) => {}
        Err(error) => return Err(error.into()),
    }
    let now = host.now()?;
    warn_when_useless(&user, host, now);
    let until = now.after(arguments.valid);
    let code = host.accounts.invite(&person, until).map_err(|superseded| failure(superseded, &user))?;
    let shown = match output.format() {
        Format::Json => output::must_show_json(json!({
            "user": user.as_str(),
            "invitation": code.expose_grouped().as_str(),
            "until": until.to_string(),
        })),
        Format::Text => {
            let about = format!("{user} can enroll at login, once, until {until}, with\n");
            let about = output.explanation(&about, Stream::Results);
            output::must_show(Stream::Results, &Zeroizing::new(format!("{about}{}\n", code.expose_grouped().as_str())))
        }
    };
    if let Err(error) = shown {
        // A code that was not shown is of no use.
        host.accounts.revoke_invitation(&user)?;
        return Err(Failure::InvitationUnseen(Unwritten(error)));
    }
    journal::write(journal::about(Event::Invited, &user).with("until", until));
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
    let had = host.accounts.revoke_invitation(&user)?;
    if !had && !is_known {
        return Err(Failure::UnknownUser(typed.to_owned()));
    }
    if had {
        journal::write(journal::about(Event::InvitationRevoked, &user));
    }
    Ok(output.done(
        || if had { format!("{user}'s invitation is void.\n") } else { format!("{user} had no invitation.\n") },
        || json!({ "user": user.as_str(), "revoked": had }),
    )?)
}

/// Says so when no login would ask for the invitation.
fn warn_when_useless(user: &UserName, host: &Host, now: UnixTime) {
    let name = quoted(user.as_str());
    match policy::lets_enroll(&host.config, user, &SystemUsers, now) {
        Ok(true) if host.config.enrollment.invitation == InvitationRule::None => {
            output::warning(&format!("no login asks {user} for it: the configuration says invitation = \"none\""));
        }
        Ok(true) => {}
        Ok(false) => output::warning(&format!(
            "no rule lets {user} enroll at login (second_factor = \"enroll\"); see \"twofactor explain {name}\""
        )),
        Err(error) => output::warning(&format!("cannot tell whether a rule lets {user} enroll at login: {error}")),
    }
}

fn failure(superseded: Superseded, user: &UserName) -> Failure {
    match superseded {
        Superseded::Store(error) => error.into(),
        Superseded::Entropy(error) => Failure::Entropy(error),
        Superseded::Enrolled
        | Superseded::TokenTaken
        | Superseded::Reset
        | Superseded::Expired
        | Superseded::InvitationSpent => Failure::NeedsNoInvitation(user.clone()),
    }
}
