//! Proofs that a user, a group or a membership does not exist.
//!
//! glibc's "not found" is the answer of the last source of nsswitch.conf, whatever became of those before it: with `files
//! systemd` a user is reported as absent whose `/etc/passwd` could not be opened. Therefore absence is proved here a second time,
//! by nsswitch.conf and by the file itself, read to its end. A source other than `files` and `systemd` proves nothing: several
//! report "not found" while their server is down.
//!
//! Invariants: what cannot be read is never taken for empty, and no entry is made up from what is read here.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use thiserror::Error;

use crate::host::trusted;

use super::lookup::LookupError;
use super::sources::{self, Database};

/// Why a "not found" is no proof of absence.
#[derive(Debug, Clone, Error)]
pub enum Doubt {
    /// A look-up failed.
    #[error("{0}")]
    Failed(#[from] LookupError),
    /// The sources that nsswitch.conf names for this database cannot prove absence.
    #[error("{file} has {sources} for {database}, and \"not found\" there proves nothing")]
    Unproven {
        /// The file that names them.
        file: String,
        /// Those that cannot.
        sources: String,
        /// `passwd`, `group` or `shadow`.
        database: &'static str,
    },
}

/// The files that say where users and groups come from, and those that hold them.
#[derive(Debug)]
pub(super) struct NameService {
    pub(super) folder: PathBuf,
    /// Read where the folder has no nsswitch.conf, as SUSE's glibc does.
    pub(super) vendor: PathBuf,
}

impl NameService {
    /// The host's.
    pub(super) fn of_host() -> Self {
        Self { folder: PathBuf::from("/etc"), vendor: PathBuf::from("/usr/etc") }
    }

    /// Proves that no user is called `name`.
    pub(super) fn has_no_user(&self, name: &str) -> Result<(), Doubt> {
        self.has_no_entry("passwd", name)?;
        self.proves_absence(Database::Passwd)
    }

    /// Proves that no group is called `name`.
    pub(super) fn has_no_group(&self, name: &str) -> Result<(), Doubt> {
        self.has_no_entry("group", name)?;
        self.proves_absence(Database::Group)
    }

    /// Proves that `user` is in no group but those with these numbers.
    pub(super) fn has_no_more_groups(&self, user: &str, gids: &[u32]) -> Result<(), Doubt> {
        self.read_lines("group", |number, line| {
            let mut fields = line.split(|byte| *byte == b':').skip(2);
            let (gid, members) = (fields.next(), fields.next());
            let lists = members.is_some_and(|members| members.split(|byte| *byte == b',').any(|one| is(one, user)));
            if lists && !gid.and_then(gid_of).is_some_and(|gid| gids.contains(&gid)) {
                return Err(format!("line {number} lists {user}, whom the name service does not report as a member"));
            }
            Ok(())
        })?;
        self.proves_absence(Database::Memberships)
    }

    /// glibc passes over lines that it does not understand. A name on such a line is not absent for certain.
    fn has_no_entry(&self, file: &str, name: &str) -> Result<(), LookupError> {
        self.read_lines(file, |number, line| {
            let entry = line.split(|byte| *byte == b':').next().unwrap_or_default();
            if is(entry, name) {
                return Err(format!("line {number} has {name}, which the name service does not report"));
            }
            Ok(())
        })
    }

    /// Calls `examine` with each line and its number. An error is a failed look-up, as is a file that cannot be read to its end.
    pub(super) fn read_lines(
        &self,
        file: &str,
        mut examine: impl FnMut(usize, &[u8]) -> Result<(), String>,
    ) -> Result<(), LookupError> {
        let path = self.folder.join(file);
        let about = |problem: &str| LookupError(format!("{}: {problem}", path.display()));
        let failed = |error: io::Error| about(&trusted::describe(&error));
        let opened = open(&path).map_err(failed)?;
        let mut reader = BufReader::with_capacity(32 * 1024, opened);
        let (mut line, mut number) = (Vec::new(), 0_usize);
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line).map_err(failed)? == 0 {
                return Ok(());
            }
            number = number.saturating_add(1);
            examine(number, &line).map_err(|problem| about(&problem))?;
        }
    }

    /// Makes sure that all sources of `database` can prove absence, as far as nsswitch.conf says.
    pub(super) fn proves_absence(&self, database: Database) -> Result<(), Doubt> {
        for path in [self.folder.join("nsswitch.conf"), self.vendor.join("nsswitch.conf")] {
            let text = match read(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    let problem = trusted::describe(&error);
                    return Err(LookupError(format!("{}: {problem}", path.display())).into());
                }
            };
            let unable = sources::unable_to_prove_absence(&String::from_utf8_lossy(&text), database);
            if unable.is_empty() {
                return Ok(());
            }
            let (file, sources) = (path.display().to_string(), unable.join(", "));
            return Err(Doubt::Unproven { file, sources, database: database.name() });
        }
        // Without nsswitch.conf glibc reads the files.
        Ok(())
    }
}

