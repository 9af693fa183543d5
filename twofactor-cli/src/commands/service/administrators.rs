//! Who could still become root after a service asks for a second factor.

use twofactor_admin::checkup::people::{Account, FirstFactor, Guarded, Password, Person, Role, gets_in};
use twofactor_core::config::arguments::NullOk;
use twofactor_core::host::user::SystemUsers;

use crate::error::{Failure, ServiceFailure};
use crate::host::Host;
use crate::people;
use crate::sshd::keeps_out;

use super::sshd;

/// Everybody who may mend this host, root last: whom to enroll is rather somebody with a name of his own.
pub(super) fn look(host: &Host) -> Result<Vec<Person>, Failure> {
    let people = people::who_may_log_in(&host.accounts, host.now()?).map_err(ServiceFailure::People)?;
    let mut bosses: Vec<Person> = people.into_iter().filter(|person| person.role == Role::Administrator).collect();
    bosses.sort_by_key(|person| person.name.as_str() == "root");
    Ok(bosses)
}

/// Makes sure that somebody gets in who can mend this host: by the policy, by his account, and through sshd by its settings.
/// Whether he knows his password is not asked.
///
/// Whose password is locked answers no prompts, today or then, and keeps what he has: a key. Where all are like that nobody is
/// shut out, and one who is enrolled is enough.
pub(super) fn keep_one(service: &str, bosses: &[Person], host: &Host) -> Result<(), Failure> {
    let now = host.now()?;
    let guarded = Guarded { name: service.to_owned(), null_ok: NullOk::No, first_factor: FirstFactor::Asked };
    let (mut administrators, mut kept_out) = (Vec::new(), Vec::new());
    let mut with_a_key = Vec::new();
    for person in bosses {
        let has_what_counts = gets_in(&host.config, person, &guarded, &SystemUsers, now);
        let by_account = guarded.keeps_out(person).map(str::to_owned);
        let by_sshd = if service == sshd::SERVICE && by_account.is_none() { keeps_out(&person.name)? } else { None };
        match by_account.or(by_sshd) {
            Some(because) => {
                if person.password == Password::Locked && person.account == Account::Open {
                    with_a_key.push((person.name.to_string(), has_what_counts));
                }
                kept_out.push((person.name.to_string(), because));
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
        kept_out.retain(|(name, _)| !administrators.contains(name));
    }
    Err(ServiceFailure::NobodyLeft { service: service.to_owned(), administrators, kept_out }.into())
}
