//! Places that only root can change: a file, every folder on the way to it, and every symbolic link.
//!
//! Invariants: a path is followed name by name, as the kernel does, and each name is looked up in a folder that was judged
//! before, so that a link in a folder of others never leads to a yes. In doubt the answer is an error.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;

use super::error::{FileError, in_shell, io_error, refused};
use super::folder::{Owner, Protection, check_owner, check_owner_and_mode};

/// Most symbolic links of one path (path_resolution(7)).
const MOST_LINKS: usize = 40;

const STICKY: u32 = 0o1000;

/// An error when others than `owner` could change what stands at `path`: the file itself, links that lead to it, and the
/// folders on the way, of which one that all users may write to may be sticky.
pub fn is_out_of_reach(path: &Path, owner: Owner) -> Result<(), FileError> {
    match stays_out_of_reach(path, owner)? {
        Some(_) => Ok(()),
        None => Err(io_error(path, "examine", Errno::ENOENT.into())),
    }
}

/// A file or folder on the way.
struct Place {
    path: PathBuf,
    about: Metadata,
}

impl Place {
    fn at(path: PathBuf) -> Result<Self, FileError> {
        let about = fs::symlink_metadata(&path).map_err(|error| io_error(&path, "examine", error))?;
        Ok(Self { path, about })
    }

    /// Judges a folder in which something is looked up that is there and is judged next.
    fn check_as_passed(&self, owner: Owner) -> Result<(), FileError> {
        if self.about.mode() & STICKY == 0 { self.check(owner) } else { self.check_owner(owner) }
    }

    fn check(&self, owner: Owner) -> Result<(), FileError> {
        check_owner_and_mode(&self.about, &self.path, self.or_root(owner), Protection::FromWriting)
    }

    fn check_owner(&self, owner: Owner) -> Result<(), FileError> {
        check_owner(&self.about, &self.path, self.or_root(owner))
    }

    /// Root can change everything anyhow.
    fn or_root(&self, owner: Owner) -> Owner {
        if self.about.uid() == Owner::ROOT.0 { Owner::ROOT } else { owner }
    }
}

/// The same of a file that need not be there: others must not be able to make it. A symbolic link that leads nowhere is an
/// error. Returns its kind; `None` when it is not there.
pub fn stays_out_of_reach(path: &Path, owner: Owner) -> Result<Option<FileType>, FileError> {
    let absolute = std::path::absolute(path).map_err(|error| io_error(path, "examine", error))?;
    let (mut place, mut left, mut links) = (Place::at("/".into())?, VecDeque::from(names(&absolute)), 0);
    while let Some(name) = left.pop_front() {
        place.check_as_passed(owner)?;
        if name == ".." {
            place.path.pop();
            place = Place::at(place.path)?;
            continue;
        }
        let next = match Place::at(place.path.join(name)) {
            Ok(next) => next,
            Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && links == 0 => {
                // A sticky bit does not keep others from making the file here.
                return place.check(owner).map(|()| None);
            }
            Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let problem = "leads to nothing: a symbolic link names a file that is not there";
                return Err(refused(path, problem, format!("ls -l {}", in_shell(path))));
            }
            Err(error) => return Err(error),
        };
        if !next.about.is_symlink() {
            place = next;
            continue;
        }
        // The mode of a link means nothing.
        next.check_owner(owner)?;
        links += 1;
        if links > MOST_LINKS {
            return Err(io_error(path, "examine", Errno::ELOOP.into()));
        }
        let target = fs::read_link(&next.path).map_err(|error| io_error(&next.path, "examine", error))?;
        if target.is_absolute() {
            place = Place::at("/".into())?;
        }
        names(&target).into_iter().rev().for_each(|name| left.push_front(name));
    }
    place.check(owner).map(|()| Some(place.about.file_type()))
}

