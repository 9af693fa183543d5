//! Tells if an account is closed: expired, or with a password that expired so long ago that it can no longer be changed.
//!
//! Judged as Linux-PAM does (`check_shadow_expiry` of modules/pam_unix/passverify.c) by the entry of /etc/shadow. A login program
//! that SELinux confines may not read that file, and a source other than `files` may hold the entry: pam_unix's helper
//! (`unix_chkpwd`) answers then, which may look everywhere. The module runs it; what its answer means is said here.
//!
//! Invariants: what cannot be found out is an error and never an open account; the absence of an entry says nothing. Password
//! hashes that are read on the way go to no other place.

use std::fmt;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::host::clock::UnixTime;
use crate::host::trusted;

use super::absence::{self, Doubt, NameService};
use super::lookup::LookupError;
use super::name::UserName;
use super::sources::Database;

/// The reason for which the helper's answer is not known: the kernel does not tell how the children of such a process end.
pub const END_UNKNOWN: &str = "how it ended is not known, because the application ignores SIGCHLD";

/// Why an account is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// The day on which it ends has come.
    Account,
    /// Its password expired, and the time to change it is over.
    Password,
}

impl fmt::Display for Expired {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Account => "the account has expired",
            Self::Password => "the password has expired and can no longer be changed",
        })
    }
}

/// The days of a shadow entry (shadow(5)). Days are counted from 1970-01-01; a negative number means that nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aging {
    /// The day of the last change; 0 when the password has to be changed at the next login.
    changed: i64,
    /// The days after that until the password expires.
    most: i64,
    /// The days after that in which it can still be changed.
    inactive: i64,
    /// The day from which on the account is closed.
    expires: i64,
}

impl Aging {
    /// The days in the fields of a line, from its name on. `None` where glibc would pass over the line.
    pub fn of_fields(fields: &[&str]) -> Option<Self> {
        let days = |at: usize| match fields.get(at).map(|field| field.trim_ascii()) {
            None | Some("") => Some(-1),
            Some(number) => number.parse::<i64>().ok(),
        };
        let (Some(_name), Some(_hash)) = (fields.first(), fields.get(1)) else { return None };
        Some(Self { changed: days(2)?, most: days(4)?, inactive: days(6)?, expires: days(7)? })
    }

    /// Why the account is closed at a moment. A password that has to be changed closes nothing, and no day of the future does.
    ///
    /// On the last day of the inactive period Linux-PAM before 1.6 still lets the password be changed; since then, and in the
    /// shadow suite, the account is closed. The strict reading holds here.
    pub fn expired(&self, now: UnixTime) -> Option<Expired> {
        let today = i64::try_from(now.seconds() / Duration::from_hours(24).as_secs()).ok()?;
        if self.expires >= 0 && today >= self.expires {
            return Some(Expired::Account);
        }
        let is_aging = self.changed > 0 && self.changed <= today && self.most >= 0 && self.inactive >= 0;
        let is_over = today.saturating_sub(self.changed) >= self.most.saturating_add(self.inactive);
        (is_aging && is_over).then_some(Expired::Password)
    }
}

/// The state of an account as known without the helper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownExpiry {
    /// Why it is closed, or that nothing says so.
    All(Option<Expired>),
    /// Nothing, but the helper may know.
    AskHelper(File),
}

/// The result of reading /etc/shadow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// It was read to its end, or is not there.
    HasNoEntry,
    /// This process may not read it.
    Unread,
}

/// The helper's answer about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Why it is closed, or that nothing says so.
    All(Option<Expired>),
    /// It has not found an entry: there is none, or it may not read the file either.
    NoEntry,
}

/// The host's entries, as far as this process may read them.
#[derive(Debug)]
pub struct Shadow(NameService);

impl Shadow {
    /// Those of the host.
    pub fn of_host() -> Self {
        Self(NameService::of_host())
    }

    /// Tells if the account of a user is closed at a moment.
    pub fn known(&self, user: &UserName, now: UnixTime) -> Result<KnownExpiry, LookupError> {
        let path = self.0.folder.join("shadow");
        match entry(&path, user) {
            Ok(Entry::Found(aging)) => Ok(KnownExpiry::All(aging.expired(now))),
            Ok(Entry::Unintelligible(line)) => {
                let path = path.display();
                Err(LookupError(format!("{path}: line {line} about {user} cannot be understood")))
            }
            Ok(Entry::None) => match self.0.proves_absence(Database::Shadow) {
                Ok(()) => Ok(KnownExpiry::All(None)),
                Err(Doubt::Unproven { .. }) => Ok(KnownExpiry::AskHelper(File::HasNoEntry)),
                Err(Doubt::Failed(error)) => Err(error),
            },
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(KnownExpiry::AskHelper(File::Unread)),
            Err(error) => Err(LookupError(format!("{}: {}", path.display(), trusted::describe(&error)))),
        }
    }

