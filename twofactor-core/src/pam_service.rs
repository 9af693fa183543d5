//! How a PAM service is set up: its lines, with everything it includes, in the order libpam runs them.
//!
//! Read as libpam reads (pam.conf(5), libpam/pam_handlers.c): `#` comments, lines continued with a backslash, `@include` of
//! Debian, `include` and `substack`, module paths, controls in brackets, `-` before a type. Nothing is run or changed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Where services are described: what the sysadmin wrote comes before what a package brought.
pub const FOLDERS: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];

/// libpam's own limit (PAM_SUBSTACK_MAX_LEVEL).
const DEEPEST: usize = 16;
/// The largest description that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// The phase a line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Who somebody is.
    Auth,
    /// Whether he may log in now.
    Account,
    /// What is set up around a session.
    Session,
    /// Changing a password.
    Password,
}

/// A line that runs a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it runs.
    pub phase: Phase,
    /// What its outcome does, as it is written: `required`, `[success=ok …]`.
    pub control: String,
    /// The module, as it is written.
    pub module: String,
    /// Its arguments, as the module gets them.
    pub arguments: Vec<String>,
    /// The file it stands in.
    pub file: PathBuf,
    /// Where in the file, from 1.
    pub number: usize,
}

impl Line {
    /// Whether it runs the module called `name`, by whatever path.
    pub fn runs(&self, name: &str) -> bool {
        Path::new(&self.module).file_name().is_some_and(|file| file == name)
    }
}

/// A service cannot be understood.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// Neither it nor `other` is described.
    #[error("no PAM service {0} and no other")]
    Missing(String),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It includes itself.
    #[error("{} is included too deeply", .0.display())]
    TooDeep(PathBuf),
}

/// The lines of `service` as libpam would run them, from the first of `folders` that describes it; those of `other` when none
/// does.
pub fn lines(service: &str, folders: &[&Path]) -> Result<Vec<Line>, ServiceError> {
    let service = service.to_ascii_lowercase();
    let mut reader = Reader { folders, lines: Vec::new() };
    for name in [service.as_str(), "other"] {
        if is_name(name) && reader.service(name, None, 0)? {
            return Ok(reader.lines);
        }
    }
    Err(ServiceError::Missing(service))
}

/// A service is a file's name, never a path.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && name != "." && name != ".."
}

struct Reader<'f> {
    folders: &'f [&'f Path],
    lines: Vec<Line>,
}

impl Reader<'_> {
    /// Adds the lines of a service, or only those of one phase. `false` when nobody describes it.
    fn service(&mut self, name: &str, only: Option<Phase>, depth: usize) -> Result<bool, ServiceError> {
        let given = Path::new(name);
        let candidates: Vec<PathBuf> = if given.is_absolute() {
            vec![given.to_owned()]
        } else {
            self.folders.iter().map(|folder| folder.join(name)).collect()
        };
        for path in candidates {
            if depth > DEEPEST {
                return Err(ServiceError::TooDeep(path));
            }
            match read(&path) {
                Ok(text) => {
                    self.text(&text, &path, only, depth)?;
                    return Ok(true);
                }
                Err(source) if source.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(ServiceError::Unreadable { path, source }),
            }
        }
        Ok(false)
    }

    fn text(&mut self, text: &str, path: &Path, only: Option<Phase>, depth: usize) -> Result<(), ServiceError> {
        for (number, line) in logical_lines(text) {
            let mut words = words(&line).into_iter();
            let Some(first) = words.next() else { continue };
            if first == "@include" {
                if let Some(name) = words.next() {
                    self.include(&name, only, depth, path)?;
                }
                continue;
            }
            let Some(phase) = phase(&first) else { continue };
            if only.is_some_and(|only| only != phase) {
                continue;
            }
            let (Some(control), Some(module)) = (words.next(), words.next()) else { continue };
            if matches!(control.as_str(), "include" | "substack") {
                self.include(&module, Some(phase), depth, path)?;
            } else {
                let (file, arguments) = (path.to_owned(), words.map(argument).collect());
                self.lines.push(Line { phase, control, module, arguments, file, number });
            }
        }
        Ok(())
    }

    fn include(&mut self, name: &str, only: Option<Phase>, depth: usize, by: &Path) -> Result<(), ServiceError> {
        if self.service(name, only, depth + 1)? {
            return Ok(());
        }
        let source = io::Error::from(io::ErrorKind::NotFound);
        Err(ServiceError::Unreadable { path: by.with_file_name(name), source })
    }
}

