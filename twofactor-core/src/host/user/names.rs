//! Further names of a user: several entries of the user database may share one uid, and each of them has the rights of all.
//!
//! Invariants: /etc/passwd is read to its end, and what cannot be read is never taken for "no other name". Sources other than the
//! files list no users (SSSD and winbind do not by default), so of names that they alone have those are found that a group lists: one
//! of those in question, wherever it comes from, or any of /etc/group. A name's primary group lists no members; it is judged when the
//! name is found. The number of look-ups is bounded; beyond it the answer is a doubt.

use std::collections::BTreeSet;

use super::absence::{Doubt, NameService};
use super::lookup::{LookupError, Person};
use super::name::UserName;
use super::sources::Database;

/// Most names of one uid.
const MOST_NAMES: usize = 32;

/// Most members of a group, or of all groups of /etc/group together, that are looked up by name.
pub(super) const MOST_MEMBERS: usize = 1000;

/// The other names of a user's uid: those of /etc/passwd, and where sources may have more, those that `listed` finds.
pub(super) fn other_names(
    service: &NameService,
    person: &Person,
    listed: impl FnOnce() -> Result<Vec<UserName>, LookupError>,
) -> Result<Vec<UserName>, Doubt> {
    let mut names = service.names_of(person.uid.0)?;
    match service.proves_absence(Database::Passwd) {
        Ok(()) => {}
        Err(Doubt::Unproven { .. }) => names.extend(listed()?),
        Err(doubt @ Doubt::Failed(_)) => return Err(doubt),
    }
    names.sort_unstable();
    names.dedup();
    names.retain(|name| *name != person.name);
    if names.len() > MOST_NAMES {
        return Err(LookupError(format!("uid {} has more than {MOST_NAMES} names", person.uid)).into());
    }
    Ok(names)
}

impl NameService {
    /// The names of a uid in /etc/passwd. glibc passes over lines that it does not understand.
    fn names_of(&self, uid: u32) -> Result<Vec<UserName>, LookupError> {
        let mut names = Vec::new();
        self.read_lines("passwd", |number, line| {
            let line = line.trim_ascii_start();
            // Comments, and what NIS wants to add or leave out.
            if line.starts_with(b"#") || line.starts_with(b"+") || line.starts_with(b"-") {
                return Ok(());
            }
            let mut fields = line.split(|byte| *byte == b':');
            let (name, of) = (fields.next().unwrap_or_default(), fields.nth(1));
            let of = of.and_then(|of| std::str::from_utf8(of.trim_ascii()).ok()?.parse::<u32>().ok());
            if of == Some(uid) && names.len() <= MOST_NAMES {
                let name = std::str::from_utf8(name.trim_ascii()).ok().and_then(|name| UserName::new(name).ok());
                names.push(name.ok_or_else(|| format!("line {number} has uid {uid}, and no user name"))?);
            }
            Ok(())
        })?;
        Ok(names)
    }

    /// The names that groups of /etc/group list as members and /etc/passwd does not have.
    pub(super) fn foreign_members(&self) -> Result<Vec<String>, LookupError> {
        let mut members = BTreeSet::new();
        self.read_lines("group", |number, line| {
            let listed = line.split(|byte| *byte == b':').nth(3).unwrap_or_default();
            for member in listed.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty()) {
                let name = std::str::from_utf8(member);
                members
                    .insert(name.map_err(|_| format!("line {number} has a member whose name is no text"))?.to_owned());
            }
            Ok(())
        })?;
        self.read_lines("passwd", |_, line| {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
            if let Ok(name) = std::str::from_utf8(name) {
                members.remove(name);
            }
            Ok(())
        })?;
        if members.len() > MOST_MEMBERS {
            let found = members.len();
            return Err(LookupError(format!("/etc/group lists {found} names of a directory, too many to look up")));
        }
        Ok(members.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::host::user::lookup::Uid;

    fn service(passwd: &str) -> (tempfile::TempDir, NameService) {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("passwd"), passwd).unwrap();
        let service = NameService { folder: place.path().to_owned(), vendor: place.path().join("usr") };
        (place, service)
    }

