//! SELinux, where it is enabled: the labels of the state and of the module, and the policy module.

use std::path::{Path, PathBuf};

use twofactor_admin::checkup::selinux::{Labelled, of_labels, of_module, of_modules};
use twofactor_core::config::Config;
use twofactor_core::host::trusted::describe;
use twofactor_core::pam_service::Service;
use twofactor_core::pam_service::modules::{self, OF_LIBPAM};

use super::report::Area;
use super::services::module_files;
use crate::program::ask;

/// There, and saying whether the policy is enforced, where SELinux is enabled.
const ENFORCE: &str = "/sys/fs/selinux/enforce";
const LABEL: &str = "security.selinux";

pub(super) fn look(config: &Config, services: &[Service]) -> Area {
    let Ok(enforce) = std::fs::read_to_string(ENFORCE) else { return Area::new("selinux", "not enabled") };
    let mode = if enforce.trim() == "1" { "enforcing" } else { "permissive" };
    let mut area = Area::new("selinux", mode);
    match labels(&config.state) {
        Ok(labels) => {
            if let Some((state, label)) = labels.first() {
                area.looked_at = format!("{mode}, {} is {label}", state.display());
            }
            area.add(of_labels(&config.state, &labels));
        }
        Err(error) => area.could_not_check("the labels of the state", error),
    }
    match labels_of_modules(services) {
        Ok((modules, of_libpam)) => area.add(modules.iter().filter_map(|module| of_module(module, &of_libpam))),
        Err(error) => area.could_not_check("the label of the module", error),
    }
    match ask("semodule", &["-l"]).well() {
        Ok(listed) => area.add(of_modules(&listed)),
        Err(reason) => area.could_not_check("the policy module", reason),
    }
    area
}

/// The labels of the state's folder and of everything in it, the folder first.
fn labels(state: &Path) -> Result<Vec<Labelled>, String> {
    let mut labels = vec![(state.to_owned(), label(state)?)];
    let mut folders = vec![state.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |error: std::io::Error| format!("{}: {}", folder.display(), describe(&error));
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            match label(&entry.path()) {
                Ok(label) => labels.push((entry.path(), label)),
                // Gone meanwhile: another command has replaced it.
                Err(_) if !entry.path().exists() => continue,
                Err(reason) => return Err(reason),
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    Ok(labels)
}

/// The labels of the module's files, and that of a module of libpam itself.
fn labels_of_modules(services: &[Service]) -> Result<(Vec<Labelled>, Labelled), String> {
    // libpam follows links, and so does SELinux.
    let labelled = |file: PathBuf| {
        let file = std::fs::canonicalize(&file).unwrap_or(file);
        label(&file).map(|label| (file, label))
    };
    let of_libpam = modules::folder().ok_or("libpam's modules were not found")?.join(OF_LIBPAM);
    let modules = module_files(services).into_iter().map(labelled).collect::<Result<_, _>>()?;
    Ok((modules, labelled(of_libpam)?))
}

fn label(path: &Path) -> Result<String, String> {
    let mut label = [0_u8; 256];
    let length = rustix::fs::lgetxattr(path, LABEL, &mut label)
        .map_err(|errno| format!("{}: {}", path.display(), describe(&errno.into())))?;
    let label = label.get(..length).unwrap_or_default();
    Ok(String::from_utf8_lossy(label).trim_end_matches('\0').to_owned())
}
