//! SELinux, where it is enabled: the label of the state, and the policy module.

use std::path::Path;

use twofactor_core::checkup::selinux::{of_label, of_modules};
use twofactor_core::config::Config;

use super::Area;
use crate::program::ask;

/// There, and saying whether the policy is enforced, where SELinux is enabled.
const ENFORCE: &str = "/sys/fs/selinux/enforce";
const LABEL: &str = "security.selinux";

pub(super) fn look(config: &Config) -> Area {
    let Ok(enforce) = std::fs::read_to_string(ENFORCE) else { return Area::new("selinux", "not enabled") };
    let mode = if enforce.trim() == "1" { "enforcing" } else { "permissive" };
    let mut area = Area::new("selinux", mode);
    match label(&config.state) {
        Ok(label) => {
            area.looked_at = format!("{mode}, {} is {label}", config.state.display());
            area.add(of_label(&config.state, &label));
        }
        Err(error) => area.could_not_check("the label of the state", error),
    }
    match ask("semodule", &["-l"]).well() {
        Ok(listed) => area.add(of_modules(&listed)),
        Err(reason) => area.could_not_check("the policy module", reason),
    }
    area
}

fn label(path: &Path) -> Result<String, String> {
    let mut label = [0_u8; 256];
    let length = rustix::fs::getxattr(path, LABEL, &mut label).map_err(|errno| {
        let system = std::io::Error::from(errno);
        format!("{}: {}", path.display(), twofactor_core::trusted::describe(&system))
    })?;
    let label = label.get(..length).unwrap_or_default();
    Ok(String::from_utf8_lossy(label).trim_end_matches('\0').to_owned())
}
