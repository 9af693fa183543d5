//! PAM's environment, as far as others than root can write to it.
//!
//! pam_env sets variables from its files, and with `user_readenv=1` from `~/.pam_environment`: every variable is then the word
//! of those who may write there. It does so in `pam_setcred`, which runs the lines of the auth phase, and in the session phase.
//! So a line of the auth phase counts wherever it stands, because a second authentication of the same transaction would find
//! the variables. One of the session phase comes after every question.
//!
//! Read as pam_env reads (Linux-PAM 1.5.2 to 1.7): of `conffile=`, `envfile=` and `readenv=` the last counts, an empty path is
//! passed over, and without a path the files of /etc count, with libeconf those of a folder beside them, too. Files that
//! versions read below /usr are the distribution's, as pam_env itself is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::line::{Line, Phase};
use super::service::{Service, ServiceError};
use crate::host::trusted::{self, FileError, Owner};

const PAM_ENV: &str = "pam_env.so";
const USER_READENV: &str = "user_readenv=";

/// A file that pam_env reads without a path, and the folder whose files libeconf reads beside it.
struct DefaultFiles {
    file: &'static str,
    folder: &'static str,
}

const CONF_FILE: DefaultFiles =
    DefaultFiles { file: "/etc/security/pam_env.conf", folder: "/etc/security/pam_env.conf.d" };
const ENV_FILE: DefaultFiles = DefaultFiles { file: "/etc/environment", folder: "/etc/environment.d" };

/// Always empty, and never root's alone.
const EMPTY: &str = "/dev/null";

/// A line that lets others than root set variables.
#[derive(Debug)]
pub struct Opening<'s> {
    /// The line.
    pub line: &'s Line,
    /// The file through which they do.
    pub by: Source,
}

/// A file from which others than root set variables.
#[derive(Debug)]
pub enum Source {
    /// Each user's own.
    UserFile,
    /// One that is not known to be root's alone.
    File(FileError),
}

/// The first line that lets others than `owner` set variables before a later authentication of the same transaction.
pub fn opening(service: &Service, owner: Owner) -> Option<Opening<'_>> {
    let of_pam_env = |line: &&Line| line.phase == Phase::Auth && line.runs(PAM_ENV);
    let opened = |line| source(line, owner).map(|by| Opening { line, by });
    service.lines.iter().filter(of_pam_env).find_map(opened)
}

fn source(line: &Line, owner: Owner) -> Option<Source> {
    if line.values(USER_READENV).any(|value| value != "0") {
        return Some(Source::UserFile);
    }
    let is_off = last(line, "readenv=") == Some("0");
    let conf = check(last(line, "conffile="), &CONF_FILE, owner);
    conf.and_then(|()| if is_off { Ok(()) } else { check(last(line, "envfile="), &ENV_FILE, owner) })
        .err()
        .map(Source::File)
}

/// The last value of an argument that has one.
fn last<'l>(line: &'l Line, key: &'l str) -> Option<&'l str> {
    line.values(key).rfind(|value| !value.is_empty())
}

fn check(given: Option<&str>, default: &DefaultFiles, owner: Owner) -> Result<(), FileError> {
    match given {
        Some(EMPTY) => Ok(()),
        // sshd works in /.
        Some(path) => check_file(&Path::new("/").join(path), owner),
        None => {
            check_file(Path::new(default.file), owner).and_then(|()| check_folder(Path::new(default.folder), owner))
        }
    }
}

fn check_file(path: &Path, owner: Owner) -> Result<(), FileError> {
    match trusted::stays_out_of_reach(path, owner)? {
        // libeconf reads files below one.
        Some(kind) if kind.is_dir() => Err(failed(path, "read", io::ErrorKind::IsADirectory.into())),
        Some(_) | None => Ok(()),
    }
}

fn check_folder(path: &Path, owner: Owner) -> Result<(), FileError> {
    if trusted::stays_out_of_reach(path, owner)?.is_none() {
        return Ok(());
    }
    let mut entries = fs::read_dir(path).map_err(|error| failed(path, "list", error))?;
    entries.try_for_each(|entry| {
        let entry: PathBuf = entry.map_err(|error| failed(path, "list", error))?.path();
        trusted::is_out_of_reach(&entry, owner)
    })
}

fn failed(path: &Path, doing: &'static str, source: io::Error) -> FileError {
    FileError::Io { path: path.to_owned(), doing, source }
}

