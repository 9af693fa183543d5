//! Services that somebody takes for the one that was named: `sudo -i` is not the service `sudo`.

use twofactor_core::checkup::services::asks_first_factor;
use twofactor_core::pam_service::{Phase, Service, find, modules, siblings};

use crate::error::quoted;

use super::remarks::Remarks;
use super::{Named, folders};

/// Warns of services like those that are named which will go on without a second factor.
pub(super) fn warn_of_unasking(named: &[&Named], remarks: &mut Remarks) {
    let left_out = of(named, |service| asks_first_factor(service) && !runs_ours(service));
    for name in &left_out {
        remarks.warn(format!("{name} is a service of its own, and asks for no second factor"));
    }
    hint("enable", &left_out, remarks);
}

/// Warns of services like those that are named which will go on asking.
pub(super) fn warn_of_asking(named: &[&Named], remarks: &mut Remarks) {
    let left_out = of(named, runs_ours);
    for name in &left_out {
        remarks.warn(format!("{name} is a service of its own, and still asks for a second factor"));
    }
    hint("disable", &left_out, remarks);
}

fn hint(verb: &str, services: &[&str], remarks: &mut Remarks) {
    if !services.is_empty() {
        let services: Vec<String> = services.iter().map(|name| quoted(name)).collect();
        remarks.hint(format!("run \"twofactor service {verb} {}\"", services.join(" ")));
    }
}

/// The siblings on this host that are not named themselves, do not include a service that is, and are as `wanted`.
fn of(named: &[&Named], wanted: impl Fn(&Service) -> bool) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = Vec::new();
    for sibling in named.iter().flat_map(|named| siblings::of(&named.name)) {
        let is_named = named.iter().any(|named| named.name == sibling);
        if is_named || found.contains(&sibling) || !find(sibling, &folders()).is_ok_and(|file| file.is_some()) {
            continue;
        }
        let Ok(service) = Service::read(sibling, &folders()) else { continue };
        let reads = |name: &str| service.files.iter().any(|file| file.file_name().is_some_and(|file| file == name));
        if !named.iter().any(|named| reads(&named.name)) && wanted(&service) {
            found.push(sibling);
        }
    }
    found
}

fn runs_ours(service: &Service) -> bool {
    service.phase(Phase::Auth).iter().any(|line| line.runs(modules::OURS))
}
