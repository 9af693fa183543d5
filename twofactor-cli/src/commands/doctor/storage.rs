//! The state: folders, accounts, the registry, and the file system below them.

use std::path::Path;
use twofactor_core::store::administration::{StateIdentity as _, StateInspection as _};

use rustix::fs::{StatVfsMountFlags, statfs, statvfs};
use rustix::io::Errno;
use twofactor_admin::checkup::storage::{self, Access, FileSystem};
use twofactor_core::config::DEFAULT_STATE;
use twofactor_core::config::marker_beside;
use twofactor_core::host::clock::SystemClock;
use twofactor_core::host::trusted::{self, Owner};
use twofactor_core::store::Presence;
use twofactor_core::store::administration::AdministeredStore;
use twofactor_core::store::files::{Files, PATIENCE};

use super::configuration::Source;
use super::report::Area;
use crate::output::values::counted;

pub(super) fn look(source: &Source) -> Area {
    let state = source.config.as_ref().map_or(Path::new(DEFAULT_STATE), |config| &config.state);
    let mut area = Area::new("state", state.display().to_string());
    if source.config.is_none() {
        // Where it is, a configuration that is wrong does not say.
        area.could_not_check("whether the state is elsewhere", "the configuration is wrong");
        if !state.exists() {
            return area;
        }
    }
    let marker = source.config.as_ref().map_or_else(|| marker_beside(&source.file), |config| config.marker.clone());
    let accounts = Files::new(state, Owner::ROOT, PATIENCE, SystemClock).marked_by(marker.as_deref());
    let inspection = accounts.inspect();
    area.add(accounts.sighting().ok().and_then(|seen| storage::of_sighting(marker.as_deref(), &seen)));
    if let Some(enrolled) = enrolled(&accounts) {
        area.looked_at = format!("{}: {}", state.display(), counted(enrolled, "account"));
    }
    if let Some(tokens) = inspection.tokens {
        area.looked_at = format!("{}, {}", area.looked_at, counted(tokens, "token"));
    }
    area.add(inspection.flaws.iter().map(storage::of_flaw));
    if inspection.lacks_registry && source.config.as_ref().is_some_and(|config| !config.helpdesks.is_empty()) {
        area.add([storage::of_missing_registry(state)]);
    }
    if let Some(above) = state.parent().filter(|_| state.exists()) {
        area.add(trusted::is_out_of_reach(above, Owner::ROOT).err().as_ref().map(storage::of_file));
        match file_system(state) {
            Ok(found) => area.add(storage::of_file_system(state, &found)),
            Err(errno) => area.could_not_check("the file system of the state", trusted::describe(&errno.into())),
        }
    }
    area
}

/// The number of users with a second factor, or one that cannot be read; `None` when it is not known. A reset leaves a folder
/// with nothing that counts.
fn enrolled(accounts: &dyn AdministeredStore) -> Option<usize> {
    let users = accounts.users().ok()?;
    Some(users.iter().filter(|user| !matches!(accounts.presence(user), Ok(Presence::Absent(_)))).count())
}

#[allow(clippy::useless_conversion, reason = "how wide the number of a file system is differs among architectures")]
fn file_system(state: &Path) -> Result<FileSystem, Errno> {
    let (kind, room) = (statfs(state)?, statvfs(state)?);
    let access = if room.f_flag.contains(StatVfsMountFlags::RDONLY) { Access::ReadOnly } else { Access::ReadWrite };
    Ok(FileSystem {
        magic: i64::from(kind.f_type),
        access,
        free: room.f_bavail.saturating_mul(room.f_frsize),
        free_files: (room.f_files > 0).then_some(room.f_favail),
    })
}
