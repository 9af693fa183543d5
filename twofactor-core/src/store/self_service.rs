//! Verbs of users about their own second factor: they look at it, and change it with a valid code.
//!
//! Invariants: a change of an account that has a factor takes a code that opens a session, which is counted, judged and burned
//! as at a login, under the lock under which the change is made. A new secret is stored only together with a code of it.
//! The rules and the configuration have decided before on which terms: [`Terms`].

use super::administration::SshKeyView;
use super::error::StoreError;
use super::redemption::Factor;
use crate::account::factors::Factors;
use crate::account::invitation::InvitationCode;
use crate::account::throttle::Source;
use crate::account::{Confirmation, LastAccepted};
use crate::codes::answer::Answer;
use crate::codes::otp::{Code, Parameters};
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::Secret;
use crate::codes::ssh_key::{Fingerprint, SshKey};
use crate::codes::token::{Label, Serial};
use crate::host::clock::UnixTime;
use crate::host::user::Person;
use crate::log::reason::Reason;

/// Users' own verbs.
pub trait SelfService {
    /// The account as its owner sees it.
    fn own_account(&self, person: &Person) -> Result<OwnAccount, StoreError>;

    /// The owner's security keys of ssh, oldest first.
    fn own_ssh_keys(&self, person: &Person) -> Result<Vec<SshKeyView>, StoreError>;

    /// Changes the account of `person` on these terms.
    fn change_own(&self, person: &Person, request: Request, terms: &Terms) -> ChangeOutcome;
}

/// An account as its owner sees it: no secret, and no code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnAccount {
    /// The apps, oldest first.
    pub apps: Vec<OwnApp>,
    /// The physical tokens.
    pub tokens: Vec<OwnToken>,
    /// The number of security keys of ssh.
    pub ssh_keys: usize,
    /// Recovery codes that are still good.
    pub recovery_left: usize,
    /// The time until which a temporary code is good.
    pub temporary_until: Option<UnixTime>,
    /// Wrong codes at logins that count.
    pub failures: u32,
    /// The time until which logins are refused.
    pub blocked_until: Option<UnixTime>,
    /// Wrong codes that programs of the user have asked about, and that count.
    pub own_failures: u32,
    /// The time until which programs of the user are refused.
    pub own_blocked_until: Option<UnixTime>,
    /// The last accepted login.
    pub last_accepted: Option<LastAccepted>,
    /// The time until which an invitation is open.
    pub invited_until: Option<UnixTime>,
}

impl OwnAccount {
    /// True when the account has an app, a token, a recovery code or a security key of ssh.
    pub fn has_factors(&self) -> bool {
        !self.apps.is_empty() || !self.tokens.is_empty() || self.recovery_left > 0 || self.ssh_keys > 0
    }

    /// True when something of the account can answer the question for a code. A security key of ssh cannot.
    pub fn gives_codes(&self) -> bool {
        let owned = !self.apps.is_empty() || !self.tokens.is_empty() || self.recovery_left > 0;
        owned || self.temporary_until.is_some()
    }
}

/// An app as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnApp {
    /// The owner's name for it.
    pub label: Label,
    /// Its serial.
    pub serial: Serial,
    /// The time of its enrollment.
    pub issued: UnixTime,
    /// The confirmation by a first code.
    pub confirmation: Confirmation,
    /// The time of the last accepted code.
    pub last_accepted: Option<UnixTime>,
}

/// A physical token as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnToken {
    /// Its serial.
    pub serial: Serial,
    /// The word for its stage.
    pub state: String,
    /// The time of the last accepted code.
    pub last_accepted: Option<UnixTime>,
}

/// A change that a user asks for.
#[derive(Debug)]
pub struct Request {
    /// A code of the user's, or a recovery code. `None` for a user without a factor.
    pub proof: Option<Answer>,
    /// The invitation code, for a first factor.
    pub invitation: Option<InvitationCode>,
    /// The change.
    pub change: Change,
}

/// A change.
#[derive(Debug)]
pub enum Change {
    /// A first app.
    Enroll(NewApp),
    /// An app in the place of the one with its label, or beside the others where none has it.
    Replace(NewApp),
    /// All apps and recovery codes are forgotten.
    Reset,
    /// New recovery codes.
    Recovery,
    /// A physical token in inventory.
    Token(OwnedToken),
    /// A security key of ssh. No attestation comes with it: root alone says whose word for a key counts.
    AddSshKey {
        /// The key.
        key: SshKey,
        /// The user's name for it.
        label: Label,
    },
    /// A security key of ssh that counts no longer.
    RemoveSshKey(Fingerprint),
}

/// A physical token that the user has in hand.
#[derive(Debug)]
pub struct OwnedToken {
    /// Its serial.
    pub serial: Serial,
    /// Two codes of it, one after the other.
    pub codes: [Code; 2],
}

/// A secret that the user's program has made, and the code that the app shows of it. The store keeps nothing before this: a
/// user who hangs up leaves nothing.
#[derive(Debug)]
pub struct NewApp {
    /// The user's name for it.
    pub label: Label,
    /// The secret.
    pub secret: Secret,
    /// The code.
    pub code: Code,
}

