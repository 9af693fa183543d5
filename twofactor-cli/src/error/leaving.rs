//! Failures of `rename` and `export`.

use std::io;

use thiserror::Error;
use twofactor_core::host::shell::quoted;
use twofactor_core::host::user::{Person, UserName};
use twofactor_core::store::administration::RenameError;

use super::status::{ExitStatus, of_store};

/// The reason for which an account kept its name, or no secret was shown.
#[derive(Debug, Error)]
pub(crate) enum LeavingFailure {
    #[error(transparent)]
    Rename(#[from] RenameError),
    #[error("{0} is called that already")]
    SameName(UserName),
    #[error("{} is a user of this host with uid {} still; nothing was changed", .0.name, .0.uid)]
    StillThere(Person),
    #[error("the secrets would stand in plain text; nothing was exported")]
    NotPlaintext,
    #[error("standard input is no terminal, and a person has to confirm this; nothing was exported")]
    NoPerson,
    #[error("{0} has no secret that opens logins; nothing was exported")]
    NoSecrets(UserName),
    #[error("syslog does not take the line about it ({0}); nothing was exported")]
    NotLogged(io::Error),
}

impl LeavingFailure {
    pub(super) fn status(&self) -> ExitStatus {
        match self {
            Self::Rename(RenameError::NoAccount(_)) | Self::NoSecrets(_) => ExitStatus::NotThere,
            Self::Rename(RenameError::Store(error)) => of_store(error),
            Self::Rename(RenameError::Occupied(_) | RenameError::Overtaken(_))
            | Self::SameName(_)
            | Self::StillThere(_)
            | Self::NotPlaintext
            | Self::NoPerson
            | Self::NotLogged(_) => ExitStatus::Refused,
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Rename(RenameError::NoAccount(_)) => "\"twofactor status\" lists the accounts".to_owned(),
            Self::Rename(RenameError::Occupied(user)) => {
                let user = quoted(user.as_str());
                format!("see \"twofactor status {user}\"; \"twofactor reset {user}\" forgets it")
            }
            Self::Rename(RenameError::Overtaken(_)) => "run the command again".to_owned(),
            Self::Rename(RenameError::Store(error)) => error.hint(),
            Self::StillThere(person) => {
                format!("rename the user first: usermod -l NEW {}", quoted(person.name.as_str()))
            }
            Self::NotPlaintext => "--plaintext says that this is wanted; \"twofactor backup\" encrypts".to_owned(),
            Self::NoPerson => {
                "run it at a terminal; for a script, \"twofactor backup\" writes an encrypted file".to_owned()
            }
            Self::NoSecrets(user) => format!("see \"twofactor status {}\"", quoted(user.as_str())),
            Self::NotLogged(_) => "no secret is shown unlogged: does a syslog daemon listen at /dev/log?".to_owned(),
            Self::SameName(_) => return None,
        })
    }
}
