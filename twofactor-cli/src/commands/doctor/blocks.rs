//! The settings of `Match` blocks: for each combination of blocks, a login is made up that meets it, and sshd asked what holds for it.
//!
//! Invariants: sshd's word counts (`sshd -T -C`). Where it does not apply a block to a login that should meet it, and where no login was
//! found that meets it, the block is named as one that could not be judged.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use nix::unistd::{Gid, Group};
use twofactor_admin::checkup::Id;
use twofactor_admin::checkup::people::Guarded;
use twofactor_admin::checkup::services::{asks_for_code_alone, runs_ours};
use twofactor_admin::checkup::sshd::criteria::{Candidate, Criterion};
use twofactor_admin::checkup::sshd::patterns::edges;
use twofactor_admin::checkup::sshd::situations::{Host, HostNames, Login, Situation, situations, unmet};
use twofactor_admin::checkup::sshd::{
    Asked, Block, Prompts, Settings, Sources, Usual, of_blocks, of_security_keys_in_blocks, of_unjudged_block,
};
use twofactor_core::config::Config;
use twofactor_core::config::rule::Facts;
use twofactor_core::host::clock::{Clock as _, SystemClock, UnixTime};
use twofactor_core::host::user::{SystemUsers, UserDatabase as _, UserName};
use twofactor_core::pam_service::{FOLDERS, Service, ServiceError};
use twofactor_core::policy::{self, Decision};

use super::report::Area;
use crate::people::login_names;
use crate::program::ask_sshd;

/// Everything that the judgement of blocks needs.
pub(super) struct Subject<'s> {
    /// The settings in force outside of blocks.
    pub(super) settings: &'s Settings,
    pub(super) sources: &'s Sources,
    /// The users with security keys of ssh.
    pub(super) owners: &'s BTreeSet<&'s str>,
    pub(super) config: &'s Config,
    /// The PAM service of logins that meet no block.
    pub(super) service: &'s Service,
}

/// The PAM service of logins with these settings, as libpam reads it; `None` where it does not run the module.
pub(super) fn service_of(settings: &Settings) -> Result<Option<Service>, ServiceError> {
    let service = Service::read(&settings.pam_service(), &FOLDERS.map(Path::new))?;
    Ok(Some(service).filter(runs_ours))
}

/// The questions of a service. Of one that cannot be read they are not known.
pub(super) fn prompts_of(service: &Result<Option<Service>, ServiceError>) -> Prompts {
    match service {
        Ok(None) => Prompts::NoCode,
        Ok(Some(service)) if asks_for_code_alone(service) => Prompts::CodeAlone,
        Ok(Some(_)) | Err(_) => Prompts::More,
    }
}

/// So many users are looked at.
const MOST_USERS: usize = 500;
/// So many combinations of blocks sshd is asked about, in some 20 ms each.
const MOST_SITUATIONS: usize = 100;

/// Looks at all blocks. Gives the kinds of findings about security keys that logins outside of blocks cannot have, because their
/// owners have none.
pub(super) fn look(area: &mut Area, subject: &Subject<'_>) -> Vec<Id> {
    let blocks: Vec<(usize, &Block)> = subject.sources.judged_blocks().collect();
    if blocks.is_empty() {
        return Vec::new();
    }
    let host = host(area, subject, &blocks);
    let found = situations(&blocks, &host);
    let (outside, inside): (Vec<_>, Vec<_>) = found.into_iter().partition(|situation| situation.blocks.is_empty());
    for (number, block) in &blocks {
        if !inside.iter().any(|situation| situation.blocks.contains(number)) {
            area.add([of_unjudged_block(block, unmet(block, &host))]);
        }
    }
    for situation in inside.iter().take(MOST_SITUATIONS) {
        look_at(area, subject, situation);
    }
    if let Some(more) = inside.len().checked_sub(MOST_SITUATIONS).filter(|more| *more > 0) {
        area.could_not_check(
            format!("what sshd says where {more} more combinations of Match meet"),
            "they are too many",
        );
    }
    let owns = |users: &BTreeSet<String>| users.iter().any(|user| subject.owners.contains(user.as_str()));
    let lacks = |users: fn(&Situation) -> &BTreeSet<String>| !outside.iter().any(|situation| owns(users(situation)));
    let of_keys = [
        (Id::SshKeyUntouched, lacks(|situation| &situation.users)),
        (Id::SshKeyIdle, lacks(|situation| &situation.usual_users)),
    ];
    of_keys.into_iter().filter(|(_, lacks)| *lacks).map(|(id, _)| id).collect()
}

