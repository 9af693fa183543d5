//! Failures of commands on the machines of a fleet.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use twofactor_core::host::shell::quoted;
use twofactor_core::host::trusted::describe;
use twofactor_core::host::user::UserName;
use twofactor_net::join_code::Mistyped;

use super::status::ExitStatus;

/// The reason for which a command is not run here.
#[derive(Debug, Error)]
pub(crate) enum FleetFailure {
    #[error("accounts are in the central store, and {} cannot be run: {}", .0.display(), describe(.1))]
    NoServer(PathBuf, io::Error),
    #[error("this is a host of a fleet, and {0} has no account of this host alone")]
    NotLocal(UserName),
    #[error("{0} is not enrolled in the fleet, and has an account of this machine alone")]
    LocalAlone(UserName),
    #[error("this machine has no central store of a fleet")]
    NotCentral,
    #[error("{0} is a host of the fleet already")]
    IsThere(String),
    #[error("\"{0}\" is no name of a host")]
    NoName(String),
    #[error("there is no host {0} in the fleet, or it was revoked")]
    NoHost(String),
    #[error("this host is one of a fleet already: {} has [fleet]", .0.display())]
    HasJoined(PathBuf),
    #[error("this host is none of a fleet")]
    NoMember,
    #[error("no server of the fleet answers")]
    NoneAnswers,
    #[error(transparent)]
    Mistyped(Mistyped),
    #[error("{} cannot be run: {}", .0.display(), describe(.1))]
    NoLink(PathBuf, io::Error),
    #[error("{problem}")]
    Link { problem: String, hint: String, status: ExitStatus },
}

impl FleetFailure {
    /// The link's own failure, with its exit code.
    pub(crate) fn of_link(code: Option<i32>, said: &str) -> Self {
        let about = |word: &str| {
            let lines: Vec<&str> =
                said.lines().filter_map(|line| line.strip_prefix("twofactor-link: ")?.strip_prefix(word)).collect();
            (!lines.is_empty()).then(|| lines.join("; "))
        };
        let problem =
            about("error: ").unwrap_or_else(|| format!("twofactor-link has ended without a word: {}", said.trim()));
        let hint = about("hint: ").unwrap_or_else(|| "twofactor-link --version".to_owned());
        let status = match code {
            Some(5) => ExitStatus::CodeRefused,
            Some(7) => ExitStatus::Refused,
            Some(9) => ExitStatus::BadConfig,
            _ => ExitStatus::Failed,
        };
        Self::Link { problem, hint, status }
    }

    pub(super) fn status(&self) -> ExitStatus {
        match self {
            Self::NoServer(..) | Self::NoLink(..) | Self::NoneAnswers => ExitStatus::Failed,
            Self::NoHost(_) => ExitStatus::NotThere,
            Self::NoName(_) => ExitStatus::Usage,
            Self::NotCentral | Self::NoMember => ExitStatus::BadConfig,
            Self::Mistyped(_) => ExitStatus::CodeRefused,
            Self::Link { status, .. } => *status,
            Self::NotLocal(_) | Self::LocalAlone(_) | Self::IsThere(_) | Self::HasJoined(_) => ExitStatus::Refused,
        }
    }

    pub(super) fn hint(&self) -> String {
        match self {
            Self::NoServer(..) => "install the package twofactor-server, of the same version".to_owned(),
            Self::NotCentral => "run it on the machine whose twofactor.toml has [store]".to_owned(),
            Self::IsThere(name) => format!("twofactor host add {} --again", quoted(name)),
            Self::NoName(_) => {
                "letters, digits, hyphens and dots, as in web1.example.org; an address is none".to_owned()
            }
            Self::NoHost(_) => "twofactor host list".to_owned(),
            Self::HasJoined(_) => "twofactor fleet status; with --again it joins anew".to_owned(),
            Self::NoMember => "twofactor fleet join SERVER".to_owned(),
            Self::NoneAnswers => "is twofactor-server running there? twofactor-server check says more".to_owned(),
            Self::Mistyped(_) => "twofactor host add NAME, on the central machine, shows one".to_owned(),
            Self::NoLink(..) => "install the package twofactor-link, of the same version".to_owned(),
            Self::Link { hint, .. } => hint.clone(),
            Self::LocalAlone(_) => {
                "--config FILE, of a configuration without [store], makes a command act on accounts of this machine"
                    .to_owned()
            }
            Self::NotLocal(user) => {
                let user = quoted(user.as_str());
                format!(
                    "do it on the central machine; \"twofactor enroll --local {user}\" makes an account of this host alone, which works while no server answers"
                )
            }
        }
    }
}
