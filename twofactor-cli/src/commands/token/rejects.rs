//! `--rejects FILE`: the rows that were not imported, in the form of the file they came from, to be mended and imported.
//!
//! Invariants: the file is new and for its owner only, because it holds secrets; it goes away again when nothing was
//! imported or nothing was refused.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use twofactor_admin::seed_files::{Frame, Row, SeedFile};
use zeroize::Zeroizing;

use crate::error::Failure;

/// The rows on their way into the file.
pub(super) struct Rejects {
    path: PathBuf,
    file: File,
    /// The end of the document whose rows are being written, and the zip entry that this is.
    open: Option<Open>,
    fate: RejectsFate,
}

/// A document whose rows are being written.
struct Open {
    /// Its end.
    after: Zeroizing<Vec<u8>>,
    /// The text between two rows.
    between: &'static str,
    /// The zip entry that it is.
    entry: Option<String>,
    /// The end of the last row that was written: a package with two bad keys is written once.
    reached: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RejectsFate {
    Removed,
    Kept,
}

impl Rejects {
    /// Makes the file, which must not be there.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = created.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::FileExists(path.to_owned()),
            _ => Failure::OutputFile { path: path.to_owned(), error },
        })?;
        Ok(Self { path: path.to_owned(), file, open: None, fate: RejectsFate::Removed })
    }

    /// Writes a row as it stands in its file.
    pub(super) fn add(&mut self, row: &Row, seeds: &SeedFile) -> Result<(), Failure> {
        let entry = row.place.entry.as_deref().map(str::to_owned);
        if self.open.as_ref().is_none_or(|open| open.entry != entry) {
            self.close()?;
            let Some(Frame { before, after, between }) = seeds.frame(row) else { return Ok(()) };
            self.write(&before)?;
            self.open = Some(Open { after, between, entry, reached: None });
        }
        let (Some(open), Some(raw)) = (&mut self.open, seeds.raw(row)) else { return Ok(()) };
        let (last, between) = (open.reached.replace(row.reached), open.between);
        if last == Some(row.reached) {
            return Ok(());
        }
        if last.is_some() {
            self.write(between.as_bytes())?;
        }
        self.write(&raw)?;
        if raw.ends_with(b"\n") { Ok(()) } else { self.write(b"\n") }
    }

    /// Keeps the file when there is something in it. Gives its path then.
    pub(super) fn keep(mut self) -> Result<Option<PathBuf>, Failure> {
        if self.open.is_none() {
            return Ok(None);
        }
        self.close()?;
        self.file.sync_all().map_err(|error| self.failure(error))?;
        self.fate = RejectsFate::Kept;
        Ok(Some(self.path.clone()))
    }

    fn close(&mut self) -> Result<(), Failure> {
        match self.open.take() {
            Some(open) => self.write(&open.after),
            None => Ok(()),
        }
    }

    /// Without a buffer, which would keep secrets.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| self.failure(error))
    }

    fn failure(&self, error: io::Error) -> Failure {
        Failure::OutputFile { path: self.path.clone(), error }
    }
}

impl Drop for Rejects {
    fn drop(&mut self) {
        if self.fate == RejectsFate::Removed {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