/// The names of a path that lead anywhere.
fn names(path: &Path) -> Vec<OsString> {
    let leads = |component: &Component<'_>| matches!(component, Component::Normal(_) | Component::ParentDir);
    path.components().filter(leads).map(|component| component.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::private_directory;
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn me() -> Owner {
        Owner(nix::unistd::geteuid().as_raw())
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// A folder of the owner's, with the file `there` and the folder `open` that all users may write to.
    fn folder() -> tempfile::TempDir {
        let directory = private_directory();
        fs::write(directory.path().join("there"), "").unwrap();
        set_mode(&directory.path().join("there"), 0o644);
        fs::create_dir(directory.path().join("open")).unwrap();
        set_mode(&directory.path().join("open"), 0o777);
        directory
    }

    fn problem<T>(judged: Result<T, FileError>) -> String {
        judged.map_or_else(|error| error.to_string(), |_| "none".to_owned())
    }

    #[test]
    fn a_file_that_all_may_write_to_or_replace_is_within_reach() {
        let directory = folder();
        let there = directory.path().join("there");
        assert_eq!(problem(is_out_of_reach(&there, me())), "none");
        set_mode(&there, 0o666);
        assert!(problem(is_out_of_reach(&there, me())).contains("has mode 0666"));
        let inside = directory.path().join("open/inside");
        fs::write(&inside, "").unwrap();
        set_mode(&inside, 0o644);
        assert!(problem(is_out_of_reach(&inside, me())).contains("open has mode 0777"));
        // Where the folder is sticky, others replace nothing of its owner's, and make what is missing all the same.
        set_mode(&directory.path().join("open"), 0o1777);
        assert_eq!(problem(is_out_of_reach(&inside, me())), "none");
        assert!(
            problem(stays_out_of_reach(&directory.path().join("open/missing"), me())).contains("open has mode 1777")
        );
        assert!(problem(is_out_of_reach(&directory.path().join("open"), me())).contains("open has mode 1777"));
    }

    #[test]
    fn a_missing_file_is_judged_by_the_folder_in_which_it_could_be_made() {
        let directory = folder();
        let missing = directory.path().join("missing");
        assert_eq!(problem(stays_out_of_reach(&missing, me())), "none");
        assert_eq!(problem(stays_out_of_reach(&missing.join("deeper"), me())), "none");
        assert!(problem(is_out_of_reach(&missing, me())).contains("no such file"));
        assert!(
            problem(stays_out_of_reach(&directory.path().join("open/missing"), me())).contains("open has mode 0777")
        );
        assert!(problem(stays_out_of_reach(&directory.path().join("there/missing"), me())).contains("not a directory"));
    }

    #[test]
    fn a_link_counts_with_its_own_folder_and_one_that_leads_nowhere_is_a_problem() {
        let directory = folder();
        let link = |target: &str, name: &str| {
            let path = directory.path().join(name);
            symlink(target, &path).unwrap();
            path
        };
        let there = directory.path().join("there");
        assert_eq!(problem(is_out_of_reach(&link("there", "near"), me())), "none");
        assert_eq!(problem(is_out_of_reach(&link(there.to_str().unwrap(), "far"), me())), "none");
        // The file is the owner's, and others put another link in the place of this one.
        let within_reach = link("../there", "open/link");
        assert!(problem(is_out_of_reach(&within_reach, me())).contains("open has mode 0777"));
        assert!(problem(is_out_of_reach(&link("open/link", "over"), me())).contains("open has mode 0777"));
        for dangling in [link("missing", "dangling"), link("dangling", "again")] {
            assert!(problem(stays_out_of_reach(&dangling, me())).contains("leads to nothing"));
            assert!(problem(is_out_of_reach(&dangling, me())).contains("leads to nothing"));
        }
        assert!(problem(is_out_of_reach(&link("circle", "circle"), me())).contains("symbolic links"));
    }

    #[test]
    fn what_belongs_to_another_user_is_within_reach_and_a_sticky_bit_of_that_users_folder_changes_nothing() {
        if me() != Owner::ROOT {
            return;
        }
        let directory = folder();
        let chown = |path: &Path| std::os::unix::fs::chown(path, Some(4444), None).unwrap();
        let (open, inside) = (directory.path().join("open"), directory.path().join("open/inside"));
        fs::write(&inside, "").unwrap();
        chown(&open);
        for mode in [0o755, 0o1755] {
            set_mode(&open, mode);
            assert!(problem(is_out_of_reach(&inside, me())).contains("open belongs to user 4444"), "{mode:o}");
        }
        let hers = directory.path().join("hers");
        symlink("there", &hers).unwrap();
        std::os::unix::fs::lchown(&hers, Some(4444), None).unwrap();
        assert!(problem(is_out_of_reach(&hers, me())).contains("hers belongs to user 4444"));
        chown(&directory.path().join("there"));
        assert!(problem(is_out_of_reach(&directory.path().join("there"), me())).contains("there belongs to user 4444"));
    }
}
