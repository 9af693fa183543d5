//! sshd's configuration as it is written: every line in the order sshd reads them, with its place.
//!
//! What is in force is for sshd to say (`program::ask_sshd`); here is where it comes from.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, User};
use twofactor_core::checkup::admission::{self, Candidate, Standing};
use twofactor_core::checkup::sshd::{Settings, Sources};
use twofactor_core::user::{SystemUsers, UserDatabase as _, UserName};

use crate::error::ServiceFailure;
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
                for file in included(line) {
                    self.add(&file, scope, depth + 1);
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
        const KEYWORD: &str = "authenticationmethods";
        self.conditional.iter().filter_map(|line| {
            let settings = Settings::parse(&line.text);
            let value = settings.value(KEYWORD);
            (!value.is_empty()).then(|| (value.to_owned(), line.place.as_str()))
        })
    }
}

/// The setting of sshd that keeps a user from answering prompts, from wherever. Without sshd there is none.
pub(crate) fn keeps_out(user: &UserName) -> Result<Option<String>, ServiceFailure> {
    // An address and a name of nobody (RFC 5737, RFC 2606).
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

/// Whether a user's number is 0, which `PermitRootLogin` is about.
pub(crate) fn is_root(user: &UserName) -> bool {
    User::from_name(user.as_str()).ok().flatten().is_some_and(|entry| entry.uid.is_root())
}

/// The files that a line includes.
fn included(line: &str) -> Vec<PathBuf> {
    let mut words = line.split_whitespace();
    if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("include")) {
        return Vec::new();
    }
    words.flat_map(|pattern| matching(&Path::new("/etc/ssh").join(pattern.trim_matches('"')))).collect()
}

/// The files of a pattern with one star in its last part, in sshd's order.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (Some((start, end)), Some(folder)) = (name.split_once('*'), pattern.parent()) else {
        return vec![pattern.to_owned()];
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut files: Vec<PathBuf> = names
        .filter(|name| name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end))
        .map(|name| folder.join(name))
        .collect();
    files.sort();
    files
}
