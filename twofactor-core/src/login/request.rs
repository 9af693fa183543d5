//! What a login asks of its application, its host and its store.

use crate::config::Config;
use crate::config::arguments::NullOk;
use crate::config::rule::Facts;
use crate::host::clock::Clock;
use crate::host::user::UserDatabase;
use crate::host::user::{LookupError, Person};
use crate::pam_service::account_line::Services;
use crate::store::{EnrollmentStore, Store};
use thiserror::Error;
use zeroize::Zeroizing;

/// What the application knows about the login, in values of our own.
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
    /// The line's `nullok`.
    pub null_ok: NullOk,
    /// Whether the application wants no texts (PAM_SILENT).
    pub silent: bool,
}

impl Request {
    /// What the policy needs to know of it, but for the canonical user.
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts { user: None, service: &self.service, rhost: self.rhost.as_deref() }
    }
}

/// What a login needs of the world.
pub struct World<'a> {
    /// The whole configuration.
    pub config: &'a Config,
    /// Who exists.
    pub users: &'a dyn UserDatabase,
    /// Who is enrolled.
    pub store: &'a dyn Store,
    /// Who may set up a second factor.
    pub enrollments: &'a dyn EnrollmentStore,
    /// How PAM services are set up.
    pub services: &'a dyn Services,
    /// Who can stop the process that the login runs in.
    pub process: Process,
    /// What this host is called, for the labels of new secrets.
    pub host_name: &'a str,
    /// What time it is.
    pub clock: &'a dyn Clock,
}

/// What somebody typed, wiped when dropped.
pub type Reply = Zeroizing<Vec<u8>>;

/// The application did not pass on a prompt or its answer, or the user hung up.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the application did not answer the prompt")]
pub struct ConversationError;

/// How a story talks to the person logging in.
pub trait Conversation {
    /// Asks a question whose answer is not echoed.
    fn ask(&mut self, prompt: &str) -> Result<Reply, ConversationError>;

    /// Asks a question whose answer is echoed.
    fn ask_openly(&mut self, prompt: &str) -> Result<Reply, ConversationError>;

    /// Shows a text. Whether somebody saw it cannot be known; the next question tells.
    fn tell(&mut self, text: &str);

    /// The password an earlier module asked for (PAM_AUTHTOK), when there is one. Asks nothing.
    fn password(&mut self) -> Option<Reply>;

    /// The password of a `combined` service, asking with `prompt` only when no module asked before.
    fn ask_password(&mut self, prompt: &str) -> Result<Reply, ConversationError>;

    /// Hands the password on to the modules below (PAM_AUTHTOK).
    fn set_password(&mut self, password: &[u8]) -> Result<(), ConversationError>;
}

/// Why a user was not identified.
#[derive(Debug)]
pub enum Unidentified {
    /// There is no such user.
    Unknown,
    /// Nobody can tell.
    Failed(LookupError),
}

/// Finds the canonical name of who typed `typed`, and the uid that it stands for now.
pub fn identify(users: &dyn UserDatabase, typed: &str) -> Result<Person, Unidentified> {
    match users.person(typed) {
        Ok(Some(person)) => Ok(person),
        Ok(None) => Err(Unidentified::Unknown),
        Err(error) => Err(Unidentified::Failed(error)),
    }
}

/// Who can stop the process that a login runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// Root alone.
    Roots,
    /// Its user too: it was started by an ordinary user, as `su` is (real user id). It must hold nothing that others need.
    ItsUsers,
}

impl Process {
    /// The process with this real user id.
    pub fn of(real_uid: u32) -> Self {
        if real_uid == 0 { Self::Roots } else { Self::ItsUsers }
    }

    /// The process that usually runs `service`: setuid programs keep the user id of the user who started them.
    pub fn of_service(service: &str) -> Self {
        match service {
            "su" | "su-l" | "chfn" | "chsh" | "polkit-1" => Self::ItsUsers,
            _ => Self::Roots,
        }
    }
}
