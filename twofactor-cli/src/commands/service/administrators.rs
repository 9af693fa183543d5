//! Who could still become root after a service asks for a second factor.

use twofactor_core::checkup::people::{FirstFactor, Guarded, Person, Role, gets_in};
use twofactor_core::policy::NullOk;
use twofactor_core::user::SystemUsers;

use crate::error::{Failure, ServiceFailure};
use crate::host::Host;
use crate::people;

/// Makes sure that the policy lets somebody in who can mend this host. Whether he knows his password is not asked.
pub(super) fn keep_one(service: &str, host: &Host) -> Result<(), Failure> {
    let now = host.now()?;
    let people = people::who_may_log_in(&host.accounts, &host.config, now).map_err(ServiceFailure::People)?;
    let mut administrators: Vec<&Person> = people.iter().filter(|person| person.role == Role::Administrator).collect();
    let guarded = Guarded { name: service.to_owned(), null_ok: NullOk::No, first_factor: FirstFactor::Asked };
    if administrators.iter().any(|person| gets_in(&host.config, person, &guarded, &SystemUsers, now)) {
        return Ok(());
    }
    // Whom to enroll is rather somebody with a name of his own.
    administrators.sort_by_key(|person| person.name.as_str() == "root");
    let administrators = administrators.iter().map(|person| person.name.to_string()).collect();
    Err(ServiceFailure::NobodyLeft { service: service.to_owned(), administrators }.into())
}
