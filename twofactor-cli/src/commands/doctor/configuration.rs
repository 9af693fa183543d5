//! The configuration: the one that the tool reads, and those that PAM lines name.

use std::path::{Path, PathBuf};

use twofactor_admin::checkup::services::our_lines;
use twofactor_admin::checkup::{Finding, Id, rules, storage};
use twofactor_core::config::rule::Demand;
use twofactor_core::config::{Config, ConfigError, DEFAULT_PATH, Expected};
use twofactor_core::host::clock::{Clock as _, SystemClock};
use twofactor_core::host::trusted::{self, Owner};
use twofactor_core::host::user::SystemUsers;
use twofactor_core::pam_service::findings::Place;
use twofactor_core::pam_service::{self, FOLDERS, Service};

use super::report::Area;

/// The configuration that the tool reads.
pub(super) struct Source {
    /// From where.
    pub(super) file: PathBuf,
    /// Its content; `None` when it is wrong.
    pub(super) config: Option<Config>,
}

/// Reads the configuration.
pub(super) fn look(named: Option<&Path>) -> (Area, Source) {
    let file = named.unwrap_or(Path::new(DEFAULT_PATH)).to_owned();
    let expected = if named.is_some() { Expected::Certainly } else { Expected::Perhaps };
    let loaded = Config::load(&file, expected, Owner::ROOT);
    let there = file.symlink_metadata().is_ok();
    let looked_at = if there { file.display().to_string() } else { format!("no {}: the defaults", file.display()) };
    let mut area = Area::new("configuration", looked_at);
    match &loaded {
        Ok(_) if there => area.add(trusted::is_out_of_reach(&file, Owner::ROOT).err().as_ref().map(storage::of_file)),
        Ok(_) => {}
        Err(error) => area.add(storage::of_config(error)),
    }
    (area, Source { file, config: loaded.ok() })
}

/// Looks at the words of PAM lines about the configuration.
pub(super) fn look_at_lines(area: &mut Area, source: &Source, services: &[Service]) {
    for (line, arguments) in services.iter().flat_map(our_lines) {
        if arguments.expected != Expected::Certainly || arguments.conf == source.file {
            continue;
        }
        let (place, conf) = (Place::of(line), arguments.conf.display());
        match Config::load(&arguments.conf, Expected::Certainly, Owner::ROOT) {
            Ok(_) => {
                let what = format!("{place} reads {conf}, not {}", source.file.display());
                let advice = "take conf= out of that line, or ask about its configuration";
                let command = format!("twofactor --config {} doctor", crate::error::quoted(&conf.to_string()));
                area.add([Finding::consider(Id::OtherConfig, what, advice, command)]);
            }
            Err(ConfigError::Missing(_)) => {
                let what = format!("{place} reads {conf}, which does not exist");
                area.add([Finding::by_hand(Id::ConfigMissing, what, format!("correct conf= at {place}"))]);
            }
            Err(error) => area.add(storage::of_config(&error)),
        }
    }
}

/// Looks at the subjects of rules.
pub(super) fn look_at_rules(area: &mut Area, source: &Source, services: &[Service]) {
    let Some(config) = &source.config else {
        return area.could_not_check("the rules", "the configuration is wrong");
    };
    let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
    look_at_rules_of(area, &source.file, config, &names);
}

/// The same of a configuration in `file`. `names` are the services that run the module.
pub(super) fn look_at_rules_of(area: &mut Area, file: &Path, config: &Config, names: &[&str]) {
    let known = pam_service::names(&FOLDERS.map(Path::new));
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let now = match SystemClock.now() {
        Ok(now) => now,
        Err(error) => return area.could_not_check("the rules", error),
    };
    let file = file.display().to_string();
    match rules::of_rules(&config.rules, &file, names, &known, &SystemUsers, now) {
        Ok(findings) => area.add(findings),
        Err(error) => area.could_not_check("the users and groups of the rules", error),
    }
    match rules::of_callers(&config.callers, &file, names, &SystemUsers) {
        Ok(findings) => area.add(findings),
        Err(error) => area.could_not_check("the accounts and groups of the callers", error),
    }
    match rules::of_helpdesks(&config.helpdesks, &file, &SystemUsers) {
        Ok(findings) => area.add(findings),
        Err(error) => area.could_not_check("the groups of the helpdesk", error),
    }
    match rules::of_order(&config.rules, &Demand::at(config.default_level), &file, &SystemUsers, now) {
        Ok(findings) => area.add(findings),
        Err(error) => area.could_not_check("the order of the rules", error),
    }
}
