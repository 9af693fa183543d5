//! Files that are written durably, and readable for their owner alone.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::error::ServerError;

/// A new file, durably.
pub(crate) fn create(path: &Path, content: &[u8], mode: u32) -> Result<(), ServerError> {
    let failed = |error: io::Error| wrong(path, &error);
    let options = OpenOptions::new().write(true).create_new(true).mode(mode).clone();
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    flush_folder(path)
}

/// The folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in the folder of a file durable.
pub(crate) fn flush_folder(path: &Path) -> Result<(), ServerError> {
    File::open(folder_of(path)).and_then(|folder| folder.sync_all()).map_err(|error| wrong(path, &error))
}

/// The error about a file.
pub(crate) fn wrong(path: &Path, problem: impl std::fmt::Display) -> ServerError {
    ServerError::KeyFile { file: path.display().to_string(), problem: problem.to_string() }
}