    /// A user of /etc/passwd who has an entry, as the `x` there says: a helper that finds none of this one may not look. Not
    /// root and `nobody`, whom systemd makes up where the file cannot be read.
    pub fn witness(&self) -> Result<UserName, LookupError> {
        let path = self.0.folder.join("passwd");
        let about = |problem: &str| LookupError(format!("{}: {problem}", path.display()));
        let failed = |error: io::Error| about(&trusted::describe(&error));
        let file = BufReader::with_capacity(32 * 1024, absence::open(&path).map_err(failed)?);
        for line in file.split(b'\n') {
            let line = line.map_err(failed)?;
            let mut fields = line.split(|byte| *byte == b':');
            let (name, password) = (fields.next().unwrap_or_default(), fields.next());
            let name = std::str::from_utf8(name).ok().filter(|name| !["root", "nobody"].contains(name));
            if let Some(user) = name.and_then(|name| UserName::new(name).ok()).filter(|_| password == Some(b"x")) {
                return Ok(user);
            }
        }
        Err(about("no user there has a shadow entry"))
    }
}

/// The meaning of the exit status of `unix_chkpwd USER chkexpiry`, a return code of pam(3). `None` where it says nothing:
/// also where the helper does not know a user whom this process knows.
pub fn said_by_helper(status: i32) -> Option<Said> {
    const SUCCESS: i32 = 0;
    const AUTHINFO_UNAVAIL: i32 = 9;
    const NEW_AUTHTOK_REQD: i32 = 12;
    const ACCT_EXPIRED: i32 = 13;
    const AUTHTOK_ERR: i32 = 20;
    const AUTHTOK_EXPIRED: i32 = 27;
    match status {
        // The last two: a password that is too young to be changed, and one that has to be.
        SUCCESS | AUTHTOK_ERR | NEW_AUTHTOK_REQD => Some(Said::All(None)),
        ACCT_EXPIRED => Some(Said::All(Some(Expired::Account))),
        AUTHTOK_EXPIRED => Some(Said::All(Some(Expired::Password))),
        AUTHINFO_UNAVAIL => Some(Said::NoEntry),
        _ => None,
    }
}

/// The entry of a user in the file.
enum Entry {
    Found(Aging),
    /// The line of that number is about the user, and its days are none.
    Unintelligible(usize),
    None,
}