/// Opens a plain file, behind links: distributions link some of these.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a plain file")) }
}

/// Reads nsswitch.conf, which is small.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    const LIMIT: usize = 1024 * 1024;
    let mut text = Vec::new();
    open(path)?.take(LIMIT as u64).read_to_end(&mut text)?;
    if text.len() < LIMIT { Ok(text) } else { Err(io::Error::other("it is too large")) }
}

/// True when a field is `name`, but for blanks around it.
fn is(field: &[u8], name: &str) -> bool {
    field.trim_ascii() == name.as_bytes()
}

fn gid_of(field: &[u8]) -> Option<u32> {
    std::str::from_utf8(field.trim_ascii()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A name service whose files are these; one without content is not there.
    fn with(files: &[(&str, &str)]) -> (tempfile::TempDir, NameService) {
        let place = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(place.path().join(name), content).unwrap();
        }
        let service = NameService { folder: place.path().to_owned(), vendor: place.path().join("usr") };
        (place, service)
    }

    const PASSWD: (&str, &str) = ("passwd", "root:x:0:0::/root:/bin/sh\n\n# bob:x:1:1\nalice:x:1000:1000::/:/bin/sh");
    const GROUP: (&str, &str) =
        ("group", "root:x:0:\ngarbage\nops:x:7:alice,carol\nwheel:x:10:carol, dave\nbad:x:y:erin");
    const FILES: (&str, &str) = ("nsswitch.conf", "passwd: files systemd\ngroup: files systemd\n");

    #[test]
    fn who_is_in_no_line_of_a_file_that_was_read_to_its_end_is_absent() {
        for nsswitch in [Some(FILES), None] {
            let files: Vec<_> = [PASSWD, GROUP].into_iter().chain(nsswitch).collect();
            let (_place, service) = with(&files);
            assert!(service.has_no_user("bob").is_ok() && service.has_no_group("admins").is_ok());
            assert!(service.has_no_more_groups("alice", &[1000, 7]).is_ok());
            assert!(
                service.has_no_more_groups("bob", &[]).is_ok(),
                "a damaged line that is not about him is passed over"
            );
        }
    }

    #[test]
    fn what_the_file_has_and_the_name_service_did_not_report_is_a_failed_look_up() {
        let (_place, service) = with(&[PASSWD, GROUP, FILES]);
        assert!(matches!(service.has_no_user("alice"), Err(Doubt::Failed(_))));
        assert!(matches!(service.has_no_group("wheel"), Err(Doubt::Failed(_))));
        for (user, gids) in [("alice", &[1000][..]), ("dave", &[]), ("erin", &[5])] {
            let doubt = service.has_no_more_groups(user, gids).unwrap_err();
            assert!(matches!(&doubt, Doubt::Failed(error) if error.0.contains(user)), "{doubt}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_proves_nothing() {
        for (files, missing) in [([PASSWD, FILES], "group"), ([GROUP, FILES], "passwd")] {
            let (place, service) = with(&files);
            let doubts = |service: &NameService| {
                let (user, group) = (service.has_no_user("bob"), service.has_no_group("admins"));
                let doubtful = if missing == "group" { group } else { user };
                assert!(matches!(doubtful, Err(Doubt::Failed(_))), "{doubtful:?}");
            };
            doubts(&service);
            let path = place.path().join(missing);
            fs::create_dir(&path).unwrap();
            doubts(&service);
            fs::remove_dir(&path).unwrap();
            nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
            doubts(&service);
        }
    }

    #[test]
    fn other_sources_prove_nothing_and_are_named() {
        let (place, service) = with(&[PASSWD, GROUP, ("nsswitch.conf", "passwd: files sss\ngroup: sss files\n")]);
        let doubt = service.has_no_user("bob").unwrap_err().to_string();
        assert!(doubt.contains("nsswitch.conf has sss for passwd"), "{doubt}");
        assert!(matches!(service.has_no_more_groups("bob", &[]), Err(Doubt::Unproven { database: "group", .. })));
        fs::remove_file(place.path().join("nsswitch.conf")).unwrap();
        fs::create_dir(place.path().join("nsswitch.conf")).unwrap();
        assert!(matches!(service.has_no_user("bob"), Err(Doubt::Failed(_))), "which sources there are is not known");
        fs::remove_dir(place.path().join("nsswitch.conf")).unwrap();
        fs::create_dir(place.path().join("usr")).unwrap();
        fs::write(place.path().join("usr/nsswitch.conf"), "group: files winbind\n").unwrap();
        assert!(service.has_no_group("admins").is_err() && service.has_no_user("bob").is_ok());
    }
}
