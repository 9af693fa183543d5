//! The sandboxes of systemd in which the state has to be within reach: that of polkit, since its version 127, where it runs the
//! module, and that of the broker.

use std::fs;
use std::path::Path;

use twofactor_admin::checkup::Finding;
use twofactor_admin::checkup::services::{POLKIT, of_broker_sandbox, of_polkit_sandbox};
use twofactor_core::config::Config;
use twofactor_core::pam_service::Service;

use crate::host::unanswering_broker;

use super::report::Area;

const UNIT: &str = "polkit-agent-helper@.service";
/// The folders in which systemd looks for units and their drop-ins.
const FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The broker's unit.
const BROKER: &str = "twofactord.service";

pub(super) fn look(config: &Config, services: &[Service]) -> Option<Area> {
    services.iter().find(|service| service.name == POLKIT)?;
    let Some(drop_ins) = drop_ins(UNIT) else { return Some(Area::new("polkit", "it has no sandbox")) };
    let finding = of_polkit_sandbox(UNIT, &drop_ins, &config.state, unanswering_broker().as_deref());
    Some(Area::new("polkit", format!("the sandbox of {UNIT}")).with(finding))
}

/// True when systemd runs the program of a service in a sandbox that cannot write the state.
pub(in crate::commands) fn confines(service: &str) -> bool {
    service == POLKIT && drop_ins(UNIT).is_some()
}

/// Looks at the broker's sandbox.
pub(super) fn look_at_broker(config: &Config) -> Option<Finding> {
    of_broker_sandbox(BROKER, &drop_ins(BROKER)?, &config.state)
}

/// The texts of a unit's drop-ins; `None` where systemd does not know the unit.
fn drop_ins(unit: &str) -> Option<Vec<String>> {
    FOLDERS.iter().find(|folder| Path::new(folder).join(unit).exists())?;
    let drop_ins = FOLDERS.iter().filter_map(|folder| fs::read_dir(Path::new(folder).join(format!("{unit}.d"))).ok());
    let files = drop_ins.flatten().flatten().map(|entry| entry.path());
    let files = files.filter(|file| file.extension().is_some_and(|extension| extension == "conf"));
    Some(files.filter_map(|file| fs::read_to_string(file).ok()).collect())
}
