//! Users who may log in: those with a login shell, as far as the user database lists them.

use std::collections::BTreeSet;
use std::fs;

use twofactor_admin::checkup::people::{Has, Person, Role};
use twofactor_admin::checkup::shadow::Shadow;
use twofactor_core::account::Confirmation;
use twofactor_core::account::factors::{Attestation, Factors};
use twofactor_core::account::lifecycle::Stage;
use twofactor_core::config::Config;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::{SystemUsers, Uid, UserDatabase as _, UserName};
use twofactor_core::store::administration::{AccountStatus, AdministeredStore};
use twofactor_core::store::{Presence, StoreError};

use crate::host::asks_a_fleet;
use crate::program::ask;

/// Groups whose members may become root on some distribution.
const ADMINISTRATORS: [&str; 3] = ["sudo", "wheel", "admin"];

/// Every user with this uid is root.
const ROOT: Uid = Uid(0);

/// An entry of the user database.
struct Entry {
    name: UserName,
    uid: Uid,
}

/// The names of all users who may log in.
pub(crate) fn login_names() -> Result<Vec<UserName>, String> {
    Ok(who_have_login_shells()?.into_iter().map(|entry| entry.name).collect())
}

/// The names of all users whom the user database lists, with a login shell or without.
pub(crate) fn all_names() -> Result<Vec<UserName>, String> {
    Ok(entries(|_| true)?.into_iter().map(|entry| entry.name).collect())
}

/// All users who may log in, with their credentials.
pub(crate) fn who_may_log_in(
    config: &Config,
    accounts: &dyn AdministeredStore,
    now: UnixTime,
) -> Result<Vec<Person>, String> {
    Ok(with_accounts(config, accounts, now)?.map(|(person, _)| person).collect())
}

/// The same with what the store knows of each, which is asked once.
pub(crate) fn with_accounts(
    config: &Config,
    accounts: &dyn AdministeredStore,
    now: UnixTime,
) -> Result<impl Iterator<Item = (Person, Result<Option<AccountStatus>, StoreError>)>, String> {
    let shadow = Shadow::parse(&fs::read_to_string("/etc/shadow").unwrap_or_default(), now);
    let groups = administrators()?;
    let without_account = if asks_a_fleet(config) { Has::OfFleet } else { Has::Factors(Factors::NONE) };
    let person = move |Entry { name, uid }: Entry| {
        let account = account(accounts, &name);
        let is_administrator = || SystemUsers.gids(&name).is_ok_and(|gids| gids.iter().any(|gid| groups.contains(gid)));
        let person = Person {
            role: if uid == ROOT || is_administrator() { Role::Administrator } else { Role::User },
            has: credentials(&account, uid).unwrap_or(without_account),
            password: shadow.password(name.as_str()),
            account: shadow.account(name.as_str()),
            name,
        };
        (person, account)
    };
    Ok(who_have_login_shells()?.into_iter().map(person))
}

fn who_have_login_shells() -> Result<Vec<Entry>, String> {
    let shells = shells();
    entries(|shell| shells.contains(shell))
}

/// The users whose shell is wanted, each once.
fn entries(is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Entry>, String> {
    let listed = ask("getent", &["passwd"]).well()?;
    let mut known = BTreeSet::new();
    let entry = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, _, _, _, shell] = fields.as_slice() else { return None };
        let name = UserName::new(name).ok().filter(|_| is_wanted(shell))?;
        Some(Entry { name, uid: Uid(uid.parse().ok()?) })
    };
    Ok(listed.lines().filter_map(entry).filter(|entry| known.insert(entry.name.clone())).collect())
}

/// The numbers of the administrators' groups.
fn administrators() -> Result<Vec<u32>, String> {
    let gids = ADMINISTRATORS.iter().filter_map(|group| SystemUsers.gid(group).transpose());
    gids.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// The account of a user. A login does not take a missing folder for absence.
fn account(accounts: &dyn AdministeredStore, user: &UserName) -> Result<Option<AccountStatus>, StoreError> {
    match accounts.presence(user)? {
        Presence::Absent(_) => Ok(None),
        Presence::Enrolled => accounts.status(user),
    }
}

/// The credentials of a user that are good; `None` without an account.
fn credentials(account: &Result<Option<AccountStatus>, StoreError>, uid: Uid) -> Option<Has> {
    Some(match account {
        Ok(None) => return None,
        Ok(Some(status)) if status.uid.is_some_and(|recorded| recorded != uid) => Has::AnothersAccount,
        Err(_) | Ok(Some(AccountStatus { tokens_problem: Some(_), .. })) => Has::Unknown,
        Ok(Some(status)) => Has::Factors(Factors {
            app: status.apps.iter().any(|app| app.confirmation == Confirmation::Confirmed),
            token: status.tokens.iter().any(|token| matches!(token.stage, Stage::Assigned | Stage::Active)),
            recovery: status.recovery_left > 0,
            ssh_key: !status.ssh_keys.is_empty(),
            attested_ssh_key: status.ssh_keys.iter().any(|one| one.attestation == Attestation::Checked),
        }),
    })
}

/// Shells with which users can log in (shells(5)).
fn shells() -> BTreeSet<String> {
    let text = fs::read_to_string("/etc/shells").unwrap_or_else(|_| "/bin/sh\n/bin/bash\n".to_owned());
    // An entry without a shell means this one (passwd(5)).
    let default = [String::new(), "/bin/sh".to_owned()];
    let shells = text.lines().map(str::trim).filter(|line| line.starts_with('/')).map(str::to_owned);
    // Some distributions list them so that ftp is allowed.
    shells.chain(default).filter(|shell| !shell.ends_with("/nologin") && !shell.ends_with("/false")).collect()
}