/// The reason for which a variable of PAM's environment may be the word of others than root.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EnvironmentProblem {
    /// A line reads variables from a file of each user.
    #[error("{}:{number}: pam_env.so with user_readenv lets users set the variable", file.display())]
    OfUsers {
        /// The line's file.
        file: PathBuf,
        /// The line's number, from 1.
        number: usize,
    },
    /// A line reads variables from a file that is not known to be root's alone.
    #[error("{}:{number}: others could set the variable, in a file that pam_env.so reads: {problem}", file.display())]
    OfOthers {
        /// The line's file.
        file: PathBuf,
        /// The line's number, from 1.
        number: usize,
        /// The problem with the file that it reads, in words.
        problem: String,
    },
    /// A file of the service cannot be read, for the reason given in words.
    #[error("{0}")]
    Unreadable(String),
    /// libpam does not take the service as it is written, or not in every version, for the reason given in words.
    #[error("{0}")]
    Unclear(String),
}

impl EnvironmentProblem {
    /// The way out, for a log.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::OfUsers { .. } => "take user_readenv out; see twofactor doctor",
            Self::OfOthers { .. } => "make that file root's alone; see twofactor doctor",
            Self::Unreadable(_) => "let sshd read that file: look at its owner, its mode and SELinux",
            Self::Unclear(_) => "correct that file; see twofactor doctor",
        }
    }
}

impl From<ServiceError> for EnvironmentProblem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Unreadable { .. } => Self::Unreadable(error.to_string()),
            error => Self::Unclear(error.to_string()),
        }
    }
}

