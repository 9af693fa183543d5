//! The user of a login: a canonical name that is safe as a file name, and the sources of such names.
//!
//! Invariants: a [`UserName`] has no `/`, no NUL, is neither `.` nor `..` and fits a directory entry, so
//! joining it to a path cannot leave the folder it is joined to (the class of CVE-2014-2583).

mod absence;
pub mod expiry;
mod lookup;
mod name;
mod names;
mod sources;

use std::ffi::CString;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, User, getgrouplist};

use absence::NameService;

pub use absence::Doubt;
#[cfg(test)]
pub(crate) use lookup::person;
pub use lookup::{LookupError, Person, Uid};
pub use name::{UserName, UserNameError};

/// Knows which users exist and how their names are spelled.
pub trait UserDatabase {
    /// The user called `typed`, with name and id from one and the same entry, or `None` when there is no such user.
    ///
    /// `ALICE` may be `alice` under SSSD and Active Directory: without this step she would count as not enrolled.
    fn person(&self, typed: &str) -> Result<Option<Person>, LookupError>;

    /// The canonical name of the user called `typed`, or `None` when there is no such user.
    fn canonical(&self, typed: &str) -> Result<Option<UserName>, LookupError> {
        Ok(self.person(typed)?.map(|person| person.name))
    }

    /// The numbers of all groups a user is in.
    fn gids(&self, user: &UserName) -> Result<Vec<u32>, LookupError>;

    /// The work of [`UserDatabase::gids`] for an unknown name: how long it takes must not tell who exists.
    fn pretend_gids(&self, nobody: &UserName);

    /// The number of a group, or `None` when there is no such group.
    fn gid(&self, group: &str) -> Result<Option<u32>, LookupError>;

    /// Proves that there is no user called `typed`, of whom `canonical` said so.
    fn has_no_user(&self, typed: &str) -> Result<(), Doubt>;

    /// Proves that there is no group called `group`, of which `gid` said so.
    fn has_no_group(&self, group: &str) -> Result<(), Doubt>;

    /// Proves that `user` is in no group but those with the numbers `gids`, which are what `gids` said.
    fn has_no_more_groups(&self, user: &UserName, gids: &[u32]) -> Result<(), Doubt>;
}

/// The host's user database, through getpwnam.
#[derive(Debug, Clone, Copy)]
pub struct SystemUsers;

impl UserDatabase for SystemUsers {
    fn person(&self, typed: &str) -> Result<Option<Person>, LookupError> {
        if UserName::new(typed).is_err() {
            return Ok(None);
        }
        match User::from_name(typed) {
            Ok(Some(user)) => {
                let name =
                    UserName::new(&user.name).map_err(|error| LookupError(format!("{error} (from getpwnam)")))?;
                Ok(Some(Person { name, uid: Uid(user.uid.as_raw()) }))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn gids(&self, user: &UserName) -> Result<Vec<u32>, LookupError> {
        let name = CString::new(user.as_str()).map_err(|_| LookupError("a NUL in a user name".to_owned()))?;
        // The primary group is not in the group database.
        let Some(entry) = User::from_name(user.as_str()).map_err(failed)? else {
            return Err(LookupError(format!("user {user} has vanished")));
        };
        // glibc gives the groups it has found when a source fails, and says so in errno alone.
        Errno::clear();
        let groups = getgrouplist(&name, entry.gid).map_err(failed)?;
        match Errno::last() {
            // Nothing went wrong, no source knows the user, or the list grew.
            Errno::UnknownErrno | Errno::ENOENT | Errno::ESRCH | Errno::ERANGE => {}
            errno => return Err(failed(errno)),
        }
        Ok(groups.into_iter().map(Gid::as_raw).collect())
    }

    fn pretend_gids(&self, nobody: &UserName) {
        let Ok(name) = CString::new(nobody.as_str()) else { return };
        let _ = User::from_name(nobody.as_str());
        let _ = getgrouplist(&name, NO_GROUP);
    }

    fn gid(&self, group: &str) -> Result<Option<u32>, LookupError> {
        Ok(Group::from_name(group).map_err(failed)?.map(|group| group.gid.as_raw()))
    }

    fn has_no_user(&self, typed: &str) -> Result<(), Doubt> {
        // Of a name that no user can have, no source was asked.
        if UserName::new(typed).is_err() { Ok(()) } else { NameService::of_host().has_no_user(typed) }
    }

    fn has_no_group(&self, group: &str) -> Result<(), Doubt> {
        NameService::of_host().has_no_group(group)
    }

    fn has_no_more_groups(&self, user: &UserName, gids: &[u32]) -> Result<(), Doubt> {
        NameService::of_host().has_no_more_groups(user.as_str(), gids)
    }
}

impl SystemUsers {
    /// The other names of a user's uid: those of /etc/passwd, and of names that other sources alone have those that one of
    /// `groups`, or a group of /etc/group, lists as members.
    pub fn other_names(self, person: &Person, groups: &[String]) -> Result<Vec<UserName>, Doubt> {
        let service = NameService::of_host();
        names::other_names(&service, person, || {
            let mut names = self.those_of(person, &service.foreign_members()?)?;
            for group in groups {
                names.extend(self.names_in(group, person)?);
            }
            Ok(names)
        })
    }

    /// The names of the user's uid that a group lists.
    fn names_in(self, group: &str, person: &Person) -> Result<Vec<UserName>, LookupError> {
        let Some(found) = Group::from_name(group).map_err(failed)? else { return Ok(Vec::new()) };
        if found.mem.len() > names::MOST_MEMBERS {
            let most = names::MOST_MEMBERS;
            return Err(LookupError(format!("group {group} lists more than {most} members, too many to look up")));
        }
        self.those_of(person, &found.mem)
    }

    /// Those of these names that have the user's uid.
    fn those_of(self, person: &Person, names: &[String]) -> Result<Vec<UserName>, LookupError> {
        let looked_up = names.iter().map(|name| self.person(name));
        looked_up
            .filter_map(|found| found.map(|found| found.filter(|one| one.uid == person.uid)).transpose())
            .map(|found| Ok(found?.name))
            .collect()
    }
}

/// The primary group of `nobody`: that of the overflow user, so that no group of this number is found.
const NO_GROUP: Gid = Gid::from_raw(65534);

fn failed(errno: Errno) -> LookupError {
    LookupError(errno.desc().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_a_path_is_refused() {
        for name in ["", ".", "..", "../root", "a/b", "/etc", "-rf", "a\nb", "a\0b", &"x".repeat(256)] {
            assert!(UserName::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn names_as_directories_spell_them_are_accepted() {
        for name in ["alice", "DOMAIN\\alice", "alice@example.org", "müller", "svc.web", "build$"] {
            assert_eq!(UserName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn groups_are_known_by_number() {
        let root = UserName::new("root").unwrap();
        let gid = SystemUsers.gid("root").unwrap().unwrap();
        assert!(SystemUsers.gids(&root).unwrap().contains(&gid));
        assert_eq!(SystemUsers.gid("no-such-group-here").unwrap(), None);
    }

    #[test]
    fn root_is_known_and_nobody_is_made_up() {
        assert_eq!(SystemUsers.canonical("root").unwrap(), Some(UserName::new("root").unwrap()));
        assert_eq!(SystemUsers.person("root").unwrap().unwrap().uid, Uid(0));
        assert_eq!(SystemUsers.canonical("no-such-user-here").unwrap(), None);
        assert_eq!(SystemUsers.canonical("../etc/passwd").unwrap(), None);
    }
}
