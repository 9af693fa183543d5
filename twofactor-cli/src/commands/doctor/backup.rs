//! The last backup that this host wrote, and the file that it names.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;
use serde_json::{Value, json};
use twofactor_admin::backup::Imprint;
use twofactor_admin::checkup::backup::{BackupFile, days, of_last, of_none};
use twofactor_core::host::clock::{Clock as _, SystemClock, UnixTime};
use twofactor_core::host::trusted::describe;
use twofactor_core::store::administration::{AdministeredStore, LastBackup};
use twofactor_core::store::{self, Presence};

use super::configuration::Source;
use super::report::Area;

/// Looks at the last backup. `None` where the configuration is wrong: it would say which state is this host's.
pub(super) fn look(source: &Source) -> Option<(Area, Option<LastBackup>)> {
    let config = source.config.as_ref()?;
    let mut area = Area::new("backup", "none");
    let accounts: &dyn AdministeredStore = &store::open(config, SystemClock);
    let (backup, now) = match (accounts.last_backup(), SystemClock.now()) {
        (Ok(backup), Ok(now)) => (backup, now),
        (Err(error), _) => {
            area.could_not_check("the last backup", error);
            return Some((area, None));
        }
        (_, Err(error)) => {
            area.could_not_check("the last backup", error);
            return Some((area, None));
        }
    };
    match &backup {
        Some(backup) => look_at(&mut area, backup, now),
        None if has_content(accounts) => area.add([of_none()]),
        None => {}
    }
    Some((area, backup))
}

fn look_at(area: &mut Area, backup: &LastBackup, now: UnixTime) {
    let age = days(now.since(backup.at).unwrap_or_default());
    area.looked_at = format!("{}, {age} old: {}", backup.at, backup.file);
    area.add(of_last(backup, &file(backup), now));
}

/// The file that the backup names.
fn file(backup: &LastBackup) -> BackupFile {
    match imprint(Path::new(&backup.file), backup.size) {
        Ok(Some(found)) if (found.size, &found.sha256) == (backup.size, &backup.sha256) => BackupFile::Intact,
        Ok(_) => BackupFile::Different,
        Err(error) if error.kind() == io::ErrorKind::NotFound => BackupFile::Gone,
        Err(error) => BackupFile::Unreadable(describe(&error)),
    }
}

/// The imprint of a file of this size; `None` of one that is another already by its kind or size.
fn imprint(path: &Path, size: u64) -> io::Result<Option<Imprint>> {
    let is_candidate = |metadata: &fs::Metadata| metadata.is_file() && metadata.len() == size;
    // A FIFO would wait, and a device may do something when it is opened.
    if !is_candidate(&fs::metadata(path)?) {
        return Ok(None);
    }
    let file: File = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if !is_candidate(&file.metadata()?) {
        return Ok(None);
    }
    Imprint::of(BufReader::with_capacity(64 * 1024, file)).map(Some)
}

/// True when there is something to back up.
fn has_content(accounts: &dyn AdministeredStore) -> bool {
    let is_enrolled = |user: &_| !matches!(accounts.presence(user), Ok(Presence::Absent(_)));
    accounts.users().is_ok_and(|users| users.iter().any(is_enrolled))
        || accounts.token_count().is_ok_and(|count| count > 0)
}

/// The last backup in JSON.
pub(super) fn as_json(backup: &LastBackup) -> Value {
    let LastBackup { at, file, recipients, accounts, tokens, .. } = backup;
    json!({ "at": at.to_string(), "file": file, "recipients": recipients, "accounts": accounts, "tokens": tokens })
}
