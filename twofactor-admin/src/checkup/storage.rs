//! Problems with the files: the store's errors as findings, and the file system below them.

use std::path::Path;

use super::catalogue::Id;
use super::finding::Finding;
use twofactor_core::config::ConfigError;
use twofactor_core::host::shell::quoted;
use twofactor_core::host::trusted::FileError;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{Defect, Difference, Naming, Sighting, TokenDifference};
use twofactor_core::store::files::FilesError;
use twofactor_core::store::registry::RegistryError;

/// Problems with a file or folder.
pub fn of_file(error: &FileError) -> Finding {
    match error {
        FileError::Unsafe { path, remedy, .. } if remedy.starts_with("ls ") => Finding::consider(
            Id::UnsafeFile,
            error.to_string(),
            format!("look at it ({remedy}), then remove it and restore what belongs there from a backup"),
            format!("rm {}", quoted(&path.to_string_lossy())),
        ),
        FileError::Unsafe { remedy, .. } => Finding::run(Id::UnsafeFile, error.to_string(), remedy),
        FileError::Io { path, .. } | FileError::TooLarge { path, .. } | FileError::LockTimeout { path, .. } => {
            let advice = format!("look at it: ls -ld {}", quoted(&path.to_string_lossy()));
            Finding::by_hand(Id::UnreadableFile, error.to_string(), advice)
        }
    }
}

/// Problems with the configuration: a finding for every mistake.
pub fn of_config(error: &ConfigError) -> Vec<Finding> {
    match error {
        ConfigError::File(error) => vec![of_file(error)],
        ConfigError::Missing(_) => {
            let advice = "name a file that is there, or take the name out";
            vec![Finding::by_hand(Id::ConfigMissing, error.to_string(), advice)]
        }
        ConfigError::Invalid { .. } | ConfigError::NotText(_) => {
            let mistakes = error.lines().into_iter();
            mistakes.map(|line| Finding::by_hand(Id::ConfigInvalid, line, error.hint())).collect()
        }
    }
}

/// Problems with the store.
pub fn of_store(error: &StoreError) -> Finding {
    let what = error.to_string();
    match (error, FilesError::of(error)) {
        (_, Some(error)) => of_files(error),
        (StoreError::UidChanged { user, .. }, None) => {
            let name = quoted(user.as_str());
            let advice = format!(
                "for another person, forget the account: twofactor reset {name}. After a renumbering of all users: twofactor \
                 state adopt-uids. For the same person"
            );
            Finding::consider(Id::UidChanged, what, advice, format!("twofactor state adopt-uids {name}"))
        }
        (StoreError::Clock(_), None) => Finding::run(Id::ClockWrong, what, "timedatectl set-ntp true"),
        (StoreError::Entropy(_) | StoreError::Unusable(_), None) => {
            Finding::by_hand(Id::UnreadableFile, what, error.hint())
        }
    }
}

/// Problems with the files.
fn of_files(error: &FilesError) -> Finding {
    let what = error.to_string();
    match error {
        FilesError::File(error) => of_file(error),
        FilesError::Registry(error) => of_registry(error),
        FilesError::NoFolder(path) if path.ends_with("users") => {
            let advice = "mount it or restore it from a backup, or, if no account was ever kept there, run";
            let what = format!("{} is not there", path.display());
            Finding::consider(Id::NoStateFolder, what, advice, "twofactor state adopt")
        }
        FilesError::NoFolder(path) => {
            let missing = quoted(&path.to_string_lossy());
            let command = format!("install -d -m 0700 -o root -g root {missing}");
            Finding::run(Id::NoStateFolder, format!("{} is not there", path.display()), command)
        }
        FilesError::ForeignUsers { .. } => {
            let advice = "mount it or restore it from a backup, or, if it belongs to this host as it is, run";
            Finding::consider(Id::ForeignState, what, advice, "twofactor state adopt")
        }
        FilesError::ForeignState { .. } | FilesError::BadIdentity(_) => {
            let advice = "mount it, or, if the state that is there belongs to this host now, run";
            Finding::consider(Id::ForeignState, what, advice, "twofactor state adopt")
        }
        FilesError::LostState(path) | FilesError::LostCredentials(path) => forget(Id::LostState, what, &user_of(path)),
        FilesError::Corrupt { path, .. } => forget(Id::DamagedAccount, what, &user_of(path)),
        FilesError::NeedsBroker => Finding::run(Id::BrokerAbsent, what, "systemctl enable --now twofactord.socket"),
        FilesError::NotMigrated { .. } => Finding::run(Id::NotMigrated, what, "twofactor migrate"),
        FilesError::LostTokens { user, .. } => {
            let advice = "twofactor migrate moves the others where the registry's history explains it; otherwise restore the \
                          registry from a backup, or forget the account and enroll the user again";
            Finding::consider(Id::LostTokens, what, advice, format!("twofactor reset {}", quoted(user.as_str())))
        }
    }
}

