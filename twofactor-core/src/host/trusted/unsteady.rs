//! A file that another program may be writing while it is read.

use std::io::{self, Seek as _};
use std::path::Path;

use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;
use zeroize::Zeroizing;

use super::error::{FileError, in_shell, io_error, refused};
use super::folder::{Owner, Protection, open, read};

/// Reads a whole file that its owner may be writing, by its path; `None` when there is no such file. It is read twice, and
/// refused where it changed in between: of a half-written account the used codes might be missing.
pub fn read_unsteady_file(path: &Path, owner: Owner, limit: usize) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    read_twice(path, owner, limit, || ())
}

fn read_twice(
    path: &Path,
    owner: Owner,
    limit: usize,
    meanwhile: impl FnOnce(),
) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    let Some(file) = open(AT_FDCWD, path, path, OFlag::O_RDONLY, Mode::empty())? else { return Ok(None) };
    let content = read(&file, path, owner, Protection::FromWriting, limit)?;
    meanwhile();
    let failed = |error: io::Error| io_error(path, "read", error);
    (&file).rewind().map_err(failed)?;
    if *read(&file, path, owner, Protection::FromWriting, limit)? != *content {
        return Err(refused(path, "changed while it was read", format!("ls -l {}", in_shell(path))));
    }
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::trusted::private_directory;
    use std::fs;

    #[test]
    fn a_file_that_changes_while_it_is_read_is_refused_and_one_that_gets_another_place_is_read_as_it_was() {
        let directory = private_directory();
        let me = Owner(nix::unistd::geteuid().as_raw());
        let path = directory.path().join("file");
        let other = directory.path().join("other");
        assert!(read_unsteady_file(&path, me, 9).unwrap().is_none());
        let read = |meanwhile: &dyn Fn()| {
            fs::write(&path, "12345").unwrap();
            fs::write(&other, "54321").unwrap();
            let content = read_twice(&path, me, 9, meanwhile);
            content.map(|content| content.unwrap().to_vec()).map_err(|error| error.to_string())
        };
        assert_eq!(read(&|| ()).unwrap(), b"12345");
        assert_eq!(read(&|| fs::rename(&other, &path).unwrap()).unwrap(), b"12345");
        for text in ["", "1234", "12346", "123456"] {
            let error = read(&|| fs::write(&path, text).unwrap()).unwrap_err();
            assert!(error.ends_with("changed while it was read"), "{text:?}: {error}");
        }
        let error = read(&|| fs::write(&path, "1234567890").unwrap()).unwrap_err();
        assert!(error.ends_with("is larger than 9 bytes"), "{error}");
    }
}
