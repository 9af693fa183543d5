//! A folder on a real disk for everything the modules keep, visible in the private host although that hides much.

#![allow(unsafe_code, reason = "open_tree and move_mount have no safe wrapper")]

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The folder. It is removed with this value.
#[derive(Debug)]
pub(crate) struct Disk(PathBuf);

/// The folder as a mount that is not attached anywhere yet.
#[derive(Debug)]
pub(crate) struct Share(OwnedFd);

const PREFIX: &str = "bench-";

impl Disk {
    /// A new folder beside the build this program belongs to, on the disk the checkout is on. Removes what killed runs
    /// have left.
    pub(crate) fn make() -> Self {
        let program = std::env::current_exe().expect("the path of this program");
        let target = program.ancestors().nth(2).expect("a program of cargo's lies in target/PROFILE");
        for entry in fs::read_dir(target).expect("the target folder can be listed").flatten() {
            let name = entry.file_name();
            let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
            if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let folder = target.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        Self(folder)
    }

    /// Where it is on the real host.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// The same folder for the private host, taken before that hides it.
    pub(crate) fn share(&self) -> Share {
        // For the workers: the build lies where the private host does not see it.
        let program = std::env::current_exe().expect("the path of this program");
        fs::copy(program, self.0.join("bench")).expect("a copy of this program");
        let path = CString::new(self.0.as_os_str().as_bytes()).expect("a path has no NUL");
        let flags = libc::OPEN_TREE_CLONE | libc::O_CLOEXEC.cast_unsigned();
        // SAFETY: the path is a C string.
        let descriptor = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
        let descriptor = i32::try_from(descriptor).expect("a descriptor fits");
        assert!(descriptor >= 0, "open_tree: {}", std::io::Error::last_os_error());
        // SAFETY: the kernel just gave us this descriptor, and nobody else has it.
        Share(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("bench: {} is left over: {error}", self.0.display());
        }
    }
}

impl Share {
    /// Attaches the folder to the mounts of the calling thread.
    pub(crate) fn appear_at(&self, place: &Path) {
        fs::create_dir(place).expect("a folder to mount on");
        let target = CString::new(place.as_os_str().as_bytes()).expect("a path has no NUL");
        let (from, here, flags) = (self.0.as_raw_fd(), libc::AT_FDCWD, libc::MOVE_MOUNT_F_EMPTY_PATH);
        // SAFETY: both paths are C strings and the descriptor is open.
        let result = unsafe { libc::syscall(libc::SYS_move_mount, from, c"".as_ptr(), here, target.as_ptr(), flags) };
        assert_eq!(result, 0, "move_mount: {}", std::io::Error::last_os_error());
    }
}
