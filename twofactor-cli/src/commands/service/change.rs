//! Changing files that decide who gets in: shown before, written whole, put back when something goes wrong.
//!
//! Invariants: at every moment a file is the old one or the new one, complete and on disk. Nothing is written
//! through a symbolic link, nor over a file that changed since it was read. Owner, mode and SELinux label stay.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use similar::TextDiff;

use crate::error::ServiceFailure;

/// A file as it is and as it is going to be. `None` is no file.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) file: PathBuf,
    pub(crate) before: Option<Vec<u8>>,
    pub(crate) after: Option<Vec<u8>>,
}

/// The label of a file under SELinux.
const LABEL: &str = "security.selinux";
/// Behind the name of a file while it is written. libpam takes no such name for a service that a program asks for.
const TEMPORARY: &str = ".twofactor-new";

/// The content of a file, `None` when there is none. A link is not followed.
pub(crate) fn read(file: &Path) -> Result<Option<Vec<u8>>, ServiceFailure> {
    match fs::symlink_metadata(file) {
        Ok(about) if about.is_symlink() => {
            let target = fs::canonicalize(file).or_else(|_| fs::read_link(file)).unwrap_or_default();
            Err(ServiceFailure::Link { file: file.to_owned(), target })
        }
        Ok(about) if !about.is_file() => Err(failed(file, "read", io::Error::other("it is no plain file"))),
        Ok(_) => fs::read(file).map(Some).map_err(|error| failed(file, "read", error)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(file, "read", error)),
    }
}

/// Refuses a file that others than root may change, and one that is another service, too: the one would no longer be the
/// other.
pub(crate) fn must_be_roots_alone(file: &Path) -> Result<(), ServiceFailure> {
    let about = match fs::symlink_metadata(file) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(file, "read", error)),
    };
    let open = about.mode() & 0o022 != 0;
    match (about.uid() == 0 && !open, about.nlink()) {
        (false, _) => {
            Err(ServiceFailure::Open { file: file.to_owned(), mode: about.mode() & 0o7777, uid: about.uid() })
        }
        (true, 2..) => Err(ServiceFailure::HardLink { file: file.to_owned(), names: about.nlink() }),
        (true, _) => Ok(()),
    }
}

impl Change {
    /// The change as diff(1) shows it.
    pub(crate) fn diff(&self) -> String {
        let text =
            |content: &Option<Vec<u8>>| String::from_utf8_lossy(content.as_deref().unwrap_or_default()).into_owned();
        let (before, after) = (text(&self.before), text(&self.after));
        let name = |content: &Option<Vec<u8>>| match content {
            Some(_) => self.file.display().to_string(),
            None => "/dev/null".to_owned(),
        };
        let diff = TextDiff::from_lines(before.as_str(), after.as_str());
        diff.unified_diff().context_radius(3).header(&name(&self.before), &name(&self.after)).to_string()
    }

    /// Does it.
    pub(crate) fn make(&self) -> Result<(), ServiceFailure> {
        if read(&self.file)? != self.before {
            return Err(ServiceFailure::Changed(self.file.clone()));
        }
        self.put(self.after.as_deref())
    }

    /// Takes it back.
    pub(crate) fn take_back(&self) -> Result<(), ServiceFailure> {
        self.put(self.before.as_deref())
    }

    fn put(&self, content: Option<&[u8]>) -> Result<(), ServiceFailure> {
        match content {
            Some(content) => replace(&self.file, content),
            None => fs::remove_file(&self.file).map_err(|error| failed(&self.file, "remove", error)),
        }?;
        synced(&self.file)
    }
}

/// Makes every change. When one fails, those before it are taken back.
pub(crate) fn make_all(changes: &[&Change]) -> Result<(), ServiceFailure> {
    for (at, change) in changes.iter().enumerate() {
        if let Err(failure) = change.make() {
            take_back_all(changes.get(..at).unwrap_or_default())?;
            return Err(failure);
        }
    }
    Ok(())
}

/// Takes every change back, the last one first. All are tried.
pub(crate) fn take_back_all(changes: &[&Change]) -> Result<(), ServiceFailure> {
    let results: Vec<_> = changes.iter().rev().map(|change| change.take_back()).collect();
    results.into_iter().collect()
}

fn replace(file: &Path, content: &[u8]) -> Result<(), ServiceFailure> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(TEMPORARY);
    let temporary = file.with_file_name(name);
    let written = written(&temporary, file, content)
        .map_err(|error| failed(file, "write", error))
        .and_then(|()| fs::rename(&temporary, file).map_err(|error| failed(file, "replace", error)));
    if written.is_err() {
        // Best effort: a left-over does no harm, the next write removes it.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A new file with owner, mode and label of `like`, on disk.
fn written(temporary: &Path, like: &Path, content: &[u8]) -> io::Result<()> {
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags.bits()).open(temporary)?;
    let (mode, owner) = match fs::symlink_metadata(like) {
        Ok(about) => (about.mode() & 0o7777, Some((about.uid(), about.gid()))),
        Err(error) if error.kind() == ErrorKind::NotFound => (0o644, None),
        Err(error) => return Err(error),
    };
    if let Some((uid, gid)) = owner {
        std::os::unix::fs::fchown(&file, Some(uid), Some(gid))?;
    }
    file.set_permissions(Permissions::from_mode(mode))?;
    keep_label(&file, like)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A host without SELinux has no labels.
fn keep_label(file: &File, like: &Path) -> io::Result<()> {
    let mut label = vec![0; 1024];
    match rustix::fs::lgetxattr(like, LABEL, &mut label[..]) {
        Ok(length) => {
            label.truncate(length);
            Ok(rustix::fs::fsetxattr(file, LABEL, &label, rustix::fs::XattrFlags::empty())?)
        }
        Err(_) => Ok(()),
    }
}

fn synced(file: &Path) -> Result<(), ServiceFailure> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(file, "sync the folder of", error))
}

/// The sentence of a system's refusal.
pub(crate) fn failed(file: &Path, doing: &'static str, error: io::Error) -> ServiceFailure {
    ServiceFailure::File { path: file.to_owned(), doing, error }
}
