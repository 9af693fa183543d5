//! sshd, where it runs the module: the settings in force, the files they come from, and whether the running one has read them.

use std::collections::BTreeSet;
use std::path::Path;

use twofactor_admin::checkup::sshd::{Settings, of_drop_in, of_opening, of_outdated, of_security_keys, of_settings};
use twofactor_admin::checkup::{Finding, Id};
use twofactor_core::config::Config;
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::UserName;
use twofactor_core::pam_service::Service;
use twofactor_core::pam_service::environment::opening;
use twofactor_core::pam_service::programs;

use super::blocks;
use super::report::Area;
use crate::program::Said;
use crate::sshd::{Outdated, Written, ask_settings};

/// `owners` are the users with security keys of ssh.
pub(super) fn look(config: &Config, services: &[Service], owners: &[UserName]) -> Option<Area> {
    let written = Written::read();
    let asked = ask_settings(&written);
    let named = match &asked {
        Said::Well(printed) => Settings::parse(printed),
        Said::Failed(_) | Said::NotRun(_) => Settings::default(),
    };
    let usual = services.iter().find(|service| programs::is_sshd(&service.name));
    let its_service = blocks::service_of(&named);
    let prompts = blocks::prompts_of(&its_service);
    let its_service = its_service.ok().flatten();
    let service = its_service.as_ref().or(usual)?;
    let mut area = Area::new("sshd", "its settings in force (sshd -T)");
    if let Some(usual) = usual.filter(|_| !owners.is_empty()) {
        // A matter of PAM, whatever sshd says.
        area.add(opening(usual, Owner::ROOT).as_ref().map(of_opening));
    }
    let settings = match asked {
        Said::Well(_) => named,
        Said::Failed(reason) => {
            let advice = "sshd -t says what is wrong with it";
            return Some(area.with([Finding::by_hand(Id::SshdConfigBroken, reason, advice)]));
        }
        Said::NotRun(reason) => {
            area.could_not_check("the settings of sshd", reason);
            return Some(area);
        }
    };
    match Outdated::look(&settings, &written) {
        Ok(outdated) => area.add(outdated.map(|outdated| of_outdated(&outdated.changed, outdated.reload))),
        Err(reason) => area.could_not_check("whether the running sshd has read its settings", reason),
    }
    for pattern in &written.unread {
        area.could_not_check(format!("the settings in {pattern}"), "sets of letters in patterns are not followed");
    }
    let sources = &written.sources;
    area.add(of_settings(&settings, sources, prompts, &config.rules));
    let owners: BTreeSet<&str> = owners.iter().map(UserName::as_str).collect();
    let elsewhere =
        blocks::look(&mut area, &blocks::Subject { settings: &settings, sources, owners: &owners, config, service });
    if !owners.is_empty() {
        // Where blocks say for all logins of their owners, nothing else does.
        area.add(of_security_keys(&settings, sources).into_iter().filter(|finding| !elsewhere.contains(&finding.id)));
    }
    for (file, text) in written.files.iter().filter(|(file, _)| is_ours(file)) {
        area.add(of_drop_in(&settings, sources, file, text));
    }
    Some(area)
}

/// True when a file is this product's drop-in.
fn is_ours(file: &Path) -> bool {
    file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with("twofactor.conf"))
}
