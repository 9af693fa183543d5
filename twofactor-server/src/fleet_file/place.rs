//! The folder of an embedded store, and its owner.
//!
//! Invariant: root changes nothing in it as root. The owner could have put a link there.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Gid, Uid, getegid, geteuid, getgroups, setegid, seteuid, setgroups};
use twofactor_core::host::clock::Clock;
use twofactor_core::host::trusted::{FileError, Folder, Owner, Protection};
use twofactor_core::store::files::Files;
use twofactor_core::store::{StoreError, VerificationRules};

use crate::error::ServerError;

/// The longest wait for a lock: of the file, or of an account.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);

/// The folder of the accounts in it.
const ACCOUNTS: &str = "accounts";

/// The folder of a store.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    path: PathBuf,
    owner: Uid,
    group: Gid,
}

impl Place {
    /// The folder at this path, which must be there and private. It is this process's user's; of root's commands, any user's.
    pub(crate) fn of(path: &Path) -> Result<Self, ServerError> {
        let missing = || ServerError::NoFolder(path.display().to_string());
        let found = match fs::symlink_metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing()),
            Err(source) => {
                return Err(unusable(FileError::Io { path: path.to_owned(), doing: "examine", source }));
            }
        };
        let own = geteuid();
        let owner = if own.is_root() { Uid::from_raw(found.uid()) } else { own };
        let place = Self { path: path.to_owned(), owner, group: Gid::from_raw(found.gid()) };
        place.opened()?.ok_or_else(missing)?;
        Ok(place)
    }

    fn opened(&self) -> Result<Option<Folder>, ServerError> {
        Folder::open(&self.path, Owner(self.owner.as_raw()), Protection::FromReading).map_err(unusable)
    }

    /// The folder, opened.
    pub(crate) fn folder(&self) -> Result<Folder, ServerError> {
        self.opened()?.ok_or_else(|| ServerError::NoFolder(self.path.display().to_string()))
    }

    /// The accounts in it, judged by these rules.
    pub(crate) fn accounts(&self, rules: VerificationRules, clock: impl Clock + 'static) -> Files {
        let files = Files::new(&self.path.join(ACCOUNTS), Owner(self.owner.as_raw()), PATIENCE, clock);
        files.judging_by(rules).with_registry()
    }

    /// Refuses where this process is another user's.
    pub(crate) fn must_be_own(&self) -> Result<(), ServerError> {
        if geteuid() == self.owner {
            return Ok(());
        }
        let problem = format!("it is {}'s", self.owner_in_words());
        Err(ServerError::NotOwner { folder: self.path.display().to_string(), problem })
    }

    /// The owner's name, else the number.
    pub(crate) fn owner_in_words(&self) -> String {
        let found = nix::unistd::User::from_uid(self.owner).ok().flatten();
        found.map_or_else(|| format!("uid {}", self.owner), |user| user.name)
    }

    /// Makes this process the owner's until the value is dropped.
    pub(crate) fn as_owner(&self) -> Result<AsOwner, ServerError> {
        let refused = |errno: nix::errno::Errno| ServerError::NotOwner {
            folder: self.path.display().to_string(),
            problem: errno.desc().to_owned(),
        };
        let before = (geteuid(), getegid());
        if before.0 == self.owner {
            return Ok(AsOwner(None));
        }
        // The owner could have put a link there to a file that root's other groups may write.
        let groups = getgroups().map_err(refused)?;
        setgroups(&[self.group]).map_err(refused)?;
        let as_owner = AsOwner(Some(Before { user: before.0, group: before.1, groups }));
        setegid(self.group).map_err(refused)?;
        seteuid(self.owner).map_err(refused)?;
        Ok(as_owner)
    }
}

/// While it is there, this process acts as the owner of a folder. The user before may come back: the real user is the same.
#[derive(Debug)]
#[must_use]
pub(crate) struct AsOwner(Option<Before>);

/// The user and groups before.
#[derive(Debug)]
struct Before {
    user: Uid,
    group: Gid,
    groups: Vec<Gid>,
}

impl Drop for AsOwner {
    fn drop(&mut self) {
        if let Some(Before { user, group, groups }) = &self.0
            && seteuid(*user).and_then(|()| setegid(*group)).and_then(|()| setgroups(groups)).is_err()
        {
            // As another user than it believes to be, it must do nothing more.
            std::process::abort();
        }
    }
}

/// The error about a file of ours.
pub(crate) fn unusable(error: FileError) -> ServerError {
    ServerError::Store(StoreError::from(error))
}
