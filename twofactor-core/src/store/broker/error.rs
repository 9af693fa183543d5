//! Errors of a question to the broker.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::host::trusted::FileError;
use crate::log::reason::Reason;
use crate::store::error::{StoreError, Unusable};
use crate::store::wire::WireError;

/// The broker cannot be asked, or has not answered.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// There is no broker: no socket, or no process behind it.
    #[error("this program does not run as root, and no broker listens at {}", .0.display())]
    Absent(PathBuf),
    /// There is no link to the servers of this host's fleet.
    #[error("no link to the servers of the fleet listens at {}", .0.display())]
    NoLink(PathBuf),
    /// The folders above the socket are not of root alone.
    #[error("{0}")]
    Folder(FileError),
    /// A process of another user listens.
    #[error("{} is not root's: a process of uid {uid} listens there", socket.display())]
    Stranger {
        /// The socket.
        socket: PathBuf,
        /// The uid of that process.
        uid: u32,
    },
    /// The connection failed, or what came over it is not understood.
    #[error("the {} at {}: {error}", if is_link(socket) { "link" } else { "broker" }, socket.display())]
    Wire {
        /// The socket.
        socket: PathBuf,
        /// The failure.
        error: WireError,
    },
    /// It was asked for an act, and has not answered.
    #[error("{problem}: it is not known whether it was done")]
    Unanswered {
        /// The failure of the connection.
        problem: String,
        /// The command that shows it.
        look: String,
    },
    /// There is no broker, and it alone has the registry.
    #[error("a physical token is registered through the broker, and none listens at {}", .0.display())]
    RegistersNoTokens(PathBuf),
    /// A second factor cannot be set up in this program.
    #[error("this program does not run as root, so no second factor is set up in it")]
    SetsNothingUp,
    /// A secret that was kept for its owner is not shown in this program.
    #[error("a secret that was kept for its owner is shown by logins that no user can stop")]
    ShowsNoSecret,
}

/// True for the socket of the link to a fleet's servers.
fn is_link(socket: &Path) -> bool {
    socket.iter().any(|part| part == "twofactor-link")
}

impl BrokerError {
    /// The error of an act of which no answer came: `look` is the command that shows if it was done. Other errors stay as they
    /// are.
    pub(super) fn of_an_act(error: StoreError, look: impl FnOnce() -> String) -> StoreError {
        match error.kind() {
            Some(Self::Wire { error: WireError::Deadline | WireError::Ended | WireError::Stream(_), .. }) => {
                Self::Unanswered { problem: error.to_string(), look: look() }.into()
            }
            _ => error,
        }
    }
}

impl Unusable for BrokerError {
    fn reason(&self) -> Reason {
        match self {
            Self::Absent(_) => Reason::NotRoot,
            Self::Folder(FileError::Unsafe { .. }) | Self::Stranger { .. } => Reason::UnsafeFile,
            Self::NoLink(_)
            | Self::Folder(_)
            | Self::Wire { .. }
            | Self::Unanswered { .. }
            | Self::RegistersNoTokens(_)
            | Self::SetsNothingUp
            | Self::ShowsNoSecret => Reason::StoreUnavailable,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Absent(_) | Self::RegistersNoTokens(_) => "systemctl enable --now twofactord.socket".to_owned(),
            Self::NoLink(_) => "systemctl enable --now twofactor-link.socket".to_owned(),
            Self::Folder(_) => "look at it: ls -ld /run/twofactord".to_owned(),
            Self::Stranger { .. } => "see what listens there: ss -xlp".to_owned(),
            Self::Wire { socket, .. } if is_link(socket) => "see: systemctl status twofactor-link.service".to_owned(),
            Self::Wire { .. } => "see: systemctl status twofactord.service".to_owned(),
            Self::Unanswered { look, .. } => format!("see what was done: {look}"),
            Self::ShowsNoSecret => "the user logs in with ssh or at the console".to_owned(),
            Self::SetsNothingUp => "log in with ssh or at the console first, or ask for: twofactor enroll".to_owned(),
        }
    }
}

impl From<BrokerError> for StoreError {
    fn from(error: BrokerError) -> Self {
        Self::Unusable(Box::new(error))
    }
}
