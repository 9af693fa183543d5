//! `twofactor doctor`: what is wrong with this host, why it matters, and what mends it.
//!
//! Invariants: without `--fix` nothing is changed and nothing locked. What cannot be looked at is said and is never taken for well:
//! with a broken configuration, a missing state folder or a damaged registry everything else is looked at all the same.
//! What a thing means is judged by `twofactor_admin::checkup`; here it is only looked up.

mod accounts;
mod backup;
mod blocks;
mod clock;
mod configuration;
mod fleet;
mod repairs;
mod report;
pub(super) mod sandboxes;
mod selinux;
mod services;
mod sshd;
mod storage;
mod words;

use std::path::Path;

use serde_json::Value;
use twofactor_admin::checkup::Severity;
use twofactor_core::config::Config;
use twofactor_core::store::administration::LastBackup;

use crate::args;
use crate::error::Failure;
use crate::host;
use crate::output::{Output, Screen, Stream, Verbosity};

use report::{Area, Checkup};

pub(crate) fn run(arguments: &args::Doctor, named: Option<&Path>, output: &Output) -> Result<(), Failure> {
    host::must_be_root()?;
    host::protect_memory();
    let repairs = if arguments.fix { repairs::make(named) } else { Vec::new() };
    let (areas, last_backup) = look(named);
    let checkup = Checkup { repairs, areas, last_backup };
    let screen = output.screen(Stream::Results);
    let text = || words::as_text(&checkup, screen, output.verbosity == Verbosity::Quiet);
    output.report(text, || words::as_json(&checkup))?;
    let (problems, warnings) = (checkup.count(Severity::Problem), checkup.count(Severity::Warning));
    if problems + warnings == 0 { Ok(()) } else { Err(Failure::Unwell) }
}

/// The findings of `doctor` about the rules of a configuration that holds, for `config check`. Without those about the host.
pub(super) struct RulesCheckup(Checkup);

impl RulesCheckup {
    /// Looks at the rules of `config`, which was read from `file`.
    pub(super) fn of(file: &Path, config: &Config) -> Self {
        let mut area = Area::new("configuration", file.display().to_string());
        let (services, unreadable) = services::that_run_ours();
        let names = services.iter().map(|service| service.name.as_str()).chain(unreadable.iter().map(String::as_str));
        configuration::look_at_rules_of(&mut area, file, config, &names.collect::<Vec<_>>());
        Self(Checkup { repairs: Vec::new(), areas: vec![area], last_backup: None })
    }

    /// True when there is nothing to say of them.
    pub(super) fn is_empty(&self) -> bool {
        self.0.areas.iter().all(|area| area.findings.is_empty() && area.unchecked.is_empty())
    }

    /// The findings alone, as `doctor` prints them.
    pub(super) fn as_text(&self, screen: Screen) -> String {
        words::as_text(&self.0, screen, true)
    }

    /// The findings and what could not be looked at, with `doctor`'s names.
    pub(super) fn as_json(&self) -> [Value; 2] {
        let mut all = words::as_json(&self.0);
        [all["findings"].take(), all["unchecked"].take()]
    }
}

/// Looks at the whole host. Gives its last backup, too.
fn look(named: Option<&Path>) -> (Vec<Area>, Option<LastBackup>) {
    let (mut configuration, source) = configuration::look(named);
    // What is wrong with a stack does not depend on the rules; what is asked of people does.
    let defaults = Config::default();
    let config = source.config.as_ref().unwrap_or(&defaults);
    let (services, found) = services::look(config);
    configuration::look_at_lines(&mut configuration, &source, &found);
    configuration::look_at_rules(&mut configuration, &source, &found);
    let state = storage::look(&source);
    let (accounts, with_keys) = accounts::look(&source, &found, &state);
    let (backup, last_backup) = backup::look(&source).unzip();
    let mut areas = vec![configuration, state];
    areas.extend(backup);
    areas.push(services);
    areas.extend(sshd::look(config, &found, &with_keys));
    areas.push(clock::look());
    areas.extend(fleet::look(config, named));
    areas.extend(sandboxes::look(config, &found));
    areas.push(selinux::look(config, &found));
    areas.push(accounts);
    (areas, last_backup.flatten())
}
