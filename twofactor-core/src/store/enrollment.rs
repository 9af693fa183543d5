//! Enrollment at login: a second factor stays pending until the whole login has succeeded.

use super::error::StoreError;
use super::redemption::{Absent, Attempt};
use crate::account::enrollment::Proposal;
use crate::account::invitation::{Invitation, InvitationCode};
use crate::account::throttle::Source;
use crate::account::{App, State};
use crate::codes::otp::{Code, Progress};
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::SecretError;
use crate::codes::token::{Serial, Token};
use crate::host::user::{Person, UserName};
use crate::log::reason::Reason;
use thiserror::Error;

/// Sets up a second factor at login for users without one. Apart from [`Store`](super::redemption::Store): a store may
/// verify and not enroll.
pub trait EnrollmentStore {
    /// The enrollment of the user, which decides whether a login may enroll. An error where the store cannot tell.
    fn enrollment_status(&self, person: &Person) -> Result<EnrollmentStatus, StoreError>;

    /// The app of the proposed secret when `code` is one of its codes, by the clock of the store that has the accounts of `user`; the
    /// proposal again when not. `None` is a user who does not exist, or of whom the question does not tell.
    fn confirm(
        &self,
        user: Option<&UserName>,
        proposal: Proposal,
        code: &Code,
    ) -> Result<Result<App, Box<Proposal>>, StoreError>;

    /// The kept secret ([`EnrollmentStatus::Waiting`]) with all its progress, for a login that shows it to its owner
    /// again. The only secret that a store gives out.
    fn kept_secret(&self, person: &Person) -> Result<Token, Superseded>;

    /// Checks an invitation code and counts it like any attempt. The invitation is spent once an enrollment with it is
    /// stored.
    fn check_invitation(
        &self,
        person: &Person,
        typed: &InvitationCode,
        attempt: &Attempt<'_>,
    ) -> Result<Result<Invitation, Reason>, StoreError>;

    /// Checks two consecutive codes of a token in inventory and counts them like any attempt.
    fn check_registration(
        &self,
        person: &Person,
        serial: &Serial,
        codes: [&Code; 2],
        attempt: &Attempt<'_>,
    ) -> Result<Result<Registration, NotRegistered>, StoreError>;

    /// Stores a confirmed second factor, unless the account got one meanwhile. The code that confirmed a kept secret
    /// must still be within the window: it opens this login.
    fn store_pending(&self, pending: Pending) -> Result<(), Superseded>;
}

/// A user's state with regard to enrollment at login.
#[derive(Debug)]
pub enum EnrollmentStatus {
    /// Without any second factor.
    New(Absent),
    /// With an app whose confirmation was taken back (`reset --keep-secret`), and nothing else.
    Waiting,
    /// Enrolled, or the account under this name is another person's.
    Enrolled,
}

/// A second factor that a login has confirmed and not stored. Only the account phase stores it: applications run that
/// phase only after a successful authentication.
#[derive(Debug, Clone)]
pub struct Pending {
    /// The owner.
    pub user: Person,
    /// The factor to store.
    pub factor: PendingFactor,
    /// The invitation that is spent on it.
    pub invitation: Option<Invitation>,
}

/// A second factor to store.
#[derive(Debug, Clone)]
pub enum PendingFactor {
    /// An app with its recovery codes.
    App {
        /// The app; the code that confirmed it is burned.
        app: App,
        /// The recovery codes, shown once they are stored.
        recovery: Vec<RecoveryCode>,
        /// The origin of its secret.
        secret: SecretOrigin,
    },
    /// A physical token.
    Token(Registration),
}

/// The origin of an app's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretOrigin {
    /// It was made for this login.
    New,
    /// The store has kept it and must still have it.
    Kept,
}

impl PendingFactor {
    /// The log's name for it: an app's label, a physical token's serial.
    pub fn name(&self) -> String {
        match self {
            Self::App { app, .. } => app.token().label.to_string(),
            Self::Token(registration) => registration.serial.to_string(),
        }
    }
}

/// A token in inventory that has shown two consecutive codes.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The token's serial.
    pub(crate) serial: Serial,
    /// The proof of it, as the store that stores it needs it.
    pub(crate) proof: RegistrationProof,
}

/// The proof that a token has shown two consecutive codes.
#[derive(Debug, Clone)]
pub(crate) enum RegistrationProof {
    /// The token's progress with both codes burned, from the store that judged them.
    Progress(Progress),
    /// The codes, for a store in another process. It judges them again: its word of before is not kept.
    Codes(Shown),
}

/// Two codes of a token, and the address they came from.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// Two codes, one after the other.
    pub(crate) codes: [Code; 2],
    /// The address that the login comes from.
    pub(crate) source: Source,
}

impl Registration {
    /// The token's serial.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }
}

/// A token in inventory that has shown two codes to a store in memory, and the invitation that is spent on it. The program that has
/// read the account gives it to the user.
#[derive(Debug, Clone)]
pub struct TokenRegistration {
    pub(in crate::store) serial: Serial,
    pub(in crate::store) progress: Progress,
    pub(in crate::store) invitation: Option<Invitation>,
    pub(in crate::store) own: Option<BySelf>,
}

/// A registration that a user asks for by himself, and not at a login prompt.
#[derive(Debug, Clone)]
pub(in crate::store) struct BySelf {
    /// The state in which the code is burned that has proved a user with other factors; `None` for a first one.
    pub(in crate::store) proven: Option<Box<State>>,
}

impl TokenRegistration {
    /// The registration, of a proof that this store has judged.
    pub fn of(registration: &Registration, invitation: Option<Invitation>) -> Option<Self> {
        let RegistrationProof::Progress(progress) = registration.proof else { return None };
        Some(Self { serial: registration.serial.clone(), progress, invitation, own: None })
    }

    /// The same, asked for by the user himself.
    pub(in crate::store) fn by_user(self, own: BySelf) -> Self {
        Self { own: Some(own), ..self }
    }

    /// True where the state is written in which a code is burned: the account must be the one that was read.
    pub fn burns_a_code(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.proven.is_some())
    }

    /// True where a user asks for it by himself.
    pub fn is_by_user(&self) -> bool {
        self.own.is_some()
    }

    /// The token.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }
}

/// A store's record of a serial.
#[derive(Debug, Clone)]
pub enum Listing {
    /// There is none.
    Unknown,
    /// A token that has an owner, or is disabled, lost or revoked.
    NotFree,
    /// A token in inventory, and its progress.
    Free(Box<Token>, Progress),
}

/// The reason for which a token is not registered. The log alone has it: the user reads the same text for each.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NotRegistered {
    /// The attempt came too early.
    #[error("the attempt came too early")]
    Throttled,
    /// No token has the typed serial. The text is not repeated, because it may be anything.
    #[error("there is no token with the serial that was typed")]
    NoSuchToken,
    /// It has an owner, or opens nothing.
    #[error("token {0} is not in inventory")]
    NotFree(Serial),
    /// It does not show these codes, or they are used.
    #[error("token {0} does not show these two codes")]
    WrongCodes(Serial),
}

/// The reason for which a pending factor was not stored.
#[derive(Debug, Error)]
pub enum Superseded {
    /// The user got a second factor meanwhile.
    #[error("another login has set up a second factor for this account meanwhile")]
    Enrolled,
    /// The secret that was kept was forgotten.
    #[error("the secret that was shown was reset meanwhile")]
    Reset,
    /// The code that confirmed the kept secret is too old by now.
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
