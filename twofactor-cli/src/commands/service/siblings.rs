//! Services that are easily taken for the one that was named: `sudo -i` is not the service `sudo`.

use twofactor_admin::checkup::services::asks_first_factor;
use twofactor_admin::pam_editing::siblings;
use twofactor_core::pam_service::{Phase, Service, find};

use crate::error::quoted;

use super::plan::{Named, folders};
use super::remarks::Remarks;

/// Services like those that are named which ask for no second factor and can be changed along with them. Where one includes the
/// other, a login would be asked twice.
pub(super) fn to_take_along(named: &[&Named]) -> Vec<Named> {
    let asks = |service: &Service| asks_first_factor(service) && !runs_ours(service);
    let included = |name: &str| {
        let mut services = named.iter().filter_map(|named| Service::read(&named.name, &folders()).ok());
        services.any(|service| reads(&service, name))
    };
    of(named, asks).into_iter().filter(|name| !included(name)).map(Named::new).collect()
}

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
        if !named.iter().any(|named| reads(&service, &named.name)) && wanted(&service) {
            found.push(sibling);
        }
    }
    found
}

/// True when the file of another service is among those that describe this one.
fn reads(service: &Service, other: &str) -> bool {
    service.files.iter().any(|file| file.file_name().is_some_and(|file| file == other))
}

fn runs_ours(service: &Service) -> bool {
    service.phase(Phase::Auth).iter().any(|line| line.is_ours())
}