    #[test]
    fn every_line_of_a_uid_counts_wherever_it_stands() {
        let passwd = "root:x:0:0::/root:/bin/sh\nalice:x:1001:1001::/:/bin/sh\n\nbob:x:1002:1002::/:/bin/sh\n# carol:x:1001\n\
                      alice-adm:x: 01001:27::/:/bin/sh\ngarbage\nnis:x:y:1::/:\n+dave::1001\n";
        let (_place, service) = service(passwd);
        let names = |uid| service.names_of(uid).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(1001), ["alice", "alice-adm"]);
        assert_eq!((names(1002), names(0), names(7)), (vec!["bob".to_owned()], vec!["root".to_owned()], Vec::new()));
    }

    #[test]
    fn names_that_are_listed_elsewhere_count_where_the_file_may_not_have_all() {
        let (place, service) = service("alice:x:1001:1001::/:/bin/sh\nalice-adm:x:1001:27::/:/bin/sh\n");
        let alice = Person { name: UserName::new("alice").unwrap(), uid: Uid(1001) };
        let names = |listed: Result<Vec<&str>, LookupError>| {
            let listed = || Ok(listed?.into_iter().map(|name| UserName::new(name).unwrap()).collect());
            let names = other_names(&service, &alice, listed)?;
            Ok::<_, Doubt>(names.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let failing = || Err(LookupError("server down".to_owned()));
        assert_eq!(names(failing()).unwrap(), ["alice-adm"], "nothing is looked up");
        fs::write(place.path().join("nsswitch.conf"), "passwd: files sss\n").unwrap();
        assert_eq!(names(Ok(vec!["alice", "alice-root", "alice-adm"])).unwrap(), ["alice-adm", "alice-root"]);
        assert!(matches!(names(failing()), Err(Doubt::Failed(_))));
        fs::remove_file(place.path().join("nsswitch.conf")).unwrap();
        let many: Vec<String> = (0..33).map(|number| format!("n{number}:x:1001:1::/:/bin/sh")).collect();
        fs::write(place.path().join("passwd"), many.join("\n")).unwrap();
        assert!(matches!(names(Ok(Vec::new())), Err(Doubt::Failed(_))), "too many to look at");
    }

    #[test]
    fn members_whom_the_file_of_users_does_not_have_are_those_of_a_directory() {
        let (place, service) = service("root:x:0:0::/:/bin/sh\nalice:x:1001:1001::/:/bin/sh\n");
        let with_groups = |groups: &str| fs::write(place.path().join("group"), groups).unwrap();
        with_groups("root:x:0:\nsudo:x:27:alice, alice-adm\ngarbage\nusers:x:100:,dora,alice-adm,\n");
        assert_eq!(service.foreign_members().unwrap(), ["alice-adm", "dora"]);
        let many: Vec<String> = (0..=MOST_MEMBERS).map(|number| format!("n{number}")).collect();
        with_groups(&format!("users:x:100:{}\n", many.join(",")));
        assert!(service.foreign_members().unwrap_err().to_string().contains("1001 names of a directory"));
        fs::remove_file(place.path().join("group")).unwrap();
        assert!(service.foreign_members().is_err(), "what cannot be read proves nothing");
    }

    #[test]
    fn a_file_that_cannot_be_read_or_understood_is_no_proof() {
        let (place, service) = service("alice:x:1001:1001::/:/bin/sh\n../etc:x:1001:1001::/:/bin/sh\n");
        let error = service.names_of(1001).unwrap_err().to_string();
        assert!(error.contains("line 2 has uid 1001, and no user name"), "{error}");
        assert!(service.names_of(1002).unwrap().is_empty());
        fs::remove_file(place.path().join("passwd")).unwrap();
        assert!(service.names_of(1001).is_err());
    }
}
