//! `backup.toml`: the last backup that this host wrote, for `doctor`. Nothing secret, and no login reads it.

use std::fmt::Write as _;

use super::locations::Files;
use super::user_folder::{USERS, place_of};
use crate::host::clock::UnixTime;
use crate::host::trusted::{FileError, Folder};
use crate::store::administration::LastBackup;
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::text::document::{self, Problem, Section, toml_string};

/// The name of the file.
pub(super) const FILE: &str = "backup.toml";

/// The version of the format this program writes, and the newest it reads.
const VERSION: u32 = 1;

/// The longest file: a path and many recipients.
const LARGEST: usize = 64 * 1024;

impl Files {
    /// Writes down the backup. A state without a folder of users is left as it is: with another file in it, the folder
    /// would count as lost.
    pub(super) fn remember(&self, backup: &LastBackup) -> Result<(), StoreError> {
        let Some(state) = self.state_folder()? else { return Ok(()) };
        if state.folder(USERS)?.is_none() {
            return Ok(());
        }
        Ok(state.replace(FILE, write(backup).as_bytes())?)
    }

    /// Reads it back; `None` when this state was never backed up.
    pub(super) fn remembered(&self) -> Result<Option<LastBackup>, StoreError> {
        let Some(state) = self.state_folder()? else { return Ok(None) };
        let Some(content) = state.read(FILE, LARGEST)? else { return Ok(None) };
        let corrupt = |place| StoreError::from(FilesError::Corrupt { path: state.path().join(FILE), place });
        let text = std::str::from_utf8(&content).map_err(|_| corrupt((1, 1)))?;
        read(text).map(Some).map_err(|problems| corrupt(place_of(&problems)))
    }
}

/// Takes the file along into a state that is restored: the host is the same.
pub(super) fn carry_over(from: &Folder, to: &Folder) -> Result<(), FileError> {
    // A record that cannot be read keeps no restore back.
    match from.read(FILE, LARGEST) {
        Ok(Some(content)) => to.replace(FILE, &content),
        Ok(None) | Err(_) => Ok(()),
    }
}

fn write(backup: &LastBackup) -> String {
    let LastBackup { at, file, size, sha256, recipients, accounts, tokens } = backup;
    let mut text = format!("# The last backup, for \"twofactor doctor\".\nversion = {VERSION}\nat = \"{at}\"\n");
    let _ = writeln!(text, "file = {}\nsize = {size}\nsha256 = {}", toml_string(file), toml_string(sha256));
    let recipients: Vec<String> = recipients.iter().map(|recipient| toml_string(recipient)).collect();
    let _ = writeln!(text, "recipients = [{}]\naccounts = {accounts}\ntokens = {tokens}", recipients.join(", "));
    text
}

fn read(text: &str) -> Result<LastBackup, Vec<Problem>> {
    document::read(text, last_backup)
}

fn last_backup(root: Section<'_, '_>) -> Option<LastBackup> {
    root.required("version", root.integer("version", 1..=VERSION));
    let at = root.required("at", root.string("at").and_then(|at| UnixTime::from_rfc3339(at.value)));
    let text = |name| root.required(name, root.string(name).map(|found| found.value.to_owned()));
    let number = |name| root.required(name, root.integer(name, 0..=u64::MAX));
    let (file, sha256) = (text("file"), text("sha256"));
    let (size, accounts, tokens) = (number("size"), number("accounts"), number("tokens"));
    let recipients = root.required("recipients", root.strings("recipients"));
    let recipients = recipients?.iter().map(|recipient| recipient.value.to_owned()).collect();
    root.finish();
    Some(LastBackup {
        at: at?,
        file: file?,
        size: size?,
        sha256: sha256?,
        recipients,
        accounts: accounts?,
        tokens: tokens?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::clock::SystemClock;
    use crate::host::trusted::{Owner, private_directory};
    use crate::store::administration::{StateBackup as _, StateInspection as _};
    use crate::store::files::PATIENCE;
    use std::fs;
    use std::os::unix::fs::DirBuilderExt as _;

    fn some() -> LastBackup {
        LastBackup {
            at: UnixTime::from_seconds(1_800_000_000),
            file: "/srv/a \"b\"\n.age".to_owned(),
            size: 123_456_789_012,
            sha256: "ab".repeat(32),
            recipients: vec!["age1one".to_owned(), "age1two".to_owned()],
            accounts: 3,
            tokens: 1_000_000,
        }
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written_and_anything_else_is_refused() {
        let (backup, text) = (some(), write(&some()));
        assert_eq!(read(&text).unwrap(), backup);
        let by_passphrase = LastBackup { recipients: Vec::new(), ..backup };
        assert_eq!(read(&write(&by_passphrase)).unwrap(), by_passphrase);
        let newer = text.replace("version = 1", "version = 2");
        let without = |name: &str| text.lines().filter(|line| !line.starts_with(name)).collect::<Vec<_>>().join("\n");
        let cut = ["version", "at", "file", "size", "sha256", "recipients", "accounts", "tokens"].map(without);
        for text in cut.into_iter().chain([newer, format!("{text}more = 1\n"), String::new()]) {
            read(&text).unwrap_err();
        }
    }

    #[test]
    fn it_is_no_stray_file_and_an_empty_state_is_left_alone() {
        let place = private_directory();
        let owner = Owner(nix::unistd::geteuid().as_raw());
        let files = Files::new(place.path(), owner, PATIENCE, SystemClock);
        files.remember_backup(&some()).unwrap();
        assert_eq!((files.last_backup().unwrap(), fs::read_dir(place.path()).unwrap().count()), (None, 0));
        fs::DirBuilder::new().mode(0o700).create(place.path().join(USERS)).unwrap();
        files.remember_backup(&some()).unwrap();
        assert_eq!(files.last_backup().unwrap(), Some(some()));
        assert!(files.inspect().flaws.is_empty());
        fs::write(place.path().join(FILE), "x").unwrap();
        files.last_backup().unwrap_err();
    }
}
