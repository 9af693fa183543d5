//! sshd's configuration as it is written: every line in the order sshd reads them, with its place; and whether the sshd that
//! runs has read it.
//!
//! What is in force is for sshd to say (`program::ask_sshd`); here is where it comes from.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, User};
use twofactor_admin::checkup::admission::{self, Candidate, Standing};
use twofactor_admin::checkup::sshd::criteria::words;
use twofactor_admin::checkup::sshd::patterns::fits;
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
    /// The lines that settings come from.
    pub(crate) sources: Sources,
    /// Patterns of included files that are not followed here, with their places.
    pub(crate) unread: Vec<String>,
    /// The folders of which every file of a pattern is included.
    folders: Vec<PathBuf>,
}

impl Written {
    /// Reads the files of this host. One that cannot be read is left out: sshd says so itself.
    pub(crate) fn read() -> Self {
        let mut written = Self::default();
        written.add(Path::new(CONFIGURATION), None, 0);
        written
    }

    /// Takes the lines of a file in sshd's order: what is included stands where the `Include` is. `outer` is the `Match` that the
    /// `Include` belongs to. `Match` ends what holds for every login, at most to the end of its file.
    fn add(&mut self, file: &Path, outer: Option<usize>, depth: usize) {
        let Ok(text) = fs::read_to_string(file) else { return };
        self.files.push((file.to_owned(), text.clone()));
        let mut block = outer;
        for (index, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let keyword = line.split([' ', '\t', '=']).next().unwrap_or_default();
            let place = format!("{}:{}", file.display(), index + 1);
            if keyword.eq_ignore_ascii_case("match") {
                block = Some(self.sources.add_block(outer, place, line));
                continue;
            }
            if depth < DEEPEST {
                for pattern in patterns(line) {
                    if pattern.to_string_lossy().contains('[') {
                        self.unread.push(format!("{} ({place})", pattern.display()));
                    }
                    let Matching { files, folders } = Matching::of(&pattern);
                    self.folders.extend(folders);
                    for file in files {
                        self.add(&file, block, depth + 1);
                    }
                }
            }
            match block {
                None => self.sources.add(keyword, place),
                Some(block) => self.sources.add_conditional(block, line, place),
            }
        }
    }
}

/// Asks sshd for the settings that hold for every login.
pub(crate) fn ask_settings(written: &Written) -> Said {
    let named = written.sources.local_ports();
    if named.is_empty() {
        return ask_sshd(&["-T"]);
    }
    // With a `Match LocalPort`, OpenSSH 9.2 demands a port. One of which no block says anything.
    let port = (1..=u16::MAX).find(|port| !named.contains(port)).unwrap_or_default();
    ask_sshd(&["-T", "-C", &format!("lport={port}")])
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
    let mut words = words(line).into_iter();
    if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("include")) {
        return Vec::new();
    }
    words.map(|pattern| Path::new("/etc/ssh").join(pattern)).collect()
}

/// The files of a pattern, in sshd's order.
#[derive(Debug, Default)]
struct Matching {
    files: Vec<PathBuf>,
    /// The folders that were looked through: a file that is added there may be one of them.
    folders: Vec<PathBuf>,
}

impl Matching {
    /// As glob(7) has it, without its sets of letters. Each part of a path can have `*` and `?`.
    fn of(pattern: &Path) -> Self {
        let is_wild = |part: &str| part.contains(['*', '?']);
        let mut matching = Self { files: vec![PathBuf::new()], folders: Vec::new() };
        let (mut looked_through, parts) = (false, pattern.iter().map(|part| part.to_string_lossy()));
        for part in parts {
            let paths = std::mem::take(&mut matching.files);
            if is_wild(&part) {
                looked_through = true;
                matching.files = paths.iter().flat_map(|folder| entries(folder, &part)).collect();
                matching.folders.extend(paths);
            } else {
                let files = paths.into_iter().map(|path| path.join(&*part));
                matching.files = files.filter(|path| !looked_through || path.exists()).collect();
            }
        }
        // By their letters, as glob does, and not by folders.
        matching.files.sort_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
        matching
    }
}

/// The entries of a folder whose names fit a pattern. A name that begins with a dot has to be meant.
fn entries(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let names =
        fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let fits = |name: &String| fits(pattern, name) && (pattern.starts_with('.') || !name.starts_with('.'));
    let mut entries: Vec<PathBuf> = names.filter(fits).map(|name| folder.join(name)).collect();
    entries.sort();
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn included_files_are_found_as_glob_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.d/2.conf", "a.d/1.conf", "a.d/.hidden.conf", "a.d/1.txt", "c/3.conf", "c.x/3.conf", "main"] {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let found = |pattern: &str| {
            let below = |path: PathBuf| path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
            let Matching { files, folders } = Matching::of(&folder.path().join(pattern));
            (files.into_iter().map(below).collect::<Vec<_>>(), folders.into_iter().map(below).collect::<Vec<_>>())
        };
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (pattern, files, folders) in [
            ("main", owned(&["main"]), owned(&[])),
            ("missing", owned(&["missing"]), owned(&[])),
            ("a.d/*.conf", owned(&["a.d/1.conf"]), owned(&["a.d"])),
            ("*.d/?.conf", owned(&["a.d/1.conf", "b.d/2.conf"]), owned(&["", "a.d", "b.d"])),
            ("c*/3.conf", owned(&["c.x/3.conf", "c/3.conf"]), owned(&[""])),
            ("a.d/.*.conf", owned(&["a.d/.hidden.conf"]), owned(&["a.d"])),
        ] {
            assert_eq!(found(pattern), (files, folders), "{pattern}");
        }
    }
}
