//! People: who may log in, who is enrolled, and what is about to go wrong for them.

use twofactor_admin::checkup::people::{Guarded, Has, of_people};
use twofactor_admin::checkup::services::lets_in;
use twofactor_admin::checkup::storage::of_store;
use twofactor_admin::checkup::{Finding, Id};
use twofactor_core::account::{Confirmation, REPEATED};
use twofactor_core::config::Config;
use twofactor_core::host::clock::{Clock as _, SystemClock, UnixTime};
use twofactor_core::host::shell;
use twofactor_core::host::user::{SystemUsers, UserDatabase as _, UserName};
use twofactor_core::login::FEW_RECOVERY_CODES;
use twofactor_core::pam_service::Service;
use twofactor_core::store;
use twofactor_core::store::administration::{AccountStatus, AdministeredStore};

use super::configuration::Source;
use super::report::Area;
use crate::error::quoted;
use crate::output::values::counted;
use crate::people;

/// `state` is what was found there. Gives the users with security keys of ssh, too.
pub(super) fn look(source: &Source, services: &[Service], state: &Area) -> (Area, Vec<UserName>) {
    let mut area = Area::new("accounts", "none");
    let mut with_keys = Vec::new();
    // Each look-up would wait for it again.
    if state.findings.iter().any(|finding| finding.id == Id::RegistryUnavailable) {
        area.could_not_check("the accounts", "the registry does not answer");
        return (area, with_keys);
    }
    let Some(config) = &source.config else {
        area.could_not_check("the accounts", "the configuration is wrong");
        return (area, with_keys);
    };
    let now = match SystemClock.now() {
        Ok(now) => now,
        Err(error) => {
            area.could_not_check("the accounts", error);
            return (area, with_keys);
        }
    };
    let accounts = store::open(config, SystemClock);
    look_at_accounts(&mut area, &accounts, &mut with_keys);
    look_at_people(&mut area, &accounts, source, config, services, now);
    (area, with_keys)
}

/// All users who have an account.
fn look_at_accounts(area: &mut Area, accounts: &dyn AdministeredStore, with_keys: &mut Vec<UserName>) {
    let users = match accounts.users() {
        Ok(users) => users,
        Err(error) => return area.could_not_check("who is enrolled", error),
    };
    for user in users {
        // An account that cannot be read is one of the state's findings.
        let Ok(Some(status)) = accounts.status(&user) else { continue };
        if !status.ssh_keys.is_empty() {
            with_keys.push(user.clone());
        }
        match SystemUsers.person(user.as_str()) {
            // All else about it is another person's business.
            Ok(Some(person)) if status.uid.is_some_and(|recorded| recorded != person.uid) => {
                area.add(accounts.check_owner(&person).err().as_ref().map(of_store));
            }
            Ok(Some(person)) => {
                area.add(of_account(&user, &status));
                let left = accounts.recovery_left(&person).ok().flatten();
                area.add(left.filter(|left| *left <= FEW_RECOVERY_CODES).map(|left| few_recovery_codes(&user, left)));
            }
            Ok(None) => area.add(of_orphan(&user, &status)),
            Err(error) => area.could_not_check(format!("whether {user} exists"), error),
        }
    }
}

fn of_account(user: &UserName, status: &AccountStatus) -> Vec<Finding> {
    let name = quoted(user.as_str());
    let mut findings = Vec::new();
    for app in &status.apps {
        let label = shell::value(app.label.as_str());
        if app.confirmation == Confirmation::Pending {
            let what = format!("{user}'s app \"{}\" waits for a code", app.label);
            let advice = "it is shown again at the next login, where the policy says so, or by";
            let command = format!("twofactor enroll --label={label} {name}");
            findings.push(Finding::consider(Id::NotConfirmed, what, advice, command));
        }
        if let Some(until) = app.burned_until {
            let what = format!("no code of {user}'s app \"{}\" is good until {until}", app.label);
            let command = format!("twofactor enroll --label={label} --replace {name}");
            findings.push(Finding::run(Id::CodesBurned, what, command));
        }
    }
    for token in status.tokens.iter().filter(|token| token.near_misses >= REPEATED) {
        let serial = &token.serial;
        let what = format!("{user} typed right codes of token {serial} {} times at a wrong time", token.near_misses);
        let command = format!("twofactor token resync {}", quoted(serial.as_str()));
        findings.push(Finding::run(Id::TokenClockOff, what, command));
    }
    if let Some(until) = status.blocked_until {
        let what = format!("after {} wrong codes, logins of {user} are refused until {until}", status.failures);
        findings.push(Finding::run(Id::DelayedUser, what, format!("twofactor unlock {name}")));
    }
    findings
}

fn few_recovery_codes(user: &UserName, left: usize) -> Finding {
    let what = match left {
        0 => format!("{user} has used up all recovery codes"),
        left => format!("{user} has {} left", counted(left, "recovery code")),
    };
    Finding::run(Id::RecoveryCodesLow, what, format!("twofactor recovery {}", quoted(user.as_str())))
}

fn of_orphan(user: &UserName, status: &AccountStatus) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !status.apps.is_empty() {
        let what = format!("{user} is enrolled, but there is no such user");
        let advice = "unless the user database is not complete just now";
        let command = format!("twofactor reset {}", quoted(user.as_str()));
        findings.push(Finding::consider(Id::OrphanedAccount, what, advice, command));
    }
    for token in &status.tokens {
        let serial = &token.serial;
        let what = format!("token {serial} is assigned to {user}, but there is no such user");
        let command = format!("twofactor token unassign --force {}", quoted(serial.as_str()));
        findings.push(Finding::run(Id::OrphanedToken, what, command));
    }
    findings
}

/// All users who may log in.
fn look_at_people(
    area: &mut Area,
    accounts: &dyn AdministeredStore,
    source: &Source,
    config: &Config,
    services: &[Service],
    now: UnixTime,
) {
    let people = match people::who_may_log_in(config, accounts, now) {
        Ok(people) => people,
        Err(reason) => return area.could_not_check("who may log in", reason),
    };
    area.looked_at = format!("{} with a login shell, of those that getent lists", counted(people.len(), "user"));
    let unknown: Vec<&str> =
        people.iter().filter(|person| person.has == Has::Unknown).map(|person| person.name.as_str()).collect();
    if let Some((first, others)) = unknown.split_first() {
        let others = if others.is_empty() { String::new() } else { format!(" and {} others", others.len()) };
        area.could_not_check(format!("what {first}{others} could log in with"), "the state cannot be read");
    }
    let guarded: Vec<Guarded> = services.iter().filter(|service| lets_in(service)).filter_map(Guarded::of).collect();
    match of_people(config, &source.file.display().to_string(), &people, &guarded, &SystemUsers, now) {
        Ok(findings) => area.add(findings),
        Err(error) => area.could_not_check("who is asked for what", error),
    }
}
