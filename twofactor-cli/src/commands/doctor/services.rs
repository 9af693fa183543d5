//! The PAM services: which of them run the module, and how.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use twofactor_admin::checkup::module_file::of_module_file;
use twofactor_admin::checkup::services::{
    KNOWN, not_followed, of_broker, of_first_factor_file, of_password_lines, of_services, of_unreadable, runs_ours,
};
use twofactor_admin::checkup::siblings::of_siblings;
use twofactor_admin::checkup::{Finding, Id, storage};
use twofactor_core::config::Config;
use twofactor_core::host::clock::{Clock as _, SystemClock};
use twofactor_core::host::trusted::{self, Owner};
use twofactor_core::pam_service::modules::{self, OURS};
use twofactor_core::pam_service::{self, FOLDERS, Line, OTHER, Service, ServiceError, first_factor};

use super::report::Area;
use super::sandboxes;
use crate::host::broker_problem;
use crate::program::own_header;

/// Looks at every service, and gives those that run the module.
pub(super) fn look(config: &Config) -> (Area, Vec<Service>) {
    let mut area = Area::new("services", "");
    let folders = FOLDERS.map(Path::new);
    let (mut services, unreadable) = read_all(&folders);
    // What versions of libpam read differently may let in without a password, whether or not it is ours.
    let (ambiguous, unreadable): (Vec<_>, Vec<_>) =
        unreadable.into_iter().partition(|(_, error)| matches!(error, ServiceError::ReadDifferently { .. }));
    let mut by_line: BTreeMap<String, Vec<&(String, ServiceError)>> = BTreeMap::new();
    for one in &ambiguous {
        by_line.entry(one.1.to_string()).or_default().push(one);
    }
    for alike in by_line.values() {
        let names: Vec<&str> = alike.iter().map(|(name, _)| name.as_str()).collect();
        area.add(alike.first().map(|(_, error)| of_unreadable(&names, error)));
    }
    for (name, error) in unreadable {
        if KNOWN.contains(&name.as_str()) || names_ours(&name, &folders) {
            area.add([of_unreadable(&[&name], &error)]);
        } else {
            area.could_not_check(format!("the PAM service {name:?}"), error);
        }
    }
    area.add(of_siblings(&services));
    area.add(of_password_lines(&services));
    area.add(of_first_factor_file(fs::read(first_factor::FILE).ok().as_deref(), &services));
    keep_those_that_run_ours(&mut services);
    if services.is_empty() && area.findings.is_empty() {
        let what = "no PAM service runs the module";
        let advice = "enroll an administrator first (twofactor enroll NAME), then";
        area.add([Finding::consider(Id::NoService, what, advice, "twofactor service enable sshd")]);
    }
    match SystemClock.now() {
        Ok(now) => area.add(of_services(&services, config, &modules::is_missing, now)),
        Err(error) => area.could_not_check("the services", error),
    }
    for service in &services {
        for phase in not_followed(service, &modules::is_missing) {
            area.could_not_check(format!("the PAM service {:?} to every end", service.name), phase);
        }
    }
    let broker = broker_problem();
    area.add(of_broker(&services, config, broker.as_deref()));
    area.add(sandboxes::look_at_broker(config));
    area.add(within_reach(&services));
    look_at_modules(&mut area, &services);
    let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
    area.looked_at = if names.is_empty() { "none runs the module".to_owned() } else { names.join(", ") };
    (area, services)
}

/// The services that run the module, and the names of those that cannot be read.
pub(super) fn that_run_ours() -> (Vec<Service>, Vec<String>) {
    let (mut services, unreadable) = read_all(&FOLDERS.map(Path::new));
    keep_those_that_run_ours(&mut services);
    (services, unreadable.into_iter().map(|(name, _)| name).collect())
}

/// The services that can be read, and the errors of the others.
fn read_all(folders: &[&Path]) -> (Vec<Service>, Vec<(String, ServiceError)>) {
    let (mut services, mut unreadable) = (Vec::new(), Vec::new());
    for name in pam_service::names(folders) {
        match Service::read(&name, folders) {
            Ok(service) => services.push(service),
            Err(error) => unreadable.push((name, error)),
        }
    }
    (services, unreadable)
}

/// Leaves out services that do not run the module, and files that others include.
fn keep_those_that_run_ours(services: &mut Vec<Service>) {
    let shared = shared_files(services);
    services.retain(|service| {
        runs_ours(service)
            && service.name != first_factor::NAME
            && (!shared.contains(&service.file) || KNOWN.contains(&service.name.as_str()))
    });
}

/// True when the file of a service that cannot be read as a whole names the module.
fn names_ours(name: &str, folders: &[&Path]) -> bool {
    matches!(pam_service::find(name, folders), Ok(Some((_, text))) if String::from_utf8_lossy(&text).contains(OURS))
}

/// Files that others include: they are no services by themselves.
fn shared_files(services: &[Service]) -> BTreeSet<PathBuf> {
    let others: BTreeSet<&Path> =
        services.iter().filter(|service| service.name == OTHER).map(|service| service.file.as_path()).collect();
    let included = services.iter().flat_map(|service| service.files.iter().filter(|file| **file != service.file));
    included.filter(|file| !others.contains(file.as_path())).cloned().collect()
}

/// Descriptions and modules that others than root could change.
fn within_reach(services: &[Service]) -> Vec<Finding> {
    let described = services.iter().flat_map(|service| &service.files).cloned();
    let all: BTreeSet<PathBuf> = described.chain(module_files(services)).collect();
    let unsafe_ones = all.iter().filter_map(|file| trusted::is_out_of_reach(file, Owner::ROOT).err());
    unsafe_ones.map(|error| storage::of_file(&error)).collect()
}

/// The files of the module that lines name and that are there.
pub(super) fn module_files(services: &[Service]) -> BTreeSet<PathBuf> {
    let ours = services.iter().flat_map(|service| &service.lines).filter(|line| line.runs(OURS));
    ours.filter_map(file_of).collect()
}

/// The module's own file, wherever lines say that it is.
fn look_at_modules(area: &mut Area, services: &[Service]) {
    for file in module_files(services) {
        match (fs::read(&file), own_header()) {
            (Ok(content), Ok(own)) => area.add(of_module_file(&file, &content, &own)),
            (Err(error), _) | (_, Err(error)) => {
                area.could_not_check(format!("whether libpam can load {}", file.display()), trusted::describe(&error));
            }
        }
    }
}

/// The file of a line's module, where it is there.
fn file_of(line: &Line) -> Option<PathBuf> {
    let path = modules::folder().unwrap_or_default().join(line.module.replace("$ISA", "."));
    path.exists().then_some(path)
}
