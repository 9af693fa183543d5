//! Lines that still run the module, and files that stay of it, when `disable` has done what it can.
//!
//! Invariants: `disable --all` ends well only when the module's file could go and every login would go on. A package's
//! removal relies on that.

use std::collections::BTreeMap;
use std::path::PathBuf;

use twofactor_admin::pam_editing::placing;
use twofactor_core::pam_service::{self, FOLDERS, first_factor};

use crate::error::{ServiceFailure, quoted};
use crate::output;

use super::plan::{ETC, Text};

/// The files that pam-auth-update writes. A profile goes out of them by that program.
const OF_PAM_AUTH_UPDATE: [&str; 5] =
    ["common-account", "common-auth", "common-password", "common-session", "common-session-noninteractive"];

/// A service that `disable --all` could not change, and why.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) failure: ServiceFailure,
}

/// Names every file that runs the module once the services `done` have been changed, and how it gets out of them. `Err` when
/// there is any, apart from the profile of pam-auth-update.
pub(super) fn nothing_runs_the_module(kept: &[Kept], done: &[&str]) -> Result<(), ServiceFailure> {
    let mut running = Vec::new();
    let (mut services, mut others, mut profile) = (Vec::new(), Vec::new(), false);
    let mut unexplained: Vec<&Kept> = kept.iter().collect();
    for (name, file) in files_of_services() {
        let content = std::fs::read(&file).unwrap_or_default();
        if done.contains(&name.as_str()) || !placing::is_in(&Text::of(&content).text) {
            continue;
        }
        // What includes it is named; with the last of those it goes.
        if name == first_factor::NAME && is_included(done) {
            continue;
        }
        output::warning(&format!("{} still runs pam_twofactor.so", file.display()));
        running.push(file.display().to_string());
        if let Some(at) = unexplained.iter().position(|kept| kept.name == name) {
            warn(&unexplained.remove(at).failure);
        } else if OF_PAM_AUTH_UPDATE.contains(&name.as_str()) {
            running.pop();
            profile = true;
        } else if file.starts_with(ETC) && !placing::is_shared(&name) {
            services.push(quoted(&name));
        } else {
            others.push(file.display().to_string());
        }
    }
    // These have no line of ours, whatever else is the matter with them.
    for kept in unexplained {
        warn(&kept.failure);
    }
    if !services.is_empty() {
        output::hint(&format!("run \"twofactor service disable {}\"", services.join(" ")));
    }
    if profile {
        output::hint("run \"pam-auth-update --disable twofactor\"");
    }
    if !others.is_empty() {
        output::hint(&format!("take the lines out by hand: {}", others.join(" ")));
    }
    if running.is_empty() { Ok(()) } else { Err(ServiceFailure::StillRuns(running)) }
}

fn warn(failure: &ServiceFailure) {
    output::warning(&failure.to_string());
    if let Some(hint) = failure.hint() {
        output::hint(&hint);
    }
}

/// True when a file that was not changed includes the one that tells our line of a failed first factor.
fn is_included(done: &[&str]) -> bool {
    let left = files_of_services().into_iter().filter(|(name, _)| !done.contains(&name.as_str()));
    left.into_iter().any(|(_, file)| placing::tells(&Text::of(&std::fs::read(file).unwrap_or_default()).text))
}

/// Every file that libpam would read for a service, by its name.
pub(super) fn files_of_services() -> BTreeMap<String, PathBuf> {
    let mut files = BTreeMap::new();
    for entry in FOLDERS.into_iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !pam_service::is_copy(&name) {
            files.entry(name).or_insert(entry.path());
        }
    }
    files
}
