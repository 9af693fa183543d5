//! The types that describe the state as a whole.

use std::fmt;
use std::path::PathBuf;

use crate::account::lifecycle::TokenStatus;
use crate::codes::secret;
use crate::codes::token::Serial;
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

/// The outcome of writing the marker.
#[derive(Debug)]
pub enum Marking {
    /// It names the state.
    Done,
    /// The store is empty, so there is nothing to mark.
    NothingToMark,
    /// The state has its identity, and the marker could not be written: /etc is read-only, for instance.
    Unmarked(FileError),
}

/// The state and its marker as found, for `twofactor state adopt` and `doctor`.
#[derive(Debug)]
pub struct Sighting {
    /// The identity in the marker.
    pub marker: Result<Option<Identity>, StoreError>,
    /// The identity in the state; `None` without a state folder or without an identity in it.
    pub copy: Result<Option<Identity>, StoreError>,
    /// The relation of the users folder to the state; `None` when it is absent.
    pub users: Result<Option<Naming>, StoreError>,
    /// The state folder exists.
    pub has_folder: bool,
    /// The state holds an account or a registry.
    pub is_used: bool,
    /// The state holds an account.
    pub has_accounts: bool,
}

impl Sighting {
    /// True when logins use this state: marker, state and users folder fit each other.
    pub fn is_ours(&self) -> bool {
        match (&self.marker, &self.copy) {
            (Ok(None), Ok(copy)) => self.fits(copy.as_ref()),
            (Ok(Some(marker)), Ok(Some(copy))) => marker == copy && self.fits(Some(copy)),
            _ => false,
        }
    }

    /// Whether the users folder belongs to this state.
    fn fits(&self, copy: Option<&Identity>) -> bool {
        match &self.users {
            Ok(Some(_)) => true,
            Ok(None) => copy.is_none(),
            Err(_) => false,
        }
    }
}

/// The reason for which a users folder belongs to its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Both have the same identity.
    Named,
    /// It has accounts and no identity yet, or the state has none.
    Unnamed,
}

/// A defect of a file or folder.
#[derive(Debug)]
pub enum Defect {
    /// A login that needs it is refused.
    Unusable(StoreError),
    /// A command was interrupted here.
    LeftOver(PathBuf),
    /// It obstructed the registry and was set aside.
    SetAside(PathBuf),
    /// No file of ours has this name.
    Unknown(PathBuf),
    /// The registry and the file of a token's owner differ.
    Differs(TokenDifference),
}

/// A token of which the registry and its owner's file say different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDifference {
    /// The user whose file it is.
    pub user: UserName,
    /// The token's serial.
    pub serial: Serial,
    /// The difference.
    pub difference: Difference,
}

/// The difference between the registry and a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The registry assigns it to the user, whose file does not have it: it opens nothing.
    NotInFile,
    /// The user's file has it, and the registry says that it is in inventory, revoked, or another user's.
    NotRegistered,
    /// The user's file has it, and the registry has no such token.
    Unknown,
    /// One says that it is disabled or lost, and the other does not.
    Status {
        /// In the user's file: logins go by it.
        file: TokenStatus,
        /// In the registry.
        registry: TokenStatus,
    },
    /// The secret or the parameters of its codes.
    Codes,
}

/// The number of files inspected, and their defects.
#[derive(Debug, Default)]
pub struct Inspection {
    /// Folders of users.
    pub accounts: usize,
    /// Physical tokens; `None` when there is no registry that can be read.
    pub tokens: Option<usize>,
    /// True when there is no registry.
    pub lacks_registry: bool,
    /// The defects, in the order in which they were found.
    pub flaws: Vec<Defect>,
}

/// Something that was repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// A file that obstructed the registry was renamed to this.
    SetAside(PathBuf),
    /// A registry without tokens was made.
    RegistryMade(PathBuf),
    /// The tokens of a user were moved from an older version's registry into the user's own file.
    Migrated {
        /// The owner of the tokens.
        user: UserName,
        /// The number in the user's state.
        before: usize,
        /// The number in the registry, and in the file now.
        now: usize,
    },
    /// An assignment that was interrupted was completed.
    TokenGiven(UserName, Serial),
    /// A token was taken from the user: from the file, or in the registry, which still named the user.
    TokenTaken(UserName, Serial),
    /// The stricter status holds in both, or that of the registry where a change was interrupted that allows the token.
    TokenStatus(UserName, Serial, TokenStatus),
    /// The file has the registry's secret and parameters.
    TokenCodes(UserName, Serial),
}

/// The outcome of `migrate`.
#[derive(Debug, Default)]
pub struct Migration {
    /// The users whose tokens were moved, and how many they hold.
    pub moved: Vec<(UserName, usize)>,
    /// The errors that kept other users' tokens where they are.
    pub problems: Vec<StoreError>,
}

/// The repairs that were made, and the errors that prevented others.
#[derive(Debug, Default)]
pub struct Repairs {
    /// The repairs, in the order in which they were made.
    pub done: Vec<Repair>,
    /// The errors.
    pub problems: Vec<StoreError>,
}
