//! Failures of `import`: users of another system who cannot be taken over.

use std::path::PathBuf;

use thiserror::Error;
use twofactor_admin::moving_in::Refused;
use twofactor_admin::seed_files::Rejection;
use twofactor_core::host::shell::quoted;
use twofactor_core::host::trusted::FileError;
use twofactor_core::host::user::UserName;
use twofactor_core::pam_service::findings::Place;
use twofactor_core::store::administration::Sharer;

use super::status::ExitStatus;

/// The reason for which users were not taken over.
#[derive(Debug, Error)]
pub(crate) enum MovingInFailure {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: {error}", path.display())]
    Account { path: PathBuf, error: Refused },
    #[error("{}:{line}: {error}", path.display())]
    Line { path: PathBuf, line: usize, error: Refused },
    #[error("{0} has this secret already; --force takes it all the same")]
    Shared(Sharer),
    #[error("{0} has had this secret here before a reset; --replace takes it all the same, without recovery codes")]
    WasReset(UserName),
    #[error("no PAM service runs {0}")]
    NoLineOf(&'static str),
    #[error("{}: entry {number}: {error}", path.display())]
    Entry { path: PathBuf, number: usize, error: Rejection },
    #[error("{} is not in this form but: {is}", path.display())]
    OtherExport { path: PathBuf, is: &'static str },
    #[error("this machine knows no home folder of {0}, whose file is looked for there")]
    NoHome(String),
    #[error("{} has no line of {user}", path.display())]
    NotInFile { path: PathBuf, user: String },
    #[error("{} has no entry \"{typed}\"", path.display())]
    NoEntry { path: PathBuf, typed: String },
    #[error("{} has several entries: {}", path.display(), names.join(", "))]
    SeveralEntries { path: PathBuf, names: Vec<String> },
    #[error("{0} names no file of all users (usersfile=)")]
    NoUsersFile(Place),
    #[error("{failed} of {all} lines cannot be read")]
    UnreadLines { failed: usize, all: usize },
    #[error("{failed} of {all} users were not taken over")]
    Some { failed: usize, all: usize },
}

impl MovingInFailure {
    pub(super) fn status(&self) -> ExitStatus {
        match self {
            Self::NoLineOf(_) | Self::NoHome(_) | Self::NotInFile { .. } | Self::NoEntry { .. } => ExitStatus::NotThere,
            Self::Shared(_) | Self::WasReset(_) | Self::NoUsersFile(_) | Self::SeveralEntries { .. } => {
                ExitStatus::Refused
            }
            Self::File(_)
            | Self::Account { .. }
            | Self::Line { .. }
            | Self::Entry { .. }
            | Self::OtherExport { .. }
            | Self::UnreadLines { .. }
            | Self::Some { .. } => ExitStatus::BadInput,
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::NoLineOf(_) => Some("without --from-pam the files in the home folders are read".to_owned()),
            Self::NoHome(user) => {
                let user = quoted(user);
                Some(format!("copy it here: twofactor import google-authenticator FILE --user {user}"))
            }
            Self::SeveralEntries { .. } => Some("say which one is for this host: --entry NUMBER".to_owned()),
            Self::OtherExport { .. } => Some("\"twofactor import --help\" has a command for each form".to_owned()),
            Self::NoUsersFile(_) => {
                Some("take each file over with \"twofactor import oath-users\", then the line out by hand".to_owned())
            }
            Self::Some { .. } => Some("run it again when that is mended: enrolled users are left alone".to_owned()),
            Self::File(_)
            | Self::Account { .. }
            | Self::Line { .. }
            | Self::Entry { .. }
            | Self::UnreadLines { .. }
            | Self::NotInFile { .. }
            | Self::NoEntry { .. }
            | Self::Shared(_)
            | Self::WasReset(_) => None,
        }
    }
}