/// A finding when accounts are kept that no marker names.
pub fn of_sighting(marker: Option<&Path>, seen: &Sighting) -> Option<Finding> {
    let Some(marker) = marker else {
        let what =
            "nothing names the state of this host: the configuration is in no folder called twofactor".to_owned();
        return seen.is_used.then(|| Finding::by_hand(Id::UnmarkedState, what, "move it to /etc/twofactor"));
    };
    let unmarked = seen.is_used && matches!(seen.marker, Ok(None));
    let unnamed = matches!((&seen.copy, &seen.users), (Ok(Some(_)), Ok(Some(Naming::Unnamed))));
    (unmarked || unnamed).then(|| {
        let what = if unmarked {
            format!("{} is not there, so nothing names the state of this host", marker.display())
        } else {
            "the folder of all users has no identity: once it is not mounted, it may look like an empty one".to_owned()
        };
        let advice = "the next change writes it, if the file system is not read-only, and so does";
        Finding::consider(Id::UnmarkedState, what, advice, "twofactor state mark")
    })
}

/// The account can be restored or begun anew.
fn forget(id: Id, what: String, user: &str) -> Finding {
    let advice = "restore it from a backup, or forget the account and enroll the user again";
    Finding::consider(id, what, advice, format!("twofactor reset {}", quoted(user)))
}

/// A registry that a helpdesk needs.
pub fn of_missing_registry(state: &Path) -> Finding {
    of_registry(&RegistryError::Missing(state.join(twofactor_core::store::registry::FILE)))
}

fn of_registry(error: &RegistryError) -> Finding {
    let id = match error {
        RegistryError::File(error) => return of_file(error),
        RegistryError::Missing(_) => {
            let advice = "restore it from a backup, or, where there never was one, run";
            return Finding::consider(Id::NoRegistry, error.to_string(), advice, "twofactor doctor --fix");
        }
        RegistryError::Foreign(_) | RegistryError::Lost(_) | RegistryError::Damaged { .. } => Id::RegistryDamaged,
        RegistryError::Beside { .. } => {
            return Finding::run(Id::RegistryObstructed, error.to_string(), "twofactor doctor --fix");
        }
        RegistryError::Newer { .. } => Id::RegistryNewer,
        RegistryError::Busy(_)
        | RegistryError::Full(_)
        | RegistryError::ReadOnly(_)
        | RegistryError::Unavailable { .. } => Id::RegistryUnavailable,
    };
    Finding::by_hand(id, error.to_string(), error.hint())
}

/// A flaw that the store found when it looked at itself.
pub fn of_flaw(flaw: &Defect) -> Finding {
    let removal = |path: &Path| format!("rm -r {}", quoted(&path.to_string_lossy()));
    match flaw {
        Defect::Unusable(error) => of_store(error),
        Defect::LeftOver(path) => {
            let what = format!("{} was left behind by a command that was interrupted", path.display());
            Finding::run(Id::LeftOver, what, removal(path))
        }
        Defect::SetAside(path) => {
            let what = format!("{} could not be used beside the registry and was set aside", path.display());
            let advice = "see whether the last changes of tokens are there (twofactor log, twofactor token list), then";
            Finding::consider(Id::SetAside, what, advice, removal(path))
        }
        Defect::Differs(difference) => of_difference(difference),
        Defect::Unknown(path) => {
            let what = format!("{} does not belong to twofactor", path.display());
            Finding::consider(Id::UnknownFile, what, "unless it is needed", removal(path))
        }
    }
}

/// A token of which the registry and its owner's file say different things.
fn of_difference(TokenDifference { user, serial, difference }: &TokenDifference) -> Finding {
    let fix = |what: String| Finding::run(Id::TokenDiffers, what, "twofactor doctor --fix");
    match difference {
        Difference::NotInFile => fix(format!(
            "token {serial} is assigned to {user} in the registry and missing in the user's file, so it opens nothing"
        )),
        Difference::NotRegistered => fix(format!(
            "token {serial} is in the file of {user} and opens sessions, but in the registry it is not assigned to {user}"
        )),
        Difference::Status { file, registry } => {
            let (file, registry) = (file.word(), registry.word());
            fix(format!("token {serial} of {user} is {file} in the user's file and {registry} in the registry"))
        }
        Difference::Codes => {
            fix(format!("token {serial} of {user} has other parameters in the user's file than in the registry"))
        }
        Difference::Unknown => {
            let what = format!("token {serial} is in the file of {user}, and the registry has no such token");
            let advice = "restore the registry from a backup, or import the token's file again. To forget the account";
            Finding::consider(Id::UnknownToken, what, advice, format!("twofactor reset {}", quoted(user.as_str())))
        }
    }
}

