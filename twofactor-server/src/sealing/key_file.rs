//! The file of the keys that seal what the database keeps. All servers of a fleet have the same.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;

use data_encoding::BASE32_NOPAD;
use twofactor_core::host::trusted::{Owner, read_file};
use twofactor_core::text::document::{self, Section};
use zeroize::Zeroizing;

use crate::error::ServerError;
use crate::sealing::escrow::Escrow;
use crate::sealing::keys::{BYTES, Key, Keys};
use crate::sealing::new_file::{create, flush_folder, wrong};

/// The largest file that is read, in bytes: hundreds of keys.
const LARGEST: usize = 64 * 1024;

/// Reads the keys. The file must be `owner`'s, and no other user may read it.
pub fn read(path: &Path, owner: Owner) -> Result<Keys, ServerError> {
    read_guarded(path, owner, 0o077)
}

/// Reads the keys of a credential of systemd, whose folder no other user enters: its group stands for the list of those who may.
pub fn read_credential(path: &Path, owner: Owner) -> Result<Keys, ServerError> {
    read_guarded(path, owner, 0o037)
}

/// The mode must have none of these bits.
fn read_guarded(path: &Path, owner: Owner, others: u32) -> Result<Keys, ServerError> {
    let wrong = |problem: String| ServerError::KeyFile { file: path.display().to_string(), problem };
    let content = read_file(path, owner, LARGEST).map_err(|error| wrong(error.to_string()))?;
    let content = content.ok_or_else(|| wrong("there is no such file".to_owned()))?;
    let mode = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.mode();
    if mode & others != 0 {
        return Err(wrong(format!("others than its owner may read it (mode {:o})", mode & 0o777)));
    }
    let text = std::str::from_utf8(&content).map_err(|_| wrong("this is no text".to_owned()))?;
    let (sealing, keys) = document::read(text, keys).map_err(|problems| {
        // By its place alone: the line holds a key.
        wrong(problems.first().map_or_else(String::new, |first| format!("line {} is not valid", first.line)))
    })?;
    let problem = "the numbers of its keys do not rise, or the one that seals is not among them";
    Keys::new(keys, sealing).ok_or_else(|| wrong(problem.to_owned()))
}

/// Makes the file with a first key. One that is there stays. A copy for the escrow comes before it.
pub fn init(path: &Path, escrow: Option<&Escrow>) -> Result<(), ServerError> {
    if path.try_exists().unwrap_or(true) {
        return Err(wrong(path, "it is there, and stays"));
    }
    let text = written(&Keys::first()?);
    escrow.map_or(Ok(()), |escrow| escrow.keep(&text))?;
    create(path, text.as_bytes(), 0o400)
}

/// A change of the file of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChange {
    /// Adds a key that opens and does not seal.
    Add,
    /// Seals with the newest key.
    SealWithTheNewest,
    /// Takes these keys away, but for the one that seals.
    TakeAway(Vec<i32>),
}

/// Changes the file, which keeps its owner and mode. A copy for the escrow comes before it.
pub fn change(path: &Path, owner: Owner, change: &KeyChange, escrow: Option<&Escrow>) -> Result<Keys, ServerError> {
    let before = read(path, owner)?;
    let keys = match change {
        KeyChange::Add => before.with_another()?,
        KeyChange::SealWithTheNewest => before.sealing_with_the_newest(),
        KeyChange::TakeAway(numbers) => before.without(numbers),
    };
    let text = written(&keys);
    escrow.map_or(Ok(()), |escrow| escrow.keep(&text))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.new"));
    let failed = |error: &io::Error| wrong(path, error);
    match fs::remove_file(&beside) {
        // What was left by a change that was interrupted.
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(&error)),
    }
    let there = fs::metadata(path).map_err(|error| failed(&error))?;
    create(&beside, text.as_bytes(), there.mode() & 0o700)?;
    let given = chown(&beside, Some(there.uid()), Some(there.gid()));
    given.and_then(|()| fs::rename(&beside, path)).map_err(|error| failed(&error))?;
    flush_folder(path)?;
    Ok(keys)
}

fn written(keys: &Keys) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(512 + keys.all.len() * 128));
    text.push_str("# The keys that seal seeds in the database of a fleet. Without them no code can be judged: keep a copy elsewhere.\n");
    let _ = write!(text, "version = 1\nsealing = {}\n", keys.sealing);
    for Key { number, secret } in &keys.all {
        let secret = Zeroizing::new(BASE32_NOPAD.encode(secret.as_slice()));
        let _ = write!(text, "\n[[key]]\nnumber = {number}\nsecret = \"{}\"\n", secret.as_str());
    }
    text
}

/// The number of the key that seals, and all keys.
fn keys(root: Section<'_, '_>) -> Option<(i32, Vec<Key>)> {
    if root.integer("version", 1..=1).is_none() {
        root.missing("version");
    }
    let sealing = root.required("sealing", root.integer("sealing", 1..=i32::MAX));
    let keys: Option<Vec<Key>> = root.sections("key").into_iter().map(key).collect();
    root.finish();
    Some((sealing?, keys?))
}

fn key(section: Section<'_, '_>) -> Option<Key> {
    let number = section.integer("number", 1..=i32::MAX);
    let secret = section.string("secret").and_then(|text| BASE32_NOPAD.decode(text.value.as_bytes()).ok());
    let secret = secret.map(Zeroizing::new).and_then(|bytes| <[u8; BYTES]>::try_from(bytes.as_slice()).ok());
    if number.is_none() || secret.is_none() {
        section.complain_here("number or secret is missing");
    }
    section.finish();
    Some(Key { number: number?, secret: Zeroizing::new(secret?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_is_made_once_and_read_only_where_no_other_user_can() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        let path = folder.path().join("seed.key");
        let me = Owner(nix::unistd::geteuid().as_raw());
        assert!(read(&path, me).is_err());
        init(&path, None).unwrap();
        let keys = read(&path, me).unwrap();
        assert!(keys.numbers() == [1] && keys.sealing() == 1 && *keys.all[0].secret != [0; BYTES]);
        assert!(init(&path, None).is_err(), "it is there");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
        for (mode, reads) in [(0o600, true), (0o640, false), (0o604, false), (0o620, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path, me).is_ok(), reads, "{mode:o}");
        }
    }

    #[test]
    fn a_damaged_file_is_refused_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed.key");
        let me = Owner(nix::unistd::geteuid().as_raw());
        let keys = |numbers: &[i32], sealing| {
            let all = numbers.iter().map(|number| Key::random(*number).unwrap()).collect();
            written(&Keys { all, sealing })
        };
        let good = keys(&[1, 2], 1);
        let refused = |text: &str| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            read(&path, me).err().map(|error| error.to_string())
        };
        assert_eq!(refused(&good), None);
        for bad in [
            "",
            "version = 1\n",
            &good.replace("number = 2", "number = 1"),
            &good.replace("version = 1", "version = 2"),
            &keys(&[1, 1], 1),
            &keys(&[1, 2], 3),
            &good.replace("sealing = 1\n", ""),
        ] {
            let said = refused(bad).expect("it was read");
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
