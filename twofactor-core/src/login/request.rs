//! The inputs of a login: its request, its conversation, and the host and store it runs on.

use super::claimant::Claimant;
use crate::config::Config;
use crate::config::arguments::NullOk;
use crate::host::clock::Clock;
use crate::host::user::UserDatabase;
use crate::pam_service::account_line::Services;
use crate::pam_service::programs;
use crate::store::{EnrollmentStore, Store};
use thiserror::Error;
use zeroize::Zeroizing;

/// The request as the application states it, copied from its PAM items.
#[derive(Debug)]
pub struct Request {
    /// PAM_USER as it was typed.
    pub user: String,
    /// PAM_SERVICE.
    pub service: String,
    /// PAM_RHOST.
    pub rhost: Option<String>,
    /// PAM_TTY.
    pub tty: Option<String>,
    /// SSH_AUTH_INFO_0 of PAM's environment, which sshd writes.
    pub auth_info: Option<String>,
    /// The line's `nullok`.
    pub null_ok: NullOk,
    /// PAM_SILENT: the application wants no texts.
    pub silent: bool,
}

impl Request {
    /// Looks the user up: the first step of a login.
    pub(super) fn claimant(&self, users: &dyn UserDatabase) -> Claimant<'_> {
        let claimant = Claimant::identify(users, &self.user, &self.service, self.rhost.as_deref());
        Claimant { auth_info: self.auth_info.as_deref(), ..claimant }
    }
}

/// The host and the store that a login runs on.
pub struct World<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The user database.
    pub users: &'a dyn UserDatabase,
    /// The second factors of enrolled users.
    pub store: &'a dyn Store,
    /// Enrollment at login.
    pub enrollments: &'a dyn EnrollmentStore,
    /// The PAM services of this host.
    pub services: &'a dyn Services,
    /// The owner of the process that the login runs in.
    pub process: Process,
    /// The host name that labels of new secrets carry.
    pub host_name: &'a str,
    /// The clock.
    pub clock: &'a dyn Clock,
}

/// An answer as typed, wiped when dropped.
pub type Reply = Zeroizing<Vec<u8>>;

/// The application did not pass on a prompt or its answer, or the user hung up.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the application did not answer the prompt")]
pub struct ConversationError;

/// The prompts and texts that the application passes to the user.
pub trait Conversation {
    /// Asks a question whose answer is not echoed.
    fn ask(&mut self, prompt: &str) -> Result<Reply, ConversationError>;

    /// Asks a question whose answer is echoed.
    fn ask_openly(&mut self, prompt: &str) -> Result<Reply, ConversationError>;

    /// Shows a text. The application does not say whether the user saw it; the answer to the next question does.
    fn tell(&mut self, text: &str);

    /// The password an earlier module asked for (PAM_AUTHTOK), when there is one. Asks nothing.
    fn password(&mut self) -> Option<Reply>;

    /// The password of a `combined` service, asking with `prompt` only when no module asked before.
    fn ask_password(&mut self, prompt: &str) -> Result<Reply, ConversationError>;

    /// Hands the password on to the modules below (PAM_AUTHTOK).
    fn set_password(&mut self, password: &[u8]) -> Result<(), ConversationError>;
}

/// The owner of the process that a login runs in: the owner can stop it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// Root alone.
    Roots,
    /// Its user too: it was started by an ordinary user, as `su` is (real user id). It must hold nothing that others need.
    ItsUsers,
    /// Its user's own: it does not run as root, as screen lockers do not. It asks the broker, and sets nothing up.
    Unprivileged,
}

impl Process {
    /// The process with these user ids.
    pub fn of(real: u32, effective: u32) -> Self {
        match (real, effective) {
            (0, 0) => Self::Roots,
            (_, 0) => Self::ItsUsers,
            (_, _) => Self::Unprivileged,
        }
    }

    /// The process that usually runs `service`: setuid programs keep the user id of the user who started them.
    pub fn of_service(service: &str) -> Self {
        match service {
            "su" | "su-l" | "chfn" | "chsh" | "polkit-1" => Self::ItsUsers,
            service if programs::needs_broker(service) => Self::Unprivileged,
            _ => Self::Roots,
        }
    }
}
