//! A line of a PAM service.

use super::control::{Control, Understood};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The phase a line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Proves who the user is.
    Auth,
    /// Says if the user may log in now.
    Account,
    /// Sets a session up.
    Session,
    /// Changing a password.
    Password,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Auth, Self::Account, Self::Session, Self::Password];

    /// The word for it in a service's file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Account => "account",
            Self::Session => "session",
            Self::Password => "password",
        }
    }
}

/// A line as libpam keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its phase.
    pub phase: Phase,
    /// Its control as it is written: `required`, `[success=ok …]`.
    pub control: String,
    /// The same, understood.
    pub actions: Control,
    /// The module, as it is written; of a substack, the service it runs.
    pub module: String,
    /// Its arguments, as the module gets them.
    pub arguments: Vec<String>,
    /// The file it stands in.
    pub file: PathBuf,
    /// Its number in the file, from 1.
    pub number: usize,
    /// The service's own file, or that of `other`.
    pub top: PathBuf,
    /// The line of that file that it comes from, itself or through includes.
    pub origin: usize,
    /// In how many substacks it stands.
    pub depth: usize,
    /// Its kind.
    pub kind: Kind,
    /// Its fate on a host without the module.
    pub absence: Absence,
}

/// The kinds of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// It runs a module.
    Module,
    /// The lines behind it that are deeper are a stack of their own.
    Substack,
    /// It fails whenever it is reached.
    Broken(Flaw),
}

/// Why libpam makes a failure of a line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Flaw {
    /// It begins with no phase.
    #[error("{0:?} is none of auth, account, session and password")]
    Phase(String),
    /// The same, and it names no module either.
    #[error("{0:?} is none of auth, account, session and password")]
    Nothing(String),
    /// It ends behind the phase.
    #[error("it names no control")]
    NoControl,
    /// It ends behind the control.
    #[error("it names no module")]
    NoModule,
    /// It includes what cannot be read.
    #[error("it includes {0}, which cannot be read")]
    Include(String),
}

/// The weight of a missing module: `-` before the phase makes it none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// libpam logs it.
    Logged,
    /// libpam is silent. The line counts all the same.
    Silent,
}

impl Line {
    /// True when it runs the module called `name`, by whatever path.
    pub fn runs(&self, name: &str) -> bool {
        self.kind == Kind::Module && self.module_name() == name
    }

    /// The name of its module, without the folder.
    pub fn module_name(&self) -> &str {
        Path::new(&self.module).file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// The values of an argument, in their order; `key` is its name with the equals sign.
    pub fn values<'l>(&'l self, key: &'l str) -> impl DoubleEndedIterator<Item = &'l str> {
        self.arguments.iter().filter_map(move |argument| argument.strip_prefix(key))
    }

    /// True when its control has a word that libpam does not know, so that every outcome is a failure.
    pub fn has_unknown_control(&self) -> bool {
        self.kind == Kind::Module && self.actions.understood() == Understood::No
    }
}
