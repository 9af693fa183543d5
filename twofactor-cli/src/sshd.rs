//! sshd's configuration as it is written: every line in the order sshd reads them, with its place; and whether the sshd that
//! runs has read it.
//!
//! What is in force is for sshd to say (`program::ask_sshd`); here is where it comes from.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, User};
use twofactor_admin::checkup::admission::{self, Candidate, Standing};
use twofactor_admin::checkup::sshd::{Settings, Sources};
use twofactor_core::host::user::{SystemUsers, UserDatabase as _, UserName};

use crate::error::{ServiceFailure, quoted};
use crate::program::{Said, ask_sshd};

/// The file that sshd reads first.
pub(crate) const CONFIGURATION: &str = "/etc/ssh/sshd_config";
/// So deep do files include each other; sshd goes no deeper either.
const DEEPEST: usize = 16;

/// sshd's configuration and what it includes.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Each file with its text, in the order in which they are read.
    pub(crate) files: Vec<(PathBuf, String)>,
    /// Of each setting that holds for every login, the line that decides.
    pub(crate) sources: Sources,
    /// The lines that hold for some logins only.
    pub(crate) conditional: Vec<Conditional>,
    /// The folders of which every file of a pattern is included.
    folders: Vec<PathBuf>,
}

/// A line behind a `Match`.
#[derive(Debug)]
pub(crate) struct Conditional {
    pub(crate) place: String,
    pub(crate) text: String,
}

/// For which logins lines hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Every,
    Some,
}

impl Written {
    /// Reads the files of this host. One that cannot be read is left out: sshd says so itself.
    pub(crate) fn read() -> Self {
        let mut written = Self::default();
        written.add(Path::new(CONFIGURATION), Scope::Every, 0);
        written
    }

    /// Takes the lines of a file in sshd's order: what is included stands where the `Include` is. `Match` ends what holds for
    /// every login, at most to the end of its file.
    fn add(&mut self, file: &Path, mut scope: Scope, depth: usize) {
        let Ok(text) = fs::read_to_string(file) else { return };
        self.files.push((file.to_owned(), text.clone()));
        for (index, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let keyword = line.split([' ', '\t', '=']).next().unwrap_or_default();
            let place = format!("{}:{}", file.display(), index + 1);
            if keyword.eq_ignore_ascii_case("match") {
                scope = Scope::Some;
                continue;
            }
            if depth < DEEPEST {
                for pattern in patterns(line) {
                    let Matching { files, folder } = Matching::of(&pattern);
                    self.folders.extend(folder);
                    for file in files {
                        self.add(&file, scope, depth + 1);
                    }
                }
            }
            match scope {
                Scope::Every => self.sources.add(keyword, place),
                Scope::Some => self.conditional.push(Conditional { place, text: line.to_owned() }),
            }
        }
    }

    /// The lists of methods that hold for some logins only, with their places.
    pub(crate) fn conditional_methods(&self) -> impl Iterator<Item = (String, &str)> {
        self.conditional("authenticationmethods")
    }

    /// The same of a keyword in small letters.
    pub(crate) fn conditional(&self, keyword: &str) -> impl Iterator<Item = (String, &str)> {
        self.conditional.iter().filter_map(move |line| {
            let settings = Settings::parse(&line.text);
            let value = settings.value(keyword);
            (!value.is_empty()).then(|| (value.to_owned(), line.place.as_str()))
        })
    }
}

/// The setting of sshd that keeps a user from answering prompts, from wherever. Without sshd there is none.
pub(crate) fn keeps_out(user: &UserName) -> Result<Option<String>, ServiceFailure> {
    // An address and a name for documentation (RFC 5737, RFC 2606).
    let login = format!("user={user},host=client.invalid,addr=192.0.2.1");
    let settings = match ask_sshd(&["-T", "-C", &login]) {
        Said::Well(settings) => settings,
        Said::Failed(reason) => return Err(ServiceFailure::SshdSilent(reason)),
        Said::NotRun(_) => return Ok(None),
    };
    let gids = SystemUsers.gids(user).map_err(|error| ServiceFailure::People(error.to_string()))?;
    let name = |gid: u32| Group::from_gid(Gid::from_raw(gid)).ok().flatten().map(|group| group.name);
    let groups: Vec<String> = gids.into_iter().filter_map(name).collect();
    let standing = if is_root(user) { Standing::Root } else { Standing::Other };
    Ok(admission::keeps_out(&settings, Candidate { user: user.as_str(), standing, groups: &groups }))
}

