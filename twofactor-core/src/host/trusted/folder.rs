//! A folder that only root may change, and its files: opened first, then the handle is checked.

use super::error::FileError;
use super::error::{in_shell, io_error, refused};
use crate::host::random;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, mkdirat, mknodat};
use nix::unistd::{UnlinkatFlags, syncfs, unlinkat};
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read as _, Write as _};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The user id that must own everything; root on a real host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(pub u32);

impl Owner {
    /// The owner of the state of a real host.
    pub const ROOT: Self = Self(0);
}

/// The permissions of others on a file or folder of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Read it: a configuration.
    FromWriting,
    /// Nothing: it holds secrets, or says who has them.
    FromReading,
}

impl Protection {
    /// The permission bits that must not be set.
    fn forbidden(self) -> u32 {
        match self {
            Self::FromWriting => 0o022,
            Self::FromReading => 0o077,
        }
    }

    /// The mode of a new file.
    fn mode_of_files(self) -> u32 {
        match self {
            Self::FromWriting => 0o644,
            Self::FromReading => 0o600,
        }
    }
}

/// Reads a whole file that others may read, by its path; `None` when there is no such file.
pub fn read_file(path: &Path, owner: Owner, limit: usize) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    match open(AT_FDCWD, path, path, OFlag::O_RDONLY, Mode::empty())? {
        Some(file) => read(&file, path, owner, Protection::FromWriting, limit).map(Some),
        None => Ok(None),
    }
}

/// An open folder.
#[derive(Debug)]
pub struct Folder {
    pub(super) handle: File,
    pub(super) path: PathBuf,
    owner: Owner,
    protection: Protection,
}

/// A file that is overwritten in place.
#[derive(Debug)]
pub struct InPlace {
    file: File,
    path: PathBuf,
    owner: Owner,
    protection: Protection,
}

/// The beginning of a file.
#[derive(Debug)]
pub struct Beginning {
    /// Its first bytes.
    pub bytes: Vec<u8>,
    /// The size of all of it.
    pub size: u64,
}

/// The moment at which a file that was written reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// Before the call returns.
    Now,
    /// With [`Folder::flush_file_system`], which the caller owes.
    Together,
}

/// The next content of a file, beside it and not yet in its place. Dropped, it is gone.
#[derive(Debug)]
pub struct Prepared<'f> {
    folder: &'f Folder,
    name: String,
    is_put: bool,
}

impl Prepared<'_> {
    /// Puts it in its place.
    pub fn put(mut self, flush: Flush) -> Result<(), FileError> {
        let Self { folder, name, .. } = &self;
        renameat(&folder.handle, temporary(name).as_str(), &folder.handle, name.as_str())
            .map_err(|errno| io_error(&folder.path.join(name), "replace", errno.into()))?;
        self.is_put = true;
        if flush == Flush::Now { self.folder.sync() } else { Ok(()) }
    }
}

