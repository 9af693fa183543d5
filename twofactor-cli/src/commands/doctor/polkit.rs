//! polkit, where it runs the module: since version 127 it does so in a sandbox of systemd.

use std::fs;
use std::path::Path;

use twofactor_admin::checkup::services::{POLKIT, of_polkit_sandbox};
use twofactor_core::config::Config;
use twofactor_core::pam_service::Service;

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

pub(super) fn look(config: &Config, services: &[Service]) -> Option<Area> {
    services.iter().find(|service| service.name == POLKIT)?;
    if !FOLDERS.iter().any(|folder| Path::new(folder).join(UNIT).exists()) {
        return Some(Area::new("polkit", "it has no sandbox"));
    }
    let drop_ins = FOLDERS.iter().filter_map(|folder| fs::read_dir(Path::new(folder).join(format!("{UNIT}.d"))).ok());
    let files = drop_ins.flatten().flatten().map(|entry| entry.path());
    let files = files.filter(|file| file.extension().is_some_and(|extension| extension == "conf"));
    let texts: Vec<String> = files.filter_map(|file| fs::read_to_string(file).ok()).collect();
    Some(Area::new("polkit", format!("the sandbox of {UNIT}")).with(of_polkit_sandbox(UNIT, &texts, &config.state)))
}
