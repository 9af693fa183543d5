//! Who could still become root after a service asks for a second factor.

use nix::unistd::{Gid, Group, Uid, User};
use twofactor_core::account::Confirmation;
use twofactor_core::clock::UnixTime;
use twofactor_core::config::InvitationRule;
use twofactor_core::login;
use twofactor_core::policy::{self, Decision, NullOk, Ruling};
use twofactor_core::rule::Facts;
use twofactor_core::user::{SystemUsers, UserName};

use crate::error::{Failure, ServiceFailure};
use crate::host::Host;

/// Groups whose members may become root.
const GROUPS: [&str; 3] = ["sudo", "wheel", "admin"];

/// Makes sure that the policy lets somebody in who can mend this host.
pub(super) fn keep_one(service: &str, host: &Host) -> Result<(), Failure> {
    let now = host.now()?;
    let administrators = administrators();
    if administrators.iter().any(|user| can_log_in(user, service, host, now)) {
        return Ok(());
    }
    let administrators = administrators.iter().map(UserName::to_string).collect();
    Err(ServiceFailure::NobodyLeft { service: service.to_owned(), administrators }.into())
}

/// Whoever has the number 0, and the members of the groups that sudo trusts; those who are not root first.
fn administrators() -> Vec<UserName> {
    let groups: Vec<Group> = GROUPS.iter().filter_map(|name| Group::from_name(name).ok().flatten()).collect();
    let mut names: Vec<String> = groups.iter().flat_map(|group| group.mem.clone()).collect();
    let gids: Vec<Gid> = groups.iter().map(|group| group.gid).collect();
    // Users whose first group it is are not among its members.
    let local = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let numbers = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
        Some(((*fields.first()?).to_owned(), number(2)?, number(3)?))
    };
    let entries: Vec<(String, u32, u32)> = local.lines().filter_map(numbers).collect();
    names.extend(entries.iter().filter(|entry| gids.contains(&Gid::from_raw(entry.2))).map(|entry| entry.0.clone()));
    names.extend(entries.iter().filter(|entry| entry.1 == 0).map(|entry| entry.0.clone()));
    names.extend(User::from_uid(Uid::from_raw(0)).ok().flatten().map(|root| root.name));
    let mut users: Vec<UserName> = Vec::new();
    for user in names.iter().filter_map(|name| UserName::new(name).ok()) {
        if !users.contains(&user) {
            users.push(user);
        }
    }
    users
}

/// Whether the user is asked nothing there, or for something that he has or can set up.
fn can_log_in(user: &UserName, service: &str, host: &Host, now: UnixTime) -> bool {
    if login::identify(&SystemUsers, user.as_str()).is_err() {
        return false;
    }
    let facts = Facts { user: Some(user), service, rhost: None };
    let ruling = policy::judge(&host.config, NullOk::No, &facts, None, &SystemUsers, now);
    match ruling.decision {
        Decision::Waive(_) | Decision::AskTheEnrolled(_) => true,
        Decision::AskOrEnroll(_) if host.config.enrollment.invitation == InvitationRule::None => true,
        Decision::Ask | Decision::AskOrEnroll(_) => has_credential(user, &ruling, host),
    }
}

fn has_credential(user: &UserName, ruling: &Ruling, host: &Host) -> bool {
    let Ok(status) = host.status(user) else { return false };
    let app = status.apps.iter().any(|app| app.confirmation == Confirmation::Confirmed);
    let token = status.tokens.iter().any(|token| token.stage.is_usable());
    (app && ruling.factors.app) || (token && ruling.factors.token)
}