/// The terms of a change, by the configuration and its rules.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The factors that count.
    pub factors: Factors,
    /// The sets of factors of which one may count at a login of the user through any service.
    pub accepted: Vec<Factors>,
    /// The demand on a first factor.
    pub first: FirstFactor,
    /// The parameters of a new app.
    pub parameters: Parameters,
    /// The number of new recovery codes.
    pub recovery_codes: usize,
    /// The source that wrong codes are counted under.
    pub source: Source,
}

/// The demand on a user who sets up a first factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstFactor {
    /// Nothing more: a rule says `enroll`.
    Open,
    /// An invitation.
    Invited,
}

/// A change that was made.
#[derive(Debug)]
pub struct Changed {
    /// The new recovery codes, shown once.
    pub recovery: Vec<RecoveryCode>,
    /// The ssh key that was enrolled or taken away.
    pub ssh_key: Option<SshKeyView>,
}

/// The outcome of a change that a user has asked for.
#[derive(Debug)]
pub struct ChangeOutcome {
    /// The factor of the code that the user has proved himself with. It is used up, whatever became of the change.
    pub proof: Option<Factor>,
    /// The change.
    pub made: Result<Result<Changed, NotChanged>, StoreError>,
}

impl From<NotChanged> for ChangeOutcome {
    fn from(why: NotChanged) -> Self {
        Self { proof: None, made: Ok(Err(why)) }
    }
}

impl From<StoreError> for ChangeOutcome {
    fn from(error: StoreError) -> Self {
        Self { proof: None, made: Err(error) }
    }
}

/// The reason for which nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotChanged {
    /// The code that should prove the user, or the invitation code, was refused.
    Proof(Reason),
    /// A change needs a code, and none was given.
    NeedsProof,
    /// The code is none of the new secret.
    Unconfirmed,
    /// A first factor needs an invitation, and none was given.
    NeedsInvitation,
    /// The user has a factor already.
    Enrolled,
    /// The user has no factor.
    NotEnrolled,
    /// The user has as many apps as there can be.
    TooMany,
    /// The token is not registered: no such token in inventory, or other codes. The log has more.
    TokenRefused,
    /// No token would count for this user, or users register none.
    TokensDoNotCount,
    /// The configuration does not let users do this.
    SwitchedOff,
    /// No app would count for this user.
    AppsDoNotCount,
    /// The secret does not have the length of a new one.
    BadSecret,
    /// The host's account is closed, or it is not known that it is open.
    Closed,
    /// Nothing of the user gives a code.
    NoCodes,
    /// The ssh key is not changed.
    SshKey(KeyNotChanged),
}

/// The reason for which an ssh key was not enrolled, or not taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyNotChanged {
    /// The user has it.
    AlreadyEnrolled,
    /// The user has as many as there can be.
    TooMany,
    /// The user has no such key.
    NoKey,
    /// Nothing else of the user would open some login that it opens.
    LastCredential,
    /// The account is that of a fleet, whose servers take no host's word for a key.
    CountsNowhere,
}

impl NotChanged {
    const WORDS: [(Self, &'static str); 18] = [
        (Self::TokenRefused, "token-refused"),
        (Self::TokensDoNotCount, "tokens-do-not-count"),
        (Self::NeedsProof, "needs-code"),
        (Self::Unconfirmed, "not-confirmed"),
        (Self::NeedsInvitation, "needs-invitation"),
        (Self::Enrolled, "enrolled"),
        (Self::NotEnrolled, "not-enrolled"),
        (Self::TooMany, "too-many"),
        (Self::SwitchedOff, "switched-off"),
        (Self::AppsDoNotCount, "apps-do-not-count"),
        (Self::BadSecret, "bad-secret"),
        (Self::Closed, "closed"),
        (Self::NoCodes, "no-codes"),
        (Self::SshKey(KeyNotChanged::AlreadyEnrolled), "ssh-key-enrolled"),
        (Self::SshKey(KeyNotChanged::TooMany), "too-many-ssh-keys"),
        (Self::SshKey(KeyNotChanged::NoKey), "no-ssh-key"),
        (Self::SshKey(KeyNotChanged::LastCredential), "last-credential"),
        (Self::SshKey(KeyNotChanged::CountsNowhere), "ssh-keys-count-nowhere"),
    ];

    /// The word of the wire; that of a refused code is the log's.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proof(reason) => reason.word(),
            other => Self::WORDS.iter().find(|(this, _)| *this == other).map_or("", |(_, word)| word),
        }
    }

    /// The reason with that word, where it is none of a code.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, other)| *other == word).map(|(this, _)| *this)
    }
}

/// The changes that the configuration and its rules offer a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The issuer of a new app; the host's name when absent.
    pub issuer: Option<String>,
    /// The parameters of a new app.
    pub parameters: Parameters,
    /// A first app.
    pub enroll: Permitted,
    /// Replacing the app, new recovery codes, forgetting both.
    pub change: Permitted,
    /// Registering a physical token.
    pub tokens: Permitted,
    /// Enrolling a security key of ssh, or taking one away.
    pub ssh_keys: Permitted,
}

/// The conditions of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permitted {
    /// Nothing more than the account's state asks for: a code where it has a factor.
    Yes,
    /// An invitation.
    WithInvitation,
    /// The configuration does not let users do it.
    No,
}

impl Permitted {
    /// The word of the wire and of JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::WithInvitation => "invitation",
            Self::No => "no",
        }
    }

    /// The meaning of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Yes, Self::WithInvitation, Self::No].into_iter().find(|permitted| permitted.word() == word)
    }
}
