//! A file that a user could have written or replaced, read with that user's rights.
//!
//! Invariants: no link is followed, nothing blocks, the file belongs to the user whose rights are used, others cannot write to
//! it, and it did not change meanwhile. So no user has root read a file of others.

use std::io;
use std::path::Path;

use nix::unistd::{Gid, Uid, User, getegid, geteuid, getgroups, setegid, seteuid, setgroups};
use twofactor_core::host::trusted::{Owner, read_unsteady_file};
use zeroize::Zeroizing;

use crate::error::{Failure, MovingInFailure};

/// The content of the file, read as `owner`; `None` when there is none.
pub(super) fn read(path: &Path, owner: &User, limit: usize) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let failed = |error: io::Error| Failure::InputFile { path: path.to_owned(), error };
    let rights = Rights::of(owner).map_err(failed)?;
    let content = read_unsteady_file(path, Owner(owner.uid.as_raw()), limit);
    rights.give_back().map_err(failed)?;
    Ok(content.map_err(MovingInFailure::from)?)
}

/// The rights of another user in the place of root's.
struct Rights {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Rights {
    fn of(user: &User) -> io::Result<Self> {
        let before = Self { uid: geteuid(), gid: getegid(), groups: getgroups()? };
        let taken = setgroups(&[user.gid]).and_then(|()| setegid(user.gid)).and_then(|()| seteuid(user.uid));
        match taken {
            Ok(()) => Ok(before),
            Err(errno) => {
                before.give_back()?;
                Err(errno.into())
            }
        }
    }

    fn give_back(self) -> io::Result<()> {
        seteuid(self.uid)?;
        setegid(self.gid)?;
        Ok(setgroups(&self.groups)?)
    }
}
