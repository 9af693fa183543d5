//! Why a login was not accepted: the stable words of the log. Scripts and fail2ban match on them.

use std::fmt;

/// One word of the log's `reason=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The code belongs to none of the user's tokens.
    WrongCode,
    /// The code was right once and is burned.
    Replayed,
    /// Too many wrong codes; nothing was checked.
    Throttled,
    /// The user has no second factor and the policy asks for one.
    NotEnrolled,
    /// The user's secret was never confirmed by a code.
    NotConfirmed,
    /// The code is right, but its token is put aside or was reported lost.
    TokenDisabled,
    /// The code is right, but codes of its kind do not count for this login.
    FactorNotAllowed,
    /// The invitation code is wrong or void.
    InvitationWrong,
    /// The service has no account line of ours, without which nothing that is set up at login could be stored.
    NoAccountLine,
    /// The account, or its password for good, has expired; nothing that was set up is stored.
    AccountExpired,
    /// The host does not know the user.
    UnknownUser,
    /// The answer was the password again, or sshd's stand-in for one.
    PasswordRepeated,
    /// The answer was empty.
    NoAnswer,
    /// A line above noted that the first factor failed; no code was asked for.
    FirstFactorFailed,
    /// The account belongs to another uid than the user's: the name was given to another person.
    UidChanged,
    /// The store cannot be read or written.
    StoreUnavailable,
    /// The store holds something we did not write.
    StoreCorrupt,
    /// Another login of the same user held the lock for too long.
    LockTimeout,
    /// A file's owner, mode or type would let others change it.
    UnsafeFile,
    /// The module runs without root's rights.
    NotRoot,
    /// The configuration is invalid.
    BadConfig,
    /// A module argument is invalid.
    BadArgument,
    /// The user hung up, or the application did not pass on the prompt or its answer.
    Conversation,
    /// A defect of ours.
    Panic,
}

/// The cause of a refusal: a user who failed to prove who he is, or something broken on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Logged as `denied`; fail2ban may count it.
    Login,
    /// Logged as `error`; the sysadmin has something to mend.
    Host,
}

/// The application's view of a refusal: a return code of pam(3). None of them is success or "ignore".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnCode {
    /// `PAM_AUTH_ERR`
    AuthErr,
    /// `PAM_MAXTRIES`
    MaxTries,
    /// `PAM_USER_UNKNOWN`
    UserUnknown,
    /// `PAM_ACCT_EXPIRED`
    AcctExpired,
    /// `PAM_AUTHINFO_UNAVAIL`
    AuthinfoUnavail,
    /// `PAM_SERVICE_ERR`
    ServiceErr,
    /// `PAM_CONV_ERR`
    ConvErr,
    /// `PAM_ABORT`
    Abort,
}

impl fmt::Display for ReturnCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::AuthErr => "PAM_AUTH_ERR",
            Self::MaxTries => "PAM_MAXTRIES",
            Self::UserUnknown => "PAM_USER_UNKNOWN",
            Self::AcctExpired => "PAM_ACCT_EXPIRED",
            Self::AuthinfoUnavail => "PAM_AUTHINFO_UNAVAIL",
            Self::ServiceErr => "PAM_SERVICE_ERR",
            Self::ConvErr => "PAM_CONV_ERR",
            Self::Abort => "PAM_ABORT",
        })
    }
}

impl Reason {
    /// Every reason, in the order of the manual.
    pub const ALL: [Self; 24] = [
        Self::WrongCode,
        Self::Replayed,
        Self::Throttled,
        Self::NotEnrolled,
        Self::NotConfirmed,
        Self::TokenDisabled,
        Self::FactorNotAllowed,
        Self::InvitationWrong,
        Self::NoAccountLine,
        Self::AccountExpired,
        Self::UnknownUser,
        Self::PasswordRepeated,
        Self::NoAnswer,
        Self::FirstFactorFailed,
        Self::UidChanged,
        Self::StoreUnavailable,
        Self::StoreCorrupt,
        Self::LockTimeout,
        Self::UnsafeFile,
        Self::NotRoot,
        Self::BadConfig,
        Self::BadArgument,
        Self::Conversation,
        Self::Panic,
    ];

    /// The word in the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::WrongCode => "wrong-code",
            Self::Replayed => "replayed",
            Self::Throttled => "throttled",
            Self::NotEnrolled => "not-enrolled",
            Self::NotConfirmed => "not-confirmed",
            Self::TokenDisabled => "token-disabled",
            Self::FactorNotAllowed => "factor-not-allowed",
            Self::InvitationWrong => "invitation-wrong",
            Self::NoAccountLine => "no-account-line",
            Self::AccountExpired => "account-expired",
            Self::UnknownUser => "unknown-user",
            Self::PasswordRepeated => "password-repeated",
            Self::NoAnswer => "no-answer",
            Self::FirstFactorFailed => "first-factor-failed",
            Self::UidChanged => "uid-changed",
            Self::StoreUnavailable => "store-unavailable",
            Self::StoreCorrupt => "store-corrupt",
            Self::LockTimeout => "lock-timeout",
            Self::UnsafeFile => "unsafe-file",
            Self::NotRoot => "not-root",
            Self::BadConfig => "bad-config",
            Self::BadArgument => "bad-argument",
            Self::Conversation => "conversation",
            Self::Panic => "panic",
        }
    }

    /// The application's view of it.
    pub fn return_code(self) -> ReturnCode {
        match self {
            Self::WrongCode
            | Self::Replayed
            | Self::NotEnrolled
            | Self::NotConfirmed
            | Self::TokenDisabled
            | Self::FactorNotAllowed
            | Self::InvitationWrong
            | Self::NoAccountLine
            | Self::PasswordRepeated
            | Self::NoAnswer
            | Self::FirstFactorFailed
            | Self::UidChanged => ReturnCode::AuthErr,
            Self::Throttled => ReturnCode::MaxTries,
            Self::AccountExpired => ReturnCode::AcctExpired,
            Self::UnknownUser => ReturnCode::UserUnknown,
            Self::StoreUnavailable | Self::StoreCorrupt | Self::LockTimeout | Self::UnsafeFile | Self::NotRoot => {
                ReturnCode::AuthinfoUnavail
            }
            Self::BadConfig | Self::BadArgument => ReturnCode::ServiceErr,
            Self::Conversation => ReturnCode::ConvErr,
            Self::Panic => ReturnCode::Abort,
        }
    }

    /// The cause.
    pub fn blame(self) -> Blame {
        match self {
            Self::WrongCode
            | Self::Replayed
            | Self::Throttled
            | Self::NotEnrolled
            | Self::NotConfirmed
            | Self::TokenDisabled
            | Self::FactorNotAllowed
            | Self::InvitationWrong
            | Self::AccountExpired
            | Self::UnknownUser
            | Self::PasswordRepeated
            | Self::NoAnswer
            | Self::FirstFactorFailed
            | Self::UidChanged
            | Self::Conversation => Blame::Login,
            Self::StoreUnavailable
            | Self::StoreCorrupt
            | Self::LockTimeout
            | Self::UnsafeFile
            | Self::NotRoot
            | Self::BadConfig
            | Self::BadArgument
            | Self::NoAccountLine
            | Self::Panic => Blame::Host,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}
