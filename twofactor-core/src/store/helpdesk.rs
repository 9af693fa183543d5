//! Verbs of a helpdesk that is not root: what its members may do for other users.
//!
//! Invariants: a code that a user reads to the helpdesk is counted, and used up when it is right: it opens no session for the
//! member who has heard it. The user is told of each act at the next login, but of a look; the notice is written with the act or
//! before it, so a crash leaves a notice too many. Each act but a look stands in the history before it is done; where that cannot
//! be written, nothing is done. The configuration has decided before about which users a member may act.

use std::time::Duration;

use super::administration::{AccountStatus, Newcomer};
use super::error::StoreError;
use super::self_service::OwnedToken;
use crate::account::lifecycle::Stage;
use crate::codes::answer::Answer;
use crate::codes::otp::{Kind, Step};
use crate::codes::temporary::TemporaryCode;
use crate::codes::token::{Label, Serial};
use crate::host::clock::UnixTime;
use crate::host::user::{Person, UserName};
use crate::log::reason::Reason;
use crate::log::record::{Event, Record};

/// The longest that a temporary code is good.
pub const LONGEST_VALID: Duration = Duration::from_hours(30 * 24);

/// The verbs of a helpdesk.
pub trait Helpdesk {
    /// Does `act` for `person`, asked by the member `by`.
    fn help(&self, person: &Person, act: Act, by: &Person) -> Result<Result<Helped, NotHelped>, StoreError>;
}

/// A question of a member.
#[derive(Debug)]
pub struct Request {
    /// The user whom it is about.
    pub whom: Whom,
    /// The act. `None` asks for the leave alone, before the member asks the user for a code.
    pub act: Option<Act>,
}

/// The user whom a question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// A user, with the uid that the member's program has found.
    User(Person),
    /// The owner of a physical token.
    OwnerOf(Serial),
}

/// An act of a member for a user.
#[derive(Debug)]
pub enum Act {
    /// Looks at the account.
    Status,
    /// Tries a code, which is used up.
    Verify(Answer),
    /// Forgets counted failures and remembered logins.
    Unlock,
    /// Gives a temporary code that is good for so long.
    GiveCode(Duration),
    /// Takes the temporary code back.
    RevokeCode,
    /// Forgets apps, ssh keys and recovery codes.
    Reset,
    /// Gives a physical token in inventory.
    Assign(Serial),
    /// Sets a physical token of the user right by two codes, which are used up.
    Resync(OwnedToken),
}

impl Act {
    /// The physical token, of an act about one.
    pub fn serial(&self) -> Option<&Serial> {
        match self {
            Self::Assign(serial) | Self::Resync(OwnedToken { serial, .. }) => Some(serial),
            Self::Status | Self::Verify(_) | Self::Unlock | Self::GiveCode(_) | Self::RevokeCode | Self::Reset => None,
        }
    }

    /// The event of the act, when it is done.
    pub fn event(&self) -> Event {
        match self {
            Self::Status => Event::Viewed,
            Self::Verify(_) => Event::Checked,
            Self::Unlock => Event::Unlocked,
            Self::GiveCode(_) => Event::CodeGiven,
            Self::RevokeCode => Event::CodeRevoked,
            Self::Reset => Event::Reset,
            Self::Assign(_) => Event::Assigned,
            Self::Resync(_) => Event::Resynced,
        }
    }

    /// The name of the act, for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Verify(_) => "verify",
            Self::Unlock => "unlock",
            Self::GiveCode(_) => "code",
            Self::RevokeCode => "code --revoke",
            Self::Reset => "reset",
            Self::Assign(_) => "token assign",
            Self::Resync(_) => "token resync",
        }
    }
}

/// An act that was done.
#[derive(Debug)]
pub enum Helped {
    /// The account.
    Enrolled(Box<AccountStatus>),
    /// A user without an account and with an invitation.
    Invited(Newcomer),
    /// The judgement of a code, and the time until which logins are refused.
    Judged(Verdict, Option<UnixTime>),
    /// Failures that were forgotten.
    Unlocked(u32),
    /// A temporary code.
    CodeGiven {
        /// The code, shown once.
        code: TemporaryCode,
        /// The time until which it is good.
        until: UnixTime,
        /// The time until which logins are refused.
        blocked_until: Option<UnixTime>,
    },
    /// True when there was a temporary code, which is void now.
    CodeRevoked(bool),
    /// The physical tokens that stay.
    Reset(Vec<Serial>),
    /// A token that was assigned.
    Assigned,
    /// A token that is in step again.
    Resynced {
        /// Its owner.
        owner: UserName,
        /// Its kind.
        kind: Kind,
        /// Its drift in steps.
        drift: i32,
        /// The last step that is used up.
        watermark: Option<Step>,
    },
}