/// Makes sure that `owner` alone sets variables before a later authentication of the same transaction.
pub fn of_root(service: &Service, owner: Owner) -> Result<(), EnvironmentProblem> {
    let Some(Opening { line: Line { file, number, .. }, by }) = opening(service, owner) else { return Ok(()) };
    let (file, number) = (file.clone(), *number);
    Err(match by {
        Source::UserFile => EnvironmentProblem::OfUsers { file, number },
        Source::File(error) => EnvironmentProblem::OfOthers { file, number, problem: error.to_string() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Owner {
        Owner(nix::unistd::geteuid().as_raw())
    }

    fn found(text: &str) -> Option<usize> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("included"), "auth required pam_env.so readenv=1 user_readenv=1\n").unwrap();
        let service = Service::from_text("sshd", &folder.path().join("sshd"), text, &[folder.path()]).unwrap();
        let found = opening(&service, me())?;
        assert!(matches!(found.by, Source::UserFile), "{found:?}");
        Some(found.line.number)
    }

    #[test]
    fn a_line_of_pam_env_in_the_auth_phase_that_reads_the_users_file_is_found() {
        let unix = "auth required pam_unix.so\n";
        let ours = "auth required pam_twofactor.so\n";
        for (text, line) in [
            (format!("auth required pam_env.so user_readenv=1\n{unix}{ours}"), Some(1)),
            (format!("auth required /lib/security/pam_env.so conffile=/etc/x user_readenv=1\n{unix}{ours}"), Some(1)),
            (format!("auth required pam_env.so user_readenv=0 user_readenv=2\n{unix}{ours}"), Some(1)),
            (format!("{unix}-auth optional pam_env.so user_readenv=yes\n{ours}"), Some(2)),
            (format!("{unix}{ours}auth optional pam_env.so user_readenv=1\n"), Some(3)),
            (format!("auth include included\n{unix}{ours}"), Some(1)),
            (format!("auth substack included\n{unix}{ours}"), Some(1)),
            (format!("@include included\n{unix}{ours}"), Some(1)),
            (format!("{unix}{ours}"), None),
            (format!("auth required pam_env.so\n{unix}{ours}"), None),
            (format!("auth required pam_env.so user_readenv=0\n{unix}{ours}"), None),
            // As Debian's sshd has it.
            (format!("{unix}{ours}session required pam_env.so user_readenv=1 envfile=/etc/default/locale\n"), None),
            (format!("auth required pam_other.so user_readenv=1\n{unix}{ours}"), None),
            (format!("# auth required pam_env.so user_readenv=1\n{unix}{ours}"), None),
        ] {
            assert_eq!(found(&text), line, "{text}");
        }
    }

    #[test]
    fn a_service_that_cannot_be_read_and_one_that_is_not_clear_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            fs::write(folder.path().join("sshd"), text).unwrap();
            match Service::read("sshd", &[folder.path()]) {
                Ok(service) => of_root(&service, me()),
                Err(error) => Err(error.into()),
            }
        };
        assert_eq!(read("auth required pam_unix.so\n"), Ok(()));
        fs::create_dir(folder.path().join("included")).unwrap();
        let unreadable = read("@include included\n");
        assert!(matches!(unreadable, Err(EnvironmentProblem::Unreadable(_))), "{unreadable:?}");
        let unclear = read("auth required pam_unix.so \\\n# why\nauth required pam_deny.so\n");
        assert!(matches!(unclear, Err(EnvironmentProblem::Unclear(_))), "{unclear:?}");
        let of_users = read("auth required pam_env.so user_readenv=1\n");
        assert!(matches!(of_users, Err(EnvironmentProblem::OfUsers { number: 1, .. })), "{of_users:?}");
    }

    /// The problem of a line of pam_env with these arguments, in which `@` is a folder of root with some files.
    fn problem(arguments: &str) -> Option<String> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = trusted::private_directory();
        let place = |name: &str| folder.path().join(name);
        let set_mode = |name: &str, mode| fs::set_permissions(place(name), fs::Permissions::from_mode(mode)).unwrap();
        for (name, mode) in [("good", 0o644), ("bad", 0o666)] {
            fs::write(place(name), "").unwrap();
            set_mode(name, mode);
        }
        fs::create_dir(place("open")).unwrap();
        set_mode("open", 0o777);
        fs::create_dir(place("folder")).unwrap();
        std::os::unix::fs::symlink("missing", place("dangling")).unwrap();
        let text = format!("auth required pam_unix.so\nauth required pam_env.so {arguments}\n");
        let text = text.replace('@', folder.path().to_str().unwrap());
        let service = Service::from_text("sshd", &folder.path().join("sshd"), text, &[folder.path()]).unwrap();
        match of_root(&service, me()) {
            Ok(()) => None,
            Err(EnvironmentProblem::OfOthers { number: 2, problem, .. }) => Some(problem),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_file_that_a_line_reads_has_to_be_roots_alone() {
        for arguments in [
            "conffile=@/good envfile=@/good",
            "conffile=@/good readenv=0",
            // The last one counts, and one without a value does not.
            "conffile=@/bad conffile=@/good envfile=@/bad envfile=@/good envfile=",
            "conffile=@/good envfile=@/bad readenv=1 readenv=0",
            "conffile=@/missing envfile=@/missing/deeper",
            "conffile=/dev/null envfile=/dev/null",
            "[conffile=@/good] [envfile=@/good] debug",
        ] {
            assert_eq!(problem(arguments), None, "{arguments}");
        }
        for (arguments, words) in [
            ("conffile=@/bad envfile=@/good", "/bad has mode 0666"),
            ("conffile=@/bad readenv=0", "/bad has mode 0666"),
            ("conffile=@/good envfile=@/bad", "/bad has mode 0666"),
            ("conffile=@/good envfile=@/good envfile=@/bad", "/bad has mode 0666"),
            ("conffile=@/good envfile=@/bad readenv=0 readenv=1", "/bad has mode 0666"),
            // Not known to be off.
            ("conffile=@/good envfile=@/bad readenv=no", "/bad has mode 0666"),
            ("conffile=@/good envfile=@/open/missing", "/open has mode 0777"),
            ("conffile=@/good envfile=@/dangling", "leads to nothing"),
            ("conffile=@/good envfile=@/folder", "is a directory"),
            ("conffile=@/good envfile=@/good/inside", "not a directory"),
        ] {
            let problem = problem(arguments);
            assert!(problem.as_ref().is_some_and(|problem| problem.contains(words)), "{arguments}: {problem:?}");
        }
    }

    #[test]
    fn in_a_folder_of_files_each_one_counts() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = trusted::private_directory();
        let check = || check_folder(&folder.path().join("environment.d"), me()).map_err(|error| error.to_string());
        assert_eq!(check(), Ok(()));
        fs::create_dir(folder.path().join("environment.d")).unwrap();
        let file = folder.path().join("environment.d/90-editor.conf");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(check(), Ok(()));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap();
        assert!(check().unwrap_err().contains("90-editor.conf has mode 0664"));
    }
}
