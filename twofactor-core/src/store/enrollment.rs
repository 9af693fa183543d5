//! Enrollment at login: what is pending until the whole login is a success.

use super::error::StoreError;
use super::redemption::{Absent, Attempt};
use crate::account::App;
use crate::account::enrollment::Proposal;
use crate::account::invitation::{Invitation, InvitationCode};
use crate::codes::otp::{Code, Progress};
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::SecretError;
use crate::codes::token::{Serial, Token};
use crate::host::user::Person;
use crate::log::reason::Reason;
use thiserror::Error;

/// Sets up a second factor at login, for users who have none. Apart from [`Store`](super::redemption::Store): a store may verify and not enroll.
pub trait EnrollmentStore {
    /// Whether the user may enroll at login.
    fn enrollment_status(&self, person: &Person) -> Result<EnrollmentStatus, StoreError>;

    /// The app of the secret on offer, when `code` is a code of it; else the offer again.
    fn confirm(&self, proposal: Proposal, code: &Code) -> Result<Result<App, Box<Proposal>>, StoreError>;

    /// The secret that was kept ([`EnrollmentStatus::Waiting`]), with all the progress it ever made, to be shown to its owner
    /// once more. The only secret that a store gives away.
    fn kept_secret(&self, person: &Person) -> Result<Token, Superseded>;

    /// Checks an invitation code. Counted like any attempt; the invitation is spent when it has enrolled somebody.
    fn check_invitation(
        &self,
        person: &Person,
        typed: &InvitationCode,
        attempt: &Attempt<'_>,
    ) -> Result<Result<Invitation, Reason>, StoreError>;

    /// Checks two consecutive codes of a token that nobody owns. Counted like any attempt.
    fn check_registration(
        &self,
        person: &Person,
        serial: &Serial,
        codes: [&Code; 2],
        attempt: &Attempt<'_>,
    ) -> Result<Result<Registration, NotRegistered>, StoreError>;

    /// Stores what a login has confirmed, unless somebody was quicker. A secret that was kept must have been confirmed by a
    /// code that is within the window still: it opens this login.
    fn store_pending(&self, pending: Pending) -> Result<(), Superseded>;
}

/// What a user is to enrollment at login.
#[derive(Debug)]
pub enum EnrollmentStatus {
    /// Without any second factor.
    New(Absent),
    /// With an app whose confirmation was taken back (`reset --keep-secret`), and nothing else.
    Waiting,
    /// Enrolled, or the account under this name is another person's.
    Enrolled,
}

/// A second factor that was confirmed at a login and is not stored. Only the account phase stores it: applications run that
/// when the whole authentication was a success, and not before.
#[derive(Debug)]
pub struct Pending {
    /// Whose.
    pub user: Person,
    /// What.
    pub factor: PendingFactor,
    /// The invitation that is spent on it.
    pub invitation: Option<Invitation>,
}

/// What is going to be stored.
#[derive(Debug)]
pub enum PendingFactor {
    /// An app with its recovery codes.
    App {
        /// Confirmed by a code, which is burned.
        app: App,
        /// To be shown once it is stored.
        recovery: Vec<RecoveryCode>,
        /// Where its secret came from.
        secret: SecretOrigin,
    },
    /// A physical token.
    Token(Registration),
}

/// Where the secret of an app that is confirmed at login came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretOrigin {
    /// It was made for this login.
    New,
    /// The store has kept it, and must still have it.
    Kept,
}

impl PendingFactor {
    /// What the log calls it: an app's label, a physical token's serial.
    pub fn name(&self) -> String {
        match self {
            Self::App { app, .. } => app.token().label.to_string(),
            Self::Token(registration) => registration.serial.to_string(),
        }
    }
}

/// Two consecutive codes of a token that nobody owns.
#[derive(Debug)]
pub struct Registration {
    /// Which token.
    pub(crate) serial: Serial,
    /// Where it stands; both codes are burned.
    pub(crate) progress: Progress,
}

impl Registration {
    /// Which token.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }
}

/// Why a token is not registered. For the log: whoever asks learns the same of all of them.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NotRegistered {
    /// The attempt came too early.
    #[error("the attempt came too early")]
    Throttled,
    /// What was typed is no token's serial. It is not repeated, because it may be anything.
    #[error("there is no token with the serial that was typed")]
    NoSuchToken,
    /// It has an owner, or opens nothing.
    #[error("token {0} is not in inventory")]
    NotFree(Serial),
    /// It does not show these codes, or they are used.
    #[error("token {0} does not show these two codes")]
    WrongCodes(Serial),
}

/// Why nothing was stored.
#[derive(Debug, Error)]
pub enum Superseded {
    /// The user got a second factor meanwhile.
    #[error("another login has set up a second factor for this account meanwhile")]
    Enrolled,
    /// The secret that was kept was forgotten.
    #[error("the secret that was shown was reset meanwhile")]
    Reset,
    /// The code that has confirmed the secret that was kept is too old by now.
    #[error("the code has run out meanwhile")]
    Expired,
    /// The token is no longer free.
    #[error("the token was given to another user meanwhile")]
    TokenTaken,
    /// The invitation was used or replaced.
    #[error("the invitation was used or replaced meanwhile")]
    InvitationSpent,
    /// The kernel gave no random bytes.
    #[error(transparent)]
    Entropy(SecretError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
