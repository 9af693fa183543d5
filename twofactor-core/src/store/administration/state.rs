//! The words in which a sysadmin and a store speak of the state as a whole.

use std::fmt;
use std::path::PathBuf;

use crate::codes::secret;
use crate::host::trusted::FileError;
use crate::host::user::UserName;
use crate::store::error::StoreError;

/// The identity of a state: 128 random bits, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity(String);

impl Identity {
    pub(in crate::store) fn generate() -> Result<Self, StoreError> {
        let mut bytes = [0; 16];
        secret::fill_random(&mut bytes)?;
        Ok(Self(data_encoding::HEXLOWER.encode(&bytes)))
    }

    /// Reads what [`Identity::line`] wrote, to the byte.
    pub(in crate::store) fn parse(content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok()?.strip_suffix('\n')?;
        let plain = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        plain.then(|| Self(text.to_owned()))
    }

    pub(in crate::store) fn line(&self) -> String {
        format!("{}\n", self.0)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether the marker could be written.
#[derive(Debug)]
pub enum Marking {
    /// It names the state.
    Done,
    /// Nothing was kept yet, so there is nothing to mark.
    NothingToMark,
    /// The state has its identity, and the marker could not be written: /etc is read-only, for instance.
    Unmarked(FileError),
}

/// What the state and its marker look like, for `twofactor state adopt` and `doctor`.
#[derive(Debug)]
pub struct Sighting {
    /// What the marker says.
    pub marker: Result<Option<Identity>, StoreError>,
    /// What the state says; `None` without a state folder or without an identity in it.
    pub copy: Result<Option<Identity>, StoreError>,
    /// How the folder of all users fits the state; `None` when it is not there.
    pub users: Result<Option<Naming>, StoreError>,
    /// Whether there is a state folder.
    pub has_folder: bool,
    /// Whether an account or a registry lies in it.
    pub is_used: bool,
    /// Whether an account lies in it.
    pub has_accounts: bool,
}

impl Sighting {
    /// Whether logins use this state.
    pub fn is_ours(&self) -> bool {
        match (&self.marker, &self.copy) {
            (Ok(None), Ok(copy)) => self.fits(copy.as_ref()),
            (Ok(Some(marker)), Ok(Some(copy))) => marker == copy && self.fits(Some(copy)),
            _ => false,
        }
    }

    /// Whether the folder of all users is the one of this state.
    fn fits(&self, copy: Option<&Identity>) -> bool {
        match &self.users {
            Ok(Some(_)) => true,
            Ok(None) => copy.is_none(),
            Err(_) => false,
        }
    }
}

/// Why a folder of all users is the one of its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Both have the same identity.
    Named,
    /// It has accounts and no identity yet, or the state has none.
    Unnamed,
}

/// Something that is not as it should be.
#[derive(Debug)]
pub enum Flaw {
    /// A login that needs it is refused.
    Unusable(StoreError),
    /// A command was interrupted here.
    LeftOver(PathBuf),
    /// It could not be used beside the registry and was set aside.
    SetAside(PathBuf),
    /// Nothing of ours has that name.
    Unknown(PathBuf),
}

/// What was looked at, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Inspection {
    /// Folders of users.
    pub accounts: usize,
    /// Physical tokens; `None` when there is no registry that can be read.
    pub tokens: Option<usize>,
    /// What is wrong, in the order in which it was found.
    pub flaws: Vec<Flaw>,
}

/// Something that was repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// A file could not be used beside the registry, and has this name now.
    SetAside(PathBuf),
    /// The number of tokens that a user holds was wrong.
    TokensHeld {
        /// Whose.
        user: UserName,
        /// As the user's state had it.
        before: usize,
        /// As the registry has it.
        now: usize,
    },
}

/// What was repaired, and what kept more from being repaired.
#[derive(Debug, Default)]
pub struct Repairs {
    /// In the order in which it was done.
    pub done: Vec<Repair>,
    /// Why something else could not be looked at.
    pub problems: Vec<StoreError>,
}
