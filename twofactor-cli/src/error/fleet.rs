//! Failures of commands on the machines of a fleet.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use twofactor_core::host::shell::quoted;
use twofactor_core::host::trusted::describe;
use twofactor_core::host::user::UserName;

use super::status::ExitStatus;

/// The reason for which a command is not run here.
#[derive(Debug, Error)]
pub(crate) enum FleetFailure {
    #[error("accounts are in the central store, and {} cannot be run: {}", .0.display(), describe(.1))]
    NoServer(PathBuf, io::Error),
    #[error("this is a host of a fleet, and {0} has no account of this host alone")]
    NotLocal(UserName),
}

impl FleetFailure {
    pub(super) fn status(&self) -> ExitStatus {
        match self {
            Self::NoServer(..) => ExitStatus::Failed,
            Self::NotLocal(_) => ExitStatus::Refused,
        }
    }

    pub(super) fn hint(&self) -> String {
        match self {
            Self::NoServer(..) => "install the package twofactor-server, of the same version".to_owned(),
            Self::NotLocal(user) => {
                let user = quoted(user.as_str());
                format!(
                    "do it on the central machine; \"twofactor enroll --local {user}\" makes an account of this host alone, which works while no server answers"
                )
            }
        }
    }
}