impl Drop for Prepared<'_> {
    fn drop(&mut self) {
        if !self.is_put {
            // Best effort: a left-over does no harm, the next write removes it.
            let _ = unlinkat(&self.folder.handle, temporary(&self.name).as_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

impl InPlace {
    /// Reads the whole file. Refuses one that was removed meanwhile: what is written there would be lost.
    pub fn read(&self, limit: usize) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let metadata = self.file.metadata().map_err(|error| io_error(&self.path, "examine", error))?;
        if metadata.nlink() == 0 {
            return Err(io_error(&self.path, "read", Errno::ENOENT.into()));
        }
        read(&self.file, &self.path, self.owner, self.protection, limit)
    }

    /// Overwrites what stands at `offset`. From now on every process sees it, and it outlives this one; [`InPlace::sync`]
    /// makes it outlive a power cut. Only within the file, whose blocks are there.
    pub fn overwrite(&self, content: &[u8], offset: u64) -> Result<(), FileError> {
        self.file.write_all_at(content, offset).map_err(|error| io_error(&self.path, "write", error))
    }

    /// Waits until all that was overwritten is on disk.
    pub fn sync(&self) -> Result<(), FileError> {
        self.file.sync_data().map_err(|error| io_error(&self.path, "write", error))
    }
}

impl Folder {
    /// Opens a folder by its path; `None` when there is none.
    pub fn open(path: &Path, owner: Owner, protection: Protection) -> Result<Option<Self>, FileError> {
        Self::open_at(AT_FDCWD, path, path.to_owned(), owner, protection)
    }

    /// Opens the folder `name` in this one, which must be private; `None` when there is none.
    pub fn folder(&self, name: &str) -> Result<Option<Self>, FileError> {
        let path = self.path.join(name);
        Self::open_at(&self.handle, Path::new(name), path, self.owner, Protection::FromReading)
    }

    /// Opens the folder `name` in this one and makes it (mode 0700) when there is none.
    pub fn make_folder(&self, name: &str) -> Result<Self, FileError> {
        self.make_folder_flushed(name, Flush::Now)
    }

    /// The same, flushed when `flush` says so.
    pub fn make_folder_flushed(&self, name: &str, flush: Flush) -> Result<Self, FileError> {
        let path = self.path.join(name);
        let made = match mkdirat(&self.handle, name, Mode::S_IRWXU) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(io_error(&path, "make the folder", errno.into())),
        };
        let missing = || io_error(&path, "open the folder", Errno::ENOENT.into());
        let folder = self.folder(name)?.ok_or_else(missing)?;
        if made {
            // The caller's umask may have taken permissions away.
            let doing = "set the mode of";
            let ours = Permissions::from_mode(0o700);
            folder.handle.set_permissions(ours).map_err(|error| io_error(&path, doing, error))?;
            if flush == Flush::Now {
                self.sync()?;
            }
        }
        Ok(folder)
    }

    /// Opens the folder `name` in this one; when there is none, makes it (mode 0700) with the file `file` in it. A crash
    /// leaves both or neither, and perhaps a folder whose name begins with `-new-`.
    pub fn make_folder_with(&self, name: &str, file: &str, content: &[u8]) -> Result<Self, FileError> {
        let mut random = [0; 8];
        let unpredictable = || io_error(&self.path.join(name), "make the folder", io::ErrorKind::Other.into());
        random::fill(&mut random).map_err(|_| unpredictable())?;
        let temporary = format!("{UNFINISHED}{:016x}", u64::from_be_bytes(random));
        let folder = self.make_folder(&temporary)?;
        let written = folder.replace(file, content);
        let renamed = written.map(|()| renameat(&self.handle, temporary.as_str(), &self.handle, name));
        if !matches!(renamed, Ok(Ok(()))) {
            // Best effort: a left-over does no harm.
            let _ = unlinkat(&folder.handle, file, UnlinkatFlags::NoRemoveDir)
                .and_then(|()| unlinkat(&self.handle, temporary.as_str(), UnlinkatFlags::RemoveDir));
        }
        match renamed? {
            // Or another process was quicker.
            Ok(()) | Err(Errno::EEXIST | Errno::ENOTEMPTY) => self.sync()?,
            Err(errno) => return Err(io_error(&self.path.join(name), "make the folder", errno.into())),
        }
        let missing = || io_error(&self.path.join(name), "open the folder", Errno::ENOENT.into());
        self.folder(name)?.ok_or_else(missing)
    }

    /// Reads the file `name`; `None` when there is none.
    pub fn read(&self, name: &str, limit: usize) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
        let path = self.path.join(name);
        match open(&self.handle, Path::new(name), &path, OFlag::O_RDONLY, Mode::empty())? {
            Some(file) => read(&file, &path, self.owner, self.protection, limit).map(Some),
            None => Ok(None),
        }
    }

    /// Opens the file `name`, to be read and overwritten in place; `None` when there is none.
    pub fn open_in_place(&self, name: &str) -> Result<Option<InPlace>, FileError> {
        let path = self.path.join(name);
        let file = open(&self.handle, Path::new(name), &path, OFlag::O_RDWR, Mode::empty())?;
        Ok(file.map(|file| InPlace { file, path, owner: self.owner, protection: self.protection }))
    }

    /// True when the file `name` is there. An entry that cannot be judged is an error and never "no".
    pub fn has(&self, name: &str) -> Result<bool, FileError> {
        let path = self.path.join(name);
        match open(&self.handle, Path::new(name), &path, OFlag::O_RDONLY, Mode::empty())? {
            Some(file) => check_file(&file, &path, self.owner, self.protection).map(|_| true),
            None => Ok(false),
        }
    }

    /// Checks the file `name` without opening it; its size, or `None` when there is none.
    ///
    /// For files that a library opens by path: closing a handle of ours would drop the locks that another thread of
    /// this process holds on the same file (POSIX). This folder must be one that only its owner may write to.
    pub fn examine(&self, name: &str) -> Result<Option<u64>, FileError> {
        let path = self.path.join(name);
        match std::fs::symlink_metadata(&path) {
            Ok(metadata) => {
                check_metadata(&metadata, &path, self.owner, self.protection)?;
                Ok(Some(metadata.len()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(&path, "examine", error)),
        }
    }

    /// The first `count` bytes of the file `name`, or fewer where it has no more, and its size; `None` when there is none.
    ///
    /// Not for a file on which another thread keeps POSIX locks, for the same reason as [`Folder::examine`].
    pub fn beginning(&self, name: &str, count: usize) -> Result<Option<Beginning>, FileError> {
        let path = self.path.join(name);
        let Some(file) = open(&self.handle, Path::new(name), &path, OFlag::O_RDONLY, Mode::empty())? else {
            return Ok(None);
        };
        let size = check_file(&file, &path, self.owner, self.protection)?.len();
        let mut bytes = Vec::with_capacity(count);
        let most = u64::try_from(count).unwrap_or(u64::MAX);
        file.take(most).read_to_end(&mut bytes).map_err(|error| io_error(&path, "read", error))?;
        Ok(Some(Beginning { bytes, size }))
    }

    /// Makes an empty private file `name`, in the place of what a crash may have left there.
    pub fn make_empty(&self, name: &str) -> Result<(), FileError> {
        self.write_new(name, &self.path.join(name), &[], Flush::Now)
    }

    /// Makes an empty private file `name`, where there is none. Opens no handle, for the same reason as
    /// [`Folder::examine`]. Takes no space on the disk.
    pub fn make_if_absent(&self, name: &str) -> Result<(), FileError> {
        match mknodat(&self.handle, name, SFlag::S_IFREG, Mode::S_IRUSR | Mode::S_IWUSR, 0) {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(errno) => Err(io_error(&self.path.join(name), "create", errno.into())),
        }
    }

    /// Gives the file `from` the name `to`, durably.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), FileError> {
        renameat(&self.handle, from, &self.handle, to)
            .map_err(|errno| io_error(&self.path.join(to), "replace", errno.into()))?;
        self.sync()
    }

    /// Puts `content` in the place of the file `name`, completely and durably.
    pub fn replace(&self, name: &str, content: &[u8]) -> Result<(), FileError> {
        self.prepare(name, content, Flush::Now)?.put(Flush::Now)
    }

    /// Writes `content` beside the file `name`, whose place it takes when it is put there.
    pub fn prepare(&self, name: &str, content: &[u8], flush: Flush) -> Result<Prepared<'_>, FileError> {
        let temporary = temporary(name);
        let path = self.path.join(&temporary);
        // Dropped after an error, it removes what was written.
        let prepared = Prepared { folder: self, name: name.to_owned(), is_put: false };
        self.write_new(&temporary, &path, content, flush)?;
        Ok(prepared)
    }

    /// Waits until all that was written to this file system is on disk. For many files, quicker than each by itself.
    pub fn flush_file_system(&self) -> Result<(), FileError> {
        syncfs(&self.handle).map_err(|errno| io_error(&self.path, "sync", errno.into()))
    }

    /// Removes the file `name` durably, and what a crash left of its successor; neither need be there.
    pub fn remove(&self, name: &str) -> Result<(), FileError> {
        let temporary = temporary(name);
        self.remove_left_over(&temporary, &self.path.join(&temporary))?;
        match unlinkat(&self.handle, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => self.sync(),
            Err(errno) => Err(io_error(&self.path.join(name), "remove", errno.into())),
        }
    }

    /// The names in this folder that are UTF-8, sorted.
    pub fn names(&self) -> Result<Vec<String>, FileError> {
        let mut names = Vec::new();
        let _ = self.each_name(|name| -> ControlFlow<()> {
            names.push(name.to_owned());
            ControlFlow::Continue(())
        })?;
        names.sort();
        Ok(names)
    }

    /// Hands over the names in this folder that are UTF-8, in no order, until one is enough.
    pub fn each_name<B>(&self, mut visit: impl FnMut(&str) -> ControlFlow<B>) -> Result<ControlFlow<B>, FileError> {
        let failed = |errno: Errno| io_error(&self.path, "list", errno.into());
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut folder = Dir::openat(&self.handle, ".", flags, Mode::empty()).map_err(failed)?;
        for entry in folder.iter() {
            let entry = entry.map_err(failed)?;
            if let Ok(name) = entry.file_name().to_str()
                && name != "."
                && name != ".."
                && let ControlFlow::Break(found) = visit(name)
            {
                return Ok(ControlFlow::Break(found));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The path of this folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open_at(
        at: impl AsFd,
        name: &Path,
        path: PathBuf,
        owner: Owner,
        protection: Protection,
    ) -> Result<Option<Self>, FileError> {
        match open(at, name, &path, OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty())? {
            Some(handle) => {
                let metadata = handle.metadata().map_err(|error| io_error(&path, "examine", error))?;
                check_owner_and_mode(&metadata, &path, owner, protection)?;
                Ok(Some(Self { handle, path, owner, protection }))
            }
            None => Ok(None),
        }
    }

    /// Removes whatever stands at the fixed name of a temporary file.
    fn remove_left_over(&self, name: &str, path: &Path) -> Result<(), FileError> {
        let removed = match unlinkat(&self.handle, name, UnlinkatFlags::NoRemoveDir) {
            Err(Errno::EISDIR) => unlinkat(&self.handle, name, UnlinkatFlags::RemoveDir),
            other => other,
        };
        match removed {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(io_error(path, "remove the left-over", errno.into())),
        }
    }

    fn write_new(&self, name: &str, path: &Path, content: &[u8], flush: Flush) -> Result<(), FileError> {
        self.remove_left_over(name, path)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let missing = || io_error(path, "create", Errno::ENOENT.into());
        let mut file =
            open(&self.handle, Path::new(name), path, flags, Mode::S_IRUSR | Mode::S_IWUSR)?.ok_or_else(missing)?;
        let written = file
            .set_permissions(Permissions::from_mode(self.protection.mode_of_files()))
            .and_then(|()| file.write_all(content))
            .and_then(|()| if flush == Flush::Now { file.sync_all() } else { Ok(()) });
        written.map_err(|error| io_error(path, "write", error))
    }

    fn sync(&self) -> Result<(), FileError> {
        self.handle.sync_all().map_err(|error| io_error(&self.path, "sync", error))
    }
}

/// The ending of the name of a file that will take the place of another one.
pub(crate) const TEMPORARY: &str = ".new";

/// The beginning of the name of a folder that is going to get another name. No user is called that.
pub(crate) const UNFINISHED: &str = "-new-";

/// The fixed name of the file that will take the place of `name`.
pub(super) fn temporary(name: &str) -> String {
    format!("{name}{TEMPORARY}")
}

/// Opens without following a link; `None` when there is no such entry.
pub(super) fn open(
    at: impl AsFd,
    name: &Path,
    path: &Path,
    flags: OFlag,
    mode: Mode,
) -> Result<Option<File>, FileError> {
    let always = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    match openat(at, name, flags | always, mode) {
        Ok(handle) => Ok(Some(File::from(above_standard_streams(handle, path)?))),
        Err(Errno::ENOENT) if !flags.contains(OFlag::O_CREAT) => Ok(None),
        Err(Errno::ELOOP) => {
            let path_text = in_shell(path);
            let remedy = format!("cp --remove-destination \"$(readlink -f {path_text})\" {path_text}");
            Err(refused(path, "is a symbolic link", remedy))
        }
        Err(Errno::ENOTDIR) if flags.contains(OFlag::O_DIRECTORY) => {
            Err(refused(path, "is not a folder or is a symbolic link", format!("ls -ld {}", in_shell(path))))
        }
        Err(errno) => Err(io_error(path, "open", errno.into())),
    }
}

/// A host that closed its standard streams must not find our secrets behind descriptor 2.
pub(super) fn above_standard_streams(handle: OwnedFd, path: &Path) -> Result<OwnedFd, FileError> {
    if handle.as_raw_fd() > 2 {
        return Ok(handle);
    }
    // The standard library duplicates to 3 and above.
    handle.try_clone().map_err(|error| io_error(path, "open", error))
}

pub(super) fn read(
    file: &File,
    path: &Path,
    owner: Owner,
    protection: Protection,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let metadata = check_file(file, path, owner, protection)?;
    let too_large = || FileError::TooLarge { path: path.to_owned(), limit };
    let size = usize::try_from(metadata.len()).ok().filter(|size| *size <= limit).ok_or_else(too_large)?;
    // Room for what is there and one byte more, which tells when a file grew meanwhile: the buffer never grows, so no
    // copy of a secret stays behind.
    let mut content = Zeroizing::new(Vec::with_capacity(size + 1));
    let most = u64::try_from(size).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut content).map_err(|error| io_error(path, "read", error))?;
    if content.len() > size { Err(too_large()) } else { Ok(content) }
}

pub(super) fn check_file(
    file: &File,
    path: &Path,
    owner: Owner,
    protection: Protection,
) -> Result<Metadata, FileError> {
    let metadata = file.metadata().map_err(|error| io_error(path, "examine", error))?;
    check_metadata(&metadata, path, owner, protection)?;
    Ok(metadata)
}

pub(super) fn check_metadata(
    metadata: &Metadata,
    path: &Path,
    owner: Owner,
    protection: Protection,
) -> Result<(), FileError> {
    if !metadata.is_file() {
        let problem = if metadata.is_symlink() { "is a symbolic link" } else { "is not a regular file" };
        return Err(refused(path, problem, format!("ls -l {}", in_shell(path))));
    }
    // None is left when another process replaces or removes the file at this moment: what was opened is what was there.
    if metadata.nlink() > 1 {
        return Err(refused(path, "has more than one name (hard links)", format!("ls -li {}", in_shell(path))));
    }
    check_owner_and_mode(metadata, path, owner, protection)
}

pub(super) fn check_owner(metadata: &Metadata, path: &Path, owner: Owner) -> Result<(), FileError> {
    if metadata.uid() == owner.0 {
        return Ok(());
    }
    let problem = format!("belongs to user {}, not to user {}", metadata.uid(), owner.0);
    Err(refused(path, &problem, format!("chown {} {}", owner.0, in_shell(path))))
}

pub(super) fn check_owner_and_mode(
    metadata: &Metadata,
    path: &Path,
    owner: Owner,
    protection: Protection,
) -> Result<(), FileError> {
    check_owner(metadata, path, owner)?;
    let mode = metadata.mode() & 0o7777;
    if mode & protection.forbidden() == 0 {
        return Ok(());
    }
    let (others, permissions) = match protection {
        Protection::FromWriting => ("write to it", "go-w"),
        Protection::FromReading => ("use it", "go-rwx"),
    };
    let problem = format!("has mode {mode:04o}, so others may {others}");
    Err(refused(path, &problem, format!("chmod {permissions} {}", in_shell(path))))
}

#[cfg(test)]
mod tests {
    use super::super::private_directory;
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder() -> (tempfile::TempDir, Folder) {
        let directory = private_directory();
        let folder = Folder::open(directory.path(), me(), Protection::FromReading).unwrap().unwrap();
        (directory, folder)
    }

    fn me() -> Owner {
        Owner(nix::unistd::geteuid().as_raw())
    }

    fn path(directory: &tempfile::TempDir, name: &str) -> PathBuf {
        directory.path().join(name)
    }

    #[test]
    fn what_is_replaced_is_read_back_and_only_its_owner_can_read_it() {
        let (directory, folder) = folder();
        folder.replace("state", b"one").unwrap();
        folder.replace("state", b"two").unwrap();
        assert_eq!(folder.read("state", 10).unwrap().unwrap().as_slice(), b"two");
        assert_eq!(std::fs::metadata(path(&directory, "state")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(folder.names().unwrap(), ["state"]);
    }

    #[test]
    fn left_over_temporary_files_of_any_kind_block_nobody() {
        let (directory, folder) = folder();
        let left_over = path(&directory, "state.new");
        std::fs::write(&left_over, "torn").unwrap();
        folder.replace("state", b"one").unwrap();
        symlink("/etc/passwd", &left_over).unwrap();
        folder.replace("state", b"two").unwrap();
        nix::unistd::mkfifo(&left_over, Mode::S_IRUSR).unwrap();
        folder.replace("state", b"three").unwrap();
        std::fs::create_dir(&left_over).unwrap();
        folder.replace("state", b"four").unwrap();
        assert_eq!(folder.read("state", 10).unwrap().unwrap().as_slice(), b"four");
        std::fs::write(&left_over, "a secret, perhaps").unwrap();
        folder.remove("state").unwrap();
        assert!(folder.names().unwrap().is_empty());
    }

    /// SQLite removes its log when the last connection closes, and a login that was looking at it was refused.
    #[test]
    fn a_file_that_is_removed_at_this_moment_is_read_as_it_was_and_never_written_to() {
        let (directory, folder) = folder();
        folder.replace("state", b"before").unwrap();
        let in_place = folder.open_in_place("state").unwrap().unwrap();
        let opened = File::open(path(&directory, "state")).unwrap();
        folder.replace("state", b"after").unwrap();
        let there = path(&directory, "state");
        assert_eq!(*read(&opened, &there, me(), Protection::FromReading, 64).unwrap(), b"before");
        assert!(in_place.read(64).unwrap_err().to_string().contains("no such file"));
        assert_eq!(*folder.read("state", 64).unwrap().unwrap(), b"after");
    }

    #[test]
    fn links_fifos_folders_and_foreign_modes_are_refused_and_are_not_absence() {
        let (directory, folder) = folder();
        symlink("/etc/passwd", path(&directory, "link")).unwrap();
        symlink("/nowhere", path(&directory, "broken")).unwrap();
        nix::unistd::mkfifo(&path(&directory, "fifo"), Mode::S_IRUSR).unwrap();
        std::fs::create_dir(path(&directory, "folder")).unwrap();
        std::fs::write(path(&directory, "open"), "x").unwrap();
        std::fs::set_permissions(path(&directory, "open"), Permissions::from_mode(0o666)).unwrap();
        std::fs::write(path(&directory, "twice"), "x").unwrap();
        std::fs::hard_link(path(&directory, "twice"), path(&directory, "again")).unwrap();
        for name in ["link", "broken", "fifo", "folder", "open", "twice"] {
            assert!(matches!(folder.read(name, 10), Err(FileError::Unsafe { .. })), "{name}");
            assert!(matches!(folder.has(name), Err(FileError::Unsafe { .. })), "{name}");
            assert!(matches!(folder.examine(name), Err(FileError::Unsafe { .. })), "{name}");
        }
        for looked in [folder.examine("link").map(drop), folder.read("link", 10).map(drop)] {
            assert!(looked.unwrap_err().to_string().contains("is a symbolic link"));
        }
        assert!(folder.read("absent", 10).unwrap().is_none());
    }

    #[test]
    fn a_foreign_owner_is_refused() {
        let directory = private_directory();
        let stranger = Owner(me().0 + 1);
        assert!(matches!(
            Folder::open(directory.path(), stranger, Protection::FromReading),
            Err(FileError::Unsafe { .. })
        ));
    }

    #[test]
    fn the_size_is_capped() {
        let (_directory, folder) = folder();
        folder.replace("big", &[b'x'; 11]).unwrap();
        assert!(matches!(folder.read("big", 10), Err(FileError::TooLarge { limit: 10, .. })));
    }

    #[test]
    fn nothing_that_is_opened_survives_exec() {
        use nix::fcntl::{FcntlArg, FdFlag, fcntl};
        let (_directory, folder) = folder();
        folder.replace("state", b"x").unwrap();
        let file = folder.open_in_place("state").unwrap().unwrap();
        for handle in [&folder.handle, &file.file] {
            let flags = FdFlag::from_bits_truncate(fcntl(handle, FcntlArg::F_GETFD).unwrap());
            assert!(flags.contains(FdFlag::FD_CLOEXEC));
        }
    }

    #[test]
    fn what_others_may_read_is_refused_where_secrets_are() {
        let (directory, folder) = folder();
        folder.replace("secret", b"x").unwrap();
        std::fs::set_permissions(path(&directory, "secret"), Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(folder.read("secret", 10), Err(FileError::Unsafe { .. })));
        assert!(read_file(&path(&directory, "secret"), me(), 10).unwrap().is_some(), "a configuration may be read");
    }
}
