//! Parts shared by `enable` and `disable`: the services by name, their texts as bytes, and the question before a change.

use std::path::{Path, PathBuf};

use twofactor_admin::pam_editing::placing::{Answers, Target};
use twofactor_core::pam_service::{self, FOLDERS, modules};

use super::change::{self, Change};
use super::remarks::Remarks;
use crate::error::{Failure, ServiceFailure};
use crate::output::{self, Format, Output};
use crate::terminal::{self, Yes};

/// The folder in which services are changed.
pub(crate) const ETC: &str = FOLDERS[0];

/// A service by its name, and the file in /etc that describes it or would.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
}

impl Named {
    /// Each name once, in small letters as libpam has them.
    pub(crate) fn all(names: &[String]) -> Result<Vec<Self>, ServiceFailure> {
        let mut all: Vec<Self> = Vec::new();
        for typed in names {
            let name = typed.to_ascii_lowercase();
            if !pam_service::is_name(&name) || name.starts_with('.') {
                return Err(ServiceFailure::NoService(typed.clone()));
            }
            if !all.iter().any(|known| known.name == name) {
                all.push(Self::new(&name));
            }
        }
        Ok(all)
    }

    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), file: Path::new(ETC).join(name) }
    }

    pub(crate) fn target<'t>(&'t self, folders: &'t [&'t Path], answers: Answers) -> Target<'t> {
        Target { name: &self.name, file: &self.file, folders, answers, is_missing: modules::is_missing }
    }

    /// The text that a package brought for it, outside of /etc.
    pub(crate) fn of_package(&self) -> Result<Option<Vec<u8>>, ServiceFailure> {
        for folder in FOLDERS.into_iter().skip(1) {
            let file = Path::new(folder).join(&self.name);
            match std::fs::read(&file) {
                Ok(content) => return Ok(Some(content)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(change::failed(&file, "read", error)),
            }
        }
        Ok(None)
    }
}

/// The folders in which descriptions are looked for.
pub(crate) fn folders() -> [&'static Path; 3] {
    FOLDERS.map(Path::new)
}

/// A file's text, to be edited. Bytes that are no UTF-8 become a character each and go back the same way.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) encoding: Encoding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Bytes,
}

impl Text {
    pub(crate) fn of(content: &[u8]) -> Self {
        match std::str::from_utf8(content) {
            Ok(text) => Self { text: text.to_owned(), encoding: Encoding::Utf8 },
            Err(_) => Self { text: content.iter().copied().map(char::from).collect(), encoding: Encoding::Bytes },
        }
    }

    /// Another text as this one is written.
    pub(crate) fn encoded(&self, text: &str) -> Vec<u8> {
        match self.encoding {
            Encoding::Utf8 => text.as_bytes().to_vec(),
            Encoding::Bytes => text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap_or(b'?')).collect(),
        }
    }

    /// Another file's text, read as this one is.
    pub(crate) fn alike(&self, content: &[u8]) -> String {
        match self.encoding {
            Encoding::Utf8 => String::from_utf8_lossy(content).into_owned(),
            Encoding::Bytes => content.iter().copied().map(char::from).collect(),
        }
    }
}

/// The consent of the person who sees the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// `--dry-run`: no question is asked and nothing is done.
    Never,
    /// `--yes`.
    Given,
    /// A person decides.
    Asked,
}

impl Consent {
    pub(crate) fn of(dry_run: bool, yes: bool) -> Self {
        match (dry_run, yes) {
            (true, _) => Self::Never,
            (false, true) => Self::Given,
            (false, false) => Self::Asked,
        }
    }
}

/// Shows the changes, and what there is to say of them. `Ok` when they are to be made.
pub(crate) fn shown<'c>(
    changes: impl Iterator<Item = &'c Change>,
    remarks: &Remarks,
    consent: Consent,
    output: &Output,
) -> Result<(), Failure> {
    let diff: String = changes.map(Change::diff).collect();
    if consent == Consent::Asked && !terminal::is_interactive() {
        return Err(Failure::CannotAsk);
    }
    match (output.format(), consent) {
        (Format::Text, _) => output::raw(&printable(&diff))?,
        // With JSON the diff is part of the result; a person who is asked has to see it before.
        (Format::Json, Consent::Asked) => output::excerpt(&printable(&diff)),
        (Format::Json, Consent::Never | Consent::Given) => {}
    }
    remarks.say();
    if consent == Consent::Asked {
        return match terminal::ask_yes("Change these files? [y/N] ")? {
            Yes::Yes => Ok(()),
            Yes::No => Err(Failure::Declined),
        };
    }
    Ok(())
}

/// A file's comment must not move a terminal's cursor.
pub(crate) fn printable(diff: &str) -> String {
    let escaped = |letter: char| match letter {
        '\n' | '\t' => letter.to_string(),
        '\r' => String::new(),
        letter if letter.is_control() => letter.escape_default().to_string(),
        letter => letter.to_string(),
    };
    diff.chars().map(escaped).collect()
}