/// The user whose folder a file lies in.
fn user_of(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name);
    folder.map_or_else(|| "USER".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The file system that the state is on.
#[derive(Debug, Clone, Copy)]
pub struct FileSystem {
    /// The kind of file system (statfs(2), `f_type`).
    pub magic: i64,
    /// Its access: writable or not.
    pub access: Access,
    /// Bytes that are free for root.
    pub free: u64,
    /// Files that can be made; `None` where the file system does not count them.
    pub free_files: Option<u64>,
}

/// The access to a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Yes.
    ReadWrite,
    /// No.
    ReadOnly,
}

/// Below this, enrolling may fail soon. An account takes 12 KiB.
const SCARCE_BYTES: u64 = 16 * 1024 * 1024;
const SCARCE_FILES: u64 = 100;

/// File systems that are shared with other hosts, by their numbers (linux/magic.h and the file systems' own sources).
const SHARED: [(i64, &str); 11] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFE53_4D42, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x00C3_6400, "Ceph"),
    (0x0102_1997, "9p"),
    (0x7375_7245, "Coda"),
    (0x0116_1970, "GFS2"),
    (0x0BD0_0BD0, "Lustre"),
];

/// Problems with the file system that the folder `state` is on.
pub fn of_file_system(state: &Path, found: &FileSystem) -> Vec<Finding> {
    let (folder, mut findings) = (state.display(), Vec::new());
    // The upper half is a sign in some libraries.
    if let Some((_, name)) = SHARED.iter().find(|(magic, _)| *magic == found.magic & 0xFFFF_FFFF) {
        let advice = "keep the state on a disk of this host: [paths] state in the configuration";
        findings.push(Finding::by_hand(Id::NetworkFileSystem, format!("{folder} is on {name}"), advice));
    }
    if found.access == Access::ReadOnly {
        let what = format!("{folder} is on a file system that is mounted read-only");
        let command =
            format!("mount -o remount,rw \"$(findmnt -n -o TARGET -T {})\"", quoted(&state.to_string_lossy()));
        findings.push(Finding::run(Id::ReadOnlyFileSystem, what, command));
    } else if found.free < SCARCE_BYTES {
        let what = format!("{folder} is on a file system with {} KiB left", found.free / 1024);
        findings.push(Finding::by_hand(Id::DiskNearlyFull, what, "free some space: df -h shows where it is scarce"));
    } else if found.free_files.is_some_and(|files| files < SCARCE_FILES) {
        let what = format!("{folder} is on a file system with {} inodes left", found.free_files.unwrap_or(0));
        findings.push(Finding::by_hand(Id::DiskNearlyFull, what, "remove files: df -i shows where inodes are scarce"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISK: FileSystem =
        FileSystem { magic: 0xEF53, access: Access::ReadWrite, free: 1 << 30, free_files: Some(100_000) };

    fn ids(found: &FileSystem) -> Vec<Id> {
        of_file_system(Path::new("/var/lib/twofactor"), found).into_iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn a_disk_of_this_host_with_room_is_well() {
        assert_eq!(ids(&DISK), []);
        assert_eq!(ids(&FileSystem { free_files: None, ..DISK }), [], "btrfs counts no inodes");
    }

    #[test]
    fn what_is_shared_full_or_read_only_is_found() {
        assert_eq!(ids(&FileSystem { magic: 0x6969, ..DISK }), [Id::NetworkFileSystem]);
        let smb = i64::from(i32::from_ne_bytes(0xFF53_4D42_u32.to_ne_bytes()));
        assert_eq!(ids(&FileSystem { magic: smb, ..DISK }), [Id::NetworkFileSystem], "a negative number");
        assert_eq!(ids(&FileSystem { free: 4096, ..DISK }), [Id::DiskNearlyFull]);
        assert_eq!(ids(&FileSystem { free_files: Some(3), ..DISK }), [Id::DiskNearlyFull]);
        assert_eq!(ids(&FileSystem { access: Access::ReadOnly, free: 0, ..DISK }), [Id::ReadOnlyFileSystem]);
    }
}
