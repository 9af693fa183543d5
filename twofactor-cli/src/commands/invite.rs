//! `twofactor invite USER`: a code that lets a user enroll at the login prompt, once.

use twofactor_core::config::InvitationRule;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::{SystemUsers, UserName};
use twofactor_core::log::record::Event;
use twofactor_core::policy;
use twofactor_core::store::{EnrollmentStatus, Superseded};

use super::handing_out;
use crate::args::Invite;
use crate::error::{Failure, quoted};
use crate::host::Host;
use crate::journal;
use crate::output::{self, Output};

pub(crate) fn run(arguments: &Invite, host: &Host, output: &Output) -> Result<(), Failure> {
    if arguments.revoke {
        let take = |user: &UserName| host.accounts.revoke_invitation(user);
        handing_out::revoke(&arguments.user, take, Event::InvitationRevoked, "invitation", output)
    } else {
        invite(arguments, host, output)
    }
}

fn invite(arguments: &Invite, host: &Host, output: &Output) -> Result<(), Failure> {
    let person = host.person_to_equip(&arguments.user)?;
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
    let use_of_it = format!("{user} can enroll at login, once, until {until}, with\n");
    let shown = handing_out::show("invitation", code.expose_grouped().as_str(), &user, until, &use_of_it, output);
    if let Err(error) = shown {
        // A code that was not shown is of no use.
        host.accounts.revoke_invitation(&user)?;
        return Err(Failure::InvitationUnseen(error));
    }
    journal::write(journal::about(Event::Invited, &user).with("until", until));
    Ok(())
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