fn read(path: &Path) -> Result<String, io::Error> {
    if fs::metadata(path)?.len() > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

/// The lines of a text with those that a backslash continues put together, without comments and blank ones.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let (content, goes_on) = match line.trim_end().strip_suffix('\\') {
            Some(content) => (content, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| continues) {
            Some((_, before)) => {
                before.push(' ');
                before.push_str(content);
            }
            None => lines.push((index + 1, content.to_owned())),
        }
        continues = goes_on;
    }
    lines.retain(|(_, line)| !line.trim().is_empty());
    lines
}

/// Words apart by blanks; one in brackets may hold blanks.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let end = if rest.starts_with('[') {
            rest.find(']').map_or(rest.len(), |bracket| bracket + 1)
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        let (word, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        words.push(word.to_owned());
        rest = behind.trim_start();
    }
    words
}

/// An argument as the module gets it: libpam takes off the brackets that let it hold blanks.
fn argument(word: String) -> String {
    match word.strip_prefix('[') {
        Some(inside) => inside.strip_suffix(']').unwrap_or(inside).to_owned(),
        None => word,
    }
}

fn phase(word: &str) -> Option<Phase> {
    let word = word.strip_prefix('-').unwrap_or(word);
    let phases = [
        ("auth", Phase::Auth),
        ("account", Phase::Account),
        ("session", Phase::Session),
        ("password", Phase::Password),
    ];
    phases.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, phase)| phase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn modules(folder: &tempfile::TempDir, service: &str, phase: Phase) -> Vec<String> {
        let lines = lines(service, &[folder.path()]).unwrap();
        lines.into_iter().filter(|line| line.phase == phase).map(|line| line.module).collect()
    }

    #[test]
    fn includes_of_every_kind_are_followed_in_their_place() {
        let folder = described(&[
            (
                "sshd",
                "# comment\n@include common-auth\naccount required pam_nologin.so # why\n@include common-account\n",
            ),
            ("common-auth", "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\n"),
            (
                "common-account",
                "account include deeper\n-account optional /lib/security/pam_twofactor.so [conf=/x y]\n",
            ),
            ("deeper", "auth required pam_never.so\naccount sufficient \\\n  pam_localuser.so\n"),
        ]);
        assert_eq!(modules(&folder, "sshd", Phase::Auth), ["pam_unix.so", "pam_deny.so"]);
        let account = modules(&folder, "SSHD", Phase::Account);
        assert_eq!(account, ["pam_nologin.so", "pam_localuser.so", "/lib/security/pam_twofactor.so"]);
        let all = lines("sshd", &[folder.path()]).unwrap();
        let ours = all.iter().find(|line| line.runs("pam_twofactor.so")).unwrap();
        assert_eq!(
            (ours.control.as_str(), ours.arguments.as_slice(), ours.number),
            ("optional", &["conf=/x y".to_owned()][..], 2)
        );
        assert_eq!(all[0].control, "[success=1 default=ignore]");
    }

    #[test]
    fn a_service_nobody_describes_is_other() {
        let folder = described(&[("other", "auth required pam_deny.so\n")]);
        assert_eq!(modules(&folder, "nowhere", Phase::Auth), ["pam_deny.so"]);
        assert_eq!(modules(&folder, "../sshd", Phase::Auth), ["pam_deny.so"]);
        assert!(matches!(lines("sshd", &[]), Err(ServiceError::Missing(_))));
    }

    #[test]
    fn what_cannot_be_followed_is_an_error() {
        let folder = described(&[("loop", "auth include loop\n"), ("broken", "@include nowhere\n")]);
        assert!(matches!(lines("loop", &[folder.path()]), Err(ServiceError::TooDeep(_))));
        assert!(matches!(lines("broken", &[folder.path()]), Err(ServiceError::Unreadable { .. })));
    }
}