/// The first line about a user counts, as glibc has it. A host without the file has no entries.
fn entry(path: &Path, user: &UserName) -> io::Result<Entry> {
    let file = match absence::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Entry::None),
        opened => opened?,
    };
    let mut reader = BufReader::with_capacity(32 * 1024, file);
    let (mut line, mut number) = (Zeroizing::new(Vec::new()), 0_usize);
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(Entry::None);
        }
        number = number.saturating_add(1);
        let text = line.trim_ascii();
        let name = text.split(|byte| *byte == b':').next().unwrap_or_default();
        if name == user.as_str().as_bytes() {
            let aging = std::str::from_utf8(text).ok().map(|text| text.split(':').collect::<Vec<_>>());
            let aging = aging.and_then(|fields| Aging::of_fields(&fields));
            return Ok(aging.map_or(Entry::Unintelligible(number), Entry::Found));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A day in October 2024.
    const TODAY: u64 = 20_000;

    fn now() -> UnixTime {
        UnixTime::from_seconds(TODAY * 86_400 + 5)
    }

    fn of(line: &str) -> Option<Expired> {
        Aging::of_fields(&line.split(':').collect::<Vec<_>>()).unwrap().expired(now())
    }

    #[test]
    fn accounts_and_passwords_expire_as_pam_unix_judges() {
        for (line, expired) in [
            ("alice:$6$x:19000:0:99999:7:::", None),
            ("alice:$6$x:19000:0:99999:7::20001:", None),
            ("alice:$6$x:19000:0:99999:7::20000:", Some(Expired::Account)),
            ("alice:$6$x:19000:0:99999:7::1:", Some(Expired::Account)),
            ("alice:$6$x:19000:0:99999:7::0:", Some(Expired::Account)),
            ("alice:$6$x:19000:0:99999:7::-1:", None),
            ("alice:$6$x:19901:0:90:7:10::", None),
            ("alice:$6$x:19900:0:90:7:10::", Some(Expired::Password)),
            ("alice:$6$x:19000:0:90:7:0::", Some(Expired::Password)),
            ("alice:$6$x:19000:0:90:7:::", None),
            ("alice:$6$x:19000:0:90:7:-1::", None),
            ("alice:$6$x:19000::::0::", None),
            ("alice:$6$x:0:0:90:7:0::", None),
            ("alice:$6$x:0:0:90:7:0:1:", Some(Expired::Account)),
            ("alice:$6$x::0:90:7:0::", None),
            ("alice:$6$x:20001:0:0:7:0::", None),
            ("alice:$6$x:19000:0:9223372036854775807:7:9223372036854775807::", None),
            ("alice:$6$x:19000:0:90", None),
        ] {
            assert_eq!(of(line), expired, "{line}");
        }
    }

    /// A host with these files.
    fn shadow(files: &[(&str, &str)]) -> (tempfile::TempDir, Shadow) {
        let place = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(place.path().join(name), content).unwrap();
        }
        let names = NameService { folder: place.path().to_owned(), vendor: place.path().join("usr") };
        (place, Shadow(names))
    }

    fn bob() -> UserName {
        UserName::new("bob").unwrap()
    }

    const SHADOW: &str =
        "root:*:19000:0:99999:7:::\nbobby:x:1:::::1:\nbob:$6$x:19000:0:99999:7::19999:\nbob:!:::::::\n";

    #[test]
    fn the_entry_of_the_file_counts_and_its_absence_says_nothing() {
        let (_place, of_bob) = shadow(&[("shadow", SHADOW), ("nsswitch.conf", "shadow: files systemd\n")]);
        assert_eq!(of_bob.known(&bob(), now()).unwrap(), KnownExpiry::All(Some(Expired::Account)));
        for files in [
            &[("shadow", "root:*:19000:0:99999:7:::\n"), ("nsswitch.conf", "shadow: files\n")][..],
            &[("shadow", "bobby:x:1:::::1:\n")],
            &[],
        ] {
            let (_place, without) = shadow(files);
            assert_eq!(without.known(&bob(), now()).unwrap(), KnownExpiry::All(None));
        }
    }

    #[test]
    fn what_cannot_be_understood_or_read_is_no_open_account() {
        let (place, damaged) = shadow(&[("shadow", "bob:$6$x:soon:0:99999:7:::\n")]);
        let error = damaged.known(&bob(), now()).unwrap_err();
        assert!(error.0.contains("line 1 about bob") && !error.0.contains("$6$"), "{error}");
        fs::remove_file(place.path().join("shadow")).unwrap();
        fs::create_dir(place.path().join("shadow")).unwrap();
        assert!(damaged.known(&bob(), now()).is_err());
        let (_place, unknown) = shadow(&[("shadow", ""), ("nsswitch.conf", "shadow: files sss\n")]);
        assert_eq!(
            unknown.known(&bob(), now()).unwrap(),
            KnownExpiry::AskHelper(File::HasNoEntry),
            "another source may have one"
        );
    }

    #[test]
    fn a_witness_has_an_entry_of_the_file() {
        let passwd = "root:x:0:0::/:\nold:$6$x:1:1::/:\n\nnobody:x:65534:65534::/:\ndaemon:x:1:1::/:\nbin:x:2:2::/:\n";
        let (_place, of_host) = shadow(&[("passwd", passwd)]);
        assert_eq!(of_host.witness().unwrap().as_str(), "daemon");
        assert!(shadow(&[("passwd", "root:x:0:0::/:\n")]).1.witness().is_err());
        assert!(shadow(&[]).1.witness().is_err());
    }

    #[test]
    fn the_helper_says_what_pam_unix_would_return() {
        for (status, said) in [
            (0, Some(Said::All(None))),
            (9, Some(Said::NoEntry)),
            (12, Some(Said::All(None))),
            (20, Some(Said::All(None))),
            (13, Some(Said::All(Some(Expired::Account)))),
            (27, Some(Said::All(Some(Expired::Password)))),
            (4, None),
            (10, None),
            (99, None),
        ] {
            assert_eq!(said_by_helper(status), said, "{status}");
        }
    }
}
