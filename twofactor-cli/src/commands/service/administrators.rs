//! The administrators who could still log in after a service asks for a second factor.

use twofactor_admin::checkup::people::{Account, FirstFactor, Guarded, Password, Person, Role, gets_in};
use twofactor_core::config::arguments::NullOk;
use twofactor_core::host::user::SystemUsers;

use crate::error::{Failure, ServiceFailure};
use crate::host::Host;
use crate::people;
use crate::sshd::keeps_out;

use super::sshd;

/// All administrators of this host, root last: a personal account is the better one to enroll.
pub(super) fn look(host: &Host) -> Result<Vec<Person>, Failure> {
    let people = people::who_may_log_in(&host.config, &*host.accounts, host.now()?).map_err(ServiceFailure::People)?;
    let mut administrators: Vec<Person> =
        people.into_iter().filter(|person| person.role == Role::Administrator).collect();
    administrators.sort_by_key(|person| person.name.as_str() == "root");
    Ok(administrators)
}

/// Refuses unless an administrator can log in: by the policy, by the state of the account, and for sshd by its settings.
/// The check takes for granted that administrators know their passwords.
///
/// An administrator with a locked password answers no prompts before or after the change, and keeps the login with a key.
/// Where the passwords of all are locked, the change shuts none of them out, and one of them who is enrolled is enough.
pub(super) fn keep_one(service: &str, candidates: &[Person], host: &Host) -> Result<(), Failure> {
    let now = host.now()?;
    let guarded = Guarded { name: service.to_owned(), null_ok: NullOk::No, first_factor: FirstFactor::Asked };
    let (mut administrators, mut barred) = (Vec::new(), Vec::new());
    let mut with_a_key = Vec::new();
    for person in candidates {
        let has_what_counts = gets_in(&host.config, person, &guarded, &SystemUsers, now);
        let by_account = guarded.keeps_out(person).map(|because| format!("({because})"));
        let by_sshd = if service == sshd::SERVICE && by_account.is_none() { keeps_out(&person.name)? } else { None };
        let by_sshd = by_sshd.map(|setting| format!("by {setting}"));
        match by_account.or(by_sshd) {
            Some(because) => {
                if person.password == Password::Locked && person.account == Account::Open {
                    with_a_key.push((person.name.to_string(), has_what_counts));
                }
                barred.push((person.name.to_string(), because));
            }
            None if has_what_counts => return Ok(()),
            None => administrators.push(person.name.to_string()),
        }
    }
    if administrators.is_empty() {
        if with_a_key.iter().any(|(_, has_what_counts)| *has_what_counts) {
            return Ok(());
        }
        administrators = with_a_key.into_iter().map(|(name, _)| name).collect();
        barred.retain(|(name, _)| !administrators.contains(name));
    }
    Err(ServiceFailure::NobodyLeft { service: service.to_owned(), administrators, barred }.into())
}
