//! The state: folders, accounts, the registry, and the file system below them.

use std::path::Path;

use nix::sys::statfs::statfs;
use nix::sys::statvfs::{FsFlags, statvfs};
use twofactor_core::checkup::storage::{self, Access, FileSystem};
use twofactor_core::config::DEFAULT_STATE;
use twofactor_core::store::files::{Files, PATIENCE};
use twofactor_core::trusted::{self, Owner};

use super::configuration::Source;
use super::{Area, counted};

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
    let inspection = Files::new(state, Owner::ROOT, PATIENCE).inspect();
    area.looked_at = format!("{}: {}", state.display(), counted(inspection.accounts, "account"));
    if let Some(tokens) = inspection.tokens {
        area.looked_at = format!("{}, {}", area.looked_at, counted(tokens, "token"));
    }
    area.add(inspection.flaws.iter().map(storage::of_flaw));
    if let Some(above) = state.parent().filter(|_| state.exists()) {
        area.add(trusted::is_out_of_reach(above, Owner::ROOT).err().as_ref().map(storage::of_file));
        match file_system(state) {
            Ok(found) => area.add(storage::of_file_system(state, &found)),
            Err(error) => area.could_not_check("the file system of the state", error.desc()),
        }
    }
    area
}

fn file_system(state: &Path) -> nix::Result<FileSystem> {
    let (kind, room) = (statfs(state)?, statvfs(state)?);
    let access = if room.flags().contains(FsFlags::ST_RDONLY) { Access::ReadOnly } else { Access::ReadWrite };
    Ok(FileSystem {
        #[allow(
            clippy::unnecessary_cast,
            clippy::useless_conversion,
            reason = "its width differs among architectures"
        )]
        magic: kind.filesystem_type().0 as i64,
        access,
        free: u64::from(room.blocks_available()).saturating_mul(u64::from(room.fragment_size())),
        free_files: (room.files() > 0).then(|| u64::from(room.files_available())),
    })
}
