//! The records of `enable`, below the state folder: `services/NAME/{before,after}`, `created` where there was no file, `combined`
//! where the configuration lists the service since.
//!
//! Invariants: a record is on disk before its file is changed. Only one process changes records and files at a time.

use std::borrow::Borrow as _;
use std::path::{Path, PathBuf};

use twofactor_core::host::trusted::{FileError, Folder, Locked, Owner, Protection};
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::StateIdentity;
use twofactor_core::store::files::PATIENCE;

/// The folder of all records.
const SERVICES: &str = "services";
const BEFORE: &str = "before";
const AFTER: &str = "after";
const CREATED: &str = "created";
const DROP_IN: &str = "drop-in";
const COMBINED: &str = "combined";
/// No description of a service is larger.
const LARGEST: usize = 1024 * 1024;

/// The records, locked.
#[derive(Debug)]
pub(crate) struct Records {
    folder: Locked,
    path: PathBuf,
}

/// The change to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its text without our lines; where there was no file in /etc, that of the package.
    pub(crate) before: Vec<u8>,
    /// The text that was written.
    pub(crate) after: Vec<u8>,
    /// The origin of the file.
    pub(crate) origin: Origin,
    /// The text that was written into sshd's folder, of sshd.
    pub(crate) drop_in: Option<Vec<u8>>,
    /// The origin of its place in `[prompt] combined`.
    pub(crate) listed: Listed,
}

/// The origin of a service's place under `combined`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    /// It was put there with our line.
    ByEnable,
    /// Not by us.
    No,
}

/// The origin of a service's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was in /etc.
    There,
    /// It was made.
    Made,
}

/// The copy of a service's former text.
pub(crate) fn copy(state: &Path, service: &str) -> PathBuf {
    state.join(SERVICES).join(service).join(BEFORE)
}

impl Records {
    /// The records of a state folder, which is made when it is not there.
    pub(crate) fn open(state: &Path, accounts: &(impl StateIdentity + ?Sized)) -> Result<Self, StoreError> {
        let folder = accounts.claimed_folder()?.make_folder(SERVICES)?.lock(PATIENCE)?;
        Ok(Self { folder, path: state.join(SERVICES) })
    }

    /// The records if there are any, unlocked and only to look.
    pub(crate) fn look(state: &Path) -> Result<Vec<String>, FileError> {
        match Folder::open(state, Owner::ROOT, Protection::FromReading)? {
            Some(folder) => folder.folder(SERVICES)?.map_or(Ok(Vec::new()), |folder| folder.names()),
            None => Ok(Vec::new()),
        }
    }

    /// The names of services with a record.
    pub(crate) fn names(&self) -> Result<Vec<String>, FileError> {
        self.folder().names()
    }

    pub(crate) fn read(&self, service: &str) -> Result<Option<Record>, FileError> {
        let Some(folder) = self.folder().folder(service)? else { return Ok(None) };
        let read = |name: &str| Ok::<_, FileError>(folder.read(name, LARGEST)?.map(|content| content.to_vec()));
        let (Some(before), Some(after)) = (read(BEFORE)?, read(AFTER)?) else { return Ok(None) };
        let origin = if folder.has(CREATED)? { Origin::Made } else { Origin::There };
        let listed = if folder.has(COMBINED)? { Listed::ByEnable } else { Listed::No };
        Ok(Some(Record { before, after, origin, drop_in: read(DROP_IN)?, listed }))
    }

    pub(crate) fn write(&self, service: &str, record: &Record) -> Result<(), FileError> {
        let folder = self.folder().make_folder(service)?;
        // Without `after` it is no record.
        folder.remove(AFTER)?;
        folder.replace(BEFORE, &record.before)?;
        match record.origin {
            Origin::There => folder.remove(CREATED)?,
            Origin::Made => folder.make_empty(CREATED)?,
        }
        match record.listed {
            Listed::No => folder.remove(COMBINED)?,
            Listed::ByEnable => folder.make_empty(COMBINED)?,
        }
        match &record.drop_in {
            Some(content) => folder.replace(DROP_IN, content)?,
            None => folder.remove(DROP_IN)?,
        }
        folder.replace(AFTER, &record.after)
    }

    pub(crate) fn forget(&self, service: &str) -> Result<(), FileError> {
        if let Some(folder) = self.folder().folder(service)? {
            for name in [AFTER, BEFORE, CREATED, DROP_IN, COMBINED] {
                folder.remove(name)?;
            }
            // Best effort: an empty folder is no record.
            let _ = std::fs::remove_dir(self.path.join(service));
        }
        Ok(())
    }

    fn folder(&self) -> &Folder {
        self.folder.borrow()
    }
}