/// Looks at the logins that meet the same blocks.
fn look_at(area: &mut Area, subject: &Subject<'_>, situation: &Situation) {
    let Some(login) = situation.logins.first() else { return };
    let deciding = subject.sources.deciding(&situation.blocks);
    let settings = match ask_sshd(&["-T", "-C", &login.to_string()]).well() {
        Ok(printed) => Settings::parse(&printed),
        Err(reason) => return area.could_not_check(format!("what sshd has for a login of {login}"), reason),
    };
    let contradicted: BTreeSet<usize> = deciding.contradicted(&settings).map(|line| line.block).collect();
    if !contradicted.is_empty() {
        let because = format!("sshd has other settings for {login}, which should meet it");
        let blocks = contradicted.iter().filter_map(|number| subject.sources.block(*number));
        return area.add(blocks.map(|block| of_unjudged_block(block, &because)));
    }
    let service = service_of(&settings);
    let prompts = prompts_of(&service);
    let service = service.ok().flatten();
    let asked = subject.asked_of(&situation.logins, service.as_ref().unwrap_or(subject.service));
    area.add(of_blocks(&settings, &deciding, prompts, asked));
    if situation.users.iter().any(|user| subject.owners.contains(user.as_str())) {
        let is_usual = situation.usual_users.iter().any(|user| subject.owners.contains(user.as_str()));
        area.add(of_security_keys_in_blocks(&settings, &deciding, if is_usual { Usual::Yes } else { Usual::No }));
    }
}

impl Subject<'_> {
    /// The demands of the policy on these logins through this service.
    fn asked_of(&self, logins: &[Login], service: &Service) -> Asked {
        let Ok(now) = SystemClock.now() else { return Asked::Code };
        if logins.iter().any(|login| self.asks(login, service, now)) { Asked::Code } else { Asked::Nothing }
    }

    fn asks(&self, login: &Login, service: &Service, now: UnixTime) -> bool {
        let (Some(guarded), Ok(user)) = (Guarded::of(service), UserName::new(&login.user)) else { return true };
        let rhost = login.remote.host.as_str();
        let facts = Facts { user: Some(&user), service: &service.name, rhost: Some(rhost) };
        let ruling = policy::judge(self.config, guarded.null_ok, &facts, None, &SystemUsers, now);
        !matches!(ruling.decision, Decision::Waive(_))
    }
}

/// This host, as far as the criteria of these blocks ask.
fn host(area: &mut Area, subject: &Subject<'_>, blocks: &[(usize, &Block)]) -> Host {
    let criteria = || blocks.iter().flat_map(|(_, block)| &block.criteria);
    let by_group = criteria().any(|criterion| matches!(criterion, Criterion::Group(_)));
    let users = users(area, subject, blocks).into_iter().map(|name| {
        let groups = if by_group { groups_of(&name) } else { Vec::new() };
        Candidate { name, groups }
    });
    let networks = subject.config.rules.iter().filter_map(|rule| rule.conditions.networks.as_ref()).flatten();
    Host {
        users: users.collect(),
        remotes: networks.filter_map(|network| network.to_string().parse().ok()).flat_map(edges).collect(),
        names: if subject.settings.value("usedns") == "yes" { HostNames::LookedUp } else { HostNames::Addresses },
        locals: vec![(LOCAL, subject.settings.value("port").parse().unwrap_or(22))],
    }
}

/// An address for documentation (RFC 5737), as if sshd was reached there.
const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

/// The users who may meet the criteria, each once: those whom they name, the owners of security keys, and all others who may log in.
fn users(area: &mut Area, subject: &Subject<'_>, blocks: &[(usize, &Block)]) -> Vec<String> {
    let named = blocks.iter().flat_map(|(_, block)| &block.criteria).flat_map(|criterion| match criterion {
        Criterion::User(patterns) => patterns.names().map(str::to_owned).collect(),
        Criterion::Group(patterns) => patterns.names().flat_map(members).collect(),
        _ => Vec::new(),
    });
    let all = login_names().unwrap_or_else(|reason| {
        area.could_not_check("all whom Match is about", reason);
        Vec::new()
    });
    let owners = subject.owners.iter().map(|name| (*name).to_owned());
    let others = std::iter::once("root".to_owned()).chain(all.iter().map(ToString::to_string));
    let mut known = BTreeSet::new();
    // sshd -C takes a comma for the end of a value.
    let is_new = |name: &String| !name.is_empty() && !name.contains(',') && known.insert(name.clone());
    let mut users: Vec<String> = named.chain(owners).chain(others).filter(is_new).collect();
    if let Some(more) = users.len().checked_sub(MOST_USERS).filter(|more| *more > 0) {
        area.could_not_check(format!("what Match does to {more} more users"), "they are too many");
        users.truncate(MOST_USERS);
    }
    users
}

fn members(group: &str) -> Vec<String> {
    Group::from_name(group).ok().flatten().map(|group| group.mem).unwrap_or_default()
}

/// The names of a user's groups. One who does not exist has none, as for sshd.
fn groups_of(name: &str) -> Vec<String> {
    let gids = UserName::new(name).ok().and_then(|user| SystemUsers.gids(&user).ok()).unwrap_or_default();
    gids.into_iter()
        .filter_map(|gid| Group::from_gid(Gid::from_raw(gid)).ok().flatten())
        .map(|group| group.name)
        .collect()
}