/// True when a user's number is 0, which `PermitRootLogin` is about.
pub(crate) fn is_root(user: &UserName) -> bool {
    User::from_name(user.as_str()).ok().flatten().is_some_and(|entry| entry.uid.is_root())
}

/// A running sshd that has not read its configuration as it is now.
#[derive(Debug)]
pub(crate) struct Outdated {
    /// The change since: a file, or a folder in which files came or went.
    pub(crate) changed: PathBuf,
    /// The command that makes sshd read it.
    pub(crate) reload: String,
}

impl Outdated {
    /// Compares the configuration with the start of the running sshd; `None` where no sshd runs that reads it once, as where
    /// a socket starts one for each connection. `Err` says why it cannot be told.
    ///
    /// sshd writes its PidFile when it has read its configuration, also when it is reloaded: it runs itself anew.
    pub(crate) fn look(settings: &Settings, written: &Written) -> Result<Option<Self>, String> {
        let pid_file = settings.value("pidfile");
        if !pid_file.starts_with('/') {
            return Err("it writes no PidFile".to_owned());
        }
        let (Ok(about), Ok(pid)) = (fs::metadata(pid_file), fs::read_to_string(pid_file)) else { return Ok(None) };
        let of_process = |name: &str| fs::read(format!("/proc/{}/{name}", pid.trim())).unwrap_or_default();
        if !of_process("comm").starts_with(b"sshd") {
            return Ok(None);
        }
        let arguments = String::from_utf8_lossy(&of_process("cmdline")).replace('\0', " ");
        if arguments.split_whitespace().any(|word| word.starts_with("-f")) {
            return Err(format!("it was started with a configuration of its own ({})", arguments.trim()));
        }
        let read = (about.mtime(), about.mtime_nsec());
        let files = written.files.iter().map(|(file, _)| file).chain(&written.folders);
        // The time of the last change of the inode, which no program sets: a copy may keep the date of its contents.
        let is_newer =
            |path: &&PathBuf| fs::metadata(path).is_ok_and(|about| (about.ctime(), about.ctime_nsec()) > read);
        let reload = || {
            if Path::new(SYSTEMD).is_dir() {
                return reload().to_owned();
            }
            format!("kill -HUP \"$(cat {})\"", quoted(pid_file))
        };
        Ok(files.into_iter().find(is_newer).map(|changed| Self { changed: changed.clone(), reload: reload() }))
    }
}

/// The mark of a host that systemd runs (sd_booted(3)).
pub(crate) const SYSTEMD: &str = "/run/systemd/system";

/// The command that makes sshd read its settings again, where systemd runs it.
pub(crate) fn reload() -> &'static str {
    let debian = ["/usr/lib/systemd/system/ssh.service", "/lib/systemd/system/ssh.service"];
    if debian.iter().any(|unit| Path::new(unit).exists()) { "systemctl reload ssh" } else { "systemctl reload sshd" }
}

/// The patterns of the files that a line includes.
fn patterns(line: &str) -> Vec<PathBuf> {
    let mut words = line.split_whitespace();
    if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("include")) {
        return Vec::new();
    }
    words.map(|pattern| Path::new("/etc/ssh").join(pattern.trim_matches('"'))).collect()
}

/// The files of a pattern, in sshd's order.
struct Matching {
    files: Vec<PathBuf>,
    /// The folder they come from, when a file that is added there would be one of them.
    folder: Option<PathBuf>,
}

impl Matching {
    /// A pattern has one star in its last part, or none.
    fn of(pattern: &Path) -> Self {
        let name = pattern.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let (Some((start, end)), Some(folder)) = (name.split_once('*'), pattern.parent()) else {
            return Self { files: vec![pattern.to_owned()], folder: None };
        };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut files: Vec<PathBuf> = names
            .filter(|name| name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end))
            .map(|name| folder.join(name))
            .collect();
        files.sort();
        Self { files, folder: Some(folder.to_owned()) }
    }
}