impl Helped {
    /// Appends what belongs to the event, for the log and the history.
    pub fn noted_in(&self, record: Record) -> Record {
        match self {
            Self::Judged(verdict, _) => record.with("outcome", verdict.word()),
            Self::Unlocked(failures) => record.with("failures", failures),
            Self::CodeGiven { until, .. } => record.with("until", until),
            Self::Resynced { drift, .. } => record.with("drift", drift),
            Self::Enrolled(_) | Self::Invited(_) | Self::CodeRevoked(_) | Self::Reset(_) | Self::Assigned => record,
        }
    }

    /// True when nothing was done: there was nothing to take back.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::CodeRevoked(false))
    }
}

/// The judgement of a code that opens nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It would open a session.
    Right(Credential),
    /// It was used already.
    Replayed,
    /// It is a code of an app that no code ever confirmed.
    NotConfirmed,
    /// It is a code of a token that opens nothing.
    Disabled {
        /// The token's serial.
        serial: Serial,
        /// The stage, which opens nothing.
        stage: Stage,
    },
    /// It is a code of a physical token at another time.
    TokenOutOfStep {
        /// The token's serial.
        serial: Serial,
        /// Its distance in steps; positive when it is ahead.
        steps: i64,
    },
    /// It is a code of an app at another time.
    AppOutOfStep {
        /// The app's label.
        label: Label,
        /// Its distance in steps; positive when it is ahead.
        steps: i64,
    },
    /// It is none of the user's.
    Wrong,
}

impl Verdict {
    /// The word of the log: `right`, or the reason for which a login would be refused.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Right(_) => "right",
            Self::Replayed => "replayed",
            Self::NotConfirmed => "not-confirmed",
            Self::Disabled { .. } => "token-disabled",
            Self::TokenOutOfStep { .. } | Self::AppOutOfStep { .. } | Self::Wrong => "wrong-code",
        }
    }
}

/// The credential that a right code belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// An app or a physical token.
    Token {
        /// Its serial.
        serial: Serial,
        /// The user's name for it; a physical token's serial.
        label: Label,
        /// Its learned drift in steps.
        drift: i32,
    },
    /// A recovery code.
    Recovery,
    /// The temporary code.
    Temporary,
}

/// The reason for which a member has done nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotHelped {
    /// The user is the member.
    Oneself,
    /// The user is root, another member, or in a protected group.
    Protected,
    /// There is no such user, or the name has passed to another one meanwhile.
    NoUser,
    /// The account belongs to another person, who had the name before.
    AnotherPerson,
    /// The user is not enrolled.
    NotEnrolled,
    /// The user has physical tokens alone, which no reset forgets.
    OnlyTokens,
    /// Too many wrong codes were read to the helpdesk.
    Throttled,
    /// There is no such token.
    NoToken,
    /// The token has an owner.
    Owned,
    /// The token has none.
    NotOwned,
    /// The token is revoked.
    Revoked,
    /// The token is disabled or lost.
    Unusable,
    /// The user has as many tokens as a user can have.
    TooMany,
    /// Another user or token has the token's secret.
    Shared,
    /// The codes are no two consecutive new codes of the token.
    WrongCodes,
}

impl NotHelped {
    /// Every reason, with its word.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::Oneself, "self"),
        (Self::Protected, "protected"),
        (Self::NoUser, "no-user"),
        (Self::AnotherPerson, "another-person"),
        (Self::NotEnrolled, "not-enrolled"),
        (Self::OnlyTokens, "only-tokens"),
        (Self::Throttled, "throttled"),
        (Self::NoToken, "no-token"),
        (Self::Owned, "owned"),
        (Self::NotOwned, "not-owned"),
        (Self::Revoked, "revoked"),
        (Self::Unusable, "unusable"),
        (Self::TooMany, "too-many"),
        (Self::Shared, "shared"),
        (Self::WrongCodes, "wrong-codes"),
    ];

    /// The word of the wire and the log.
    pub fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(this, _)| *this == self).map_or("", |(_, word)| word)
    }

    /// The reason with that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, other)| *other == word).map(|(this, _)| this)
    }

    /// True when codes were read out for the act. Such a refusal stays in the history.
    pub fn is_guess(self) -> bool {
        matches!(self, Self::Throttled | Self::WrongCodes)
    }

    /// The reason of the log.
    pub fn reason(self) -> Reason {
        match self {
            Self::Oneself | Self::Protected => Reason::NotRoot,
            Self::NoUser => Reason::UnknownUser,
            Self::AnotherPerson => Reason::UidChanged,
            Self::NotEnrolled | Self::OnlyTokens => Reason::NotEnrolled,
            Self::Throttled => Reason::Throttled,
            Self::WrongCodes => Reason::WrongCode,
            Self::Unusable | Self::Revoked => Reason::TokenDisabled,
            Self::NoToken | Self::Owned | Self::NotOwned | Self::TooMany | Self::Shared => Reason::FactorNotAllowed,
        }
    }

    /// Appends the refusal of the act with that name, for the log and the history.
    pub fn noted_in(self, record: Record, act: &str) -> Record {
        let problem = format!("helpdesk, {act}: {}", self.word());
        record.with("reason", self.reason()).with("problem", problem)
    }
}
