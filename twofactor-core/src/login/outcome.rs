//! The verdicts of a login, and the work it leaves to the account phase.

use crate::account::invitation::Invitation;
use crate::host::user::Person;
use crate::log::reason::Reason;
use crate::policy::Waived;
use crate::store::{Pending, Recognized, Redeemed};

/// The work that the authentication leaves to the account phase, which applications run only after a successful
/// authentication.
#[derive(Debug)]
pub enum Unfinished {
    /// A confirmed second factor, which the account phase stores.
    Confirmed(Pending),
    /// A kept secret (`reset --keep-secret`). The account phase gets it from the store, shows it and asks for a code.
    /// Shown earlier, behind a wrong password, it would give an attacker a secret that will be valid again.
    Kept {
        /// Its owner.
        user: Person,
        /// The invitation that is spent on it.
        invitation: Option<Invitation>,
    },
}

impl Unfinished {
    /// The owner of the second factor.
    pub fn user(&self) -> &Person {
        match self {
            Self::Confirmed(pending) => &pending.user,
            Self::Kept { user, .. } => user,
        }
    }
}

/// The verdict on a login.
#[derive(Debug)]
#[must_use]
pub enum Verdict {
    /// A code was right and is burned.
    Accepted(Redeemed),
    /// sshd has verified a key that is enrolled.
    Recognized(Recognized),
    /// The policy asked nothing.
    Waived(Waived),
    /// The user sets up a second factor. The login succeeds only once the account phase has stored it.
    Pending(Box<Unfinished>),
    /// Neither. The reason of the last try.
    Denied(Reason),
    /// Neither, and every try of several was used.
    TriesUsedUp(Reason),
}

impl Verdict {
    /// The refusal of the last try of `tries`, for `reason`.
    pub(super) fn refused(reason: Reason, tries: u8) -> Self {
        if is_used_up(reason, tries) { Self::TriesUsedUp(reason) } else { Self::Denied(reason) }
    }
}

/// True when a refusal for `reason` was the last of several tries.
pub(super) fn is_used_up(reason: Reason, tries: u8) -> bool {
    tries > 1 && may_try_again(reason)
}

/// True when the login asks again after this refusal. Users who are not enrolled, do not exist or are not the person of
/// the account are asked as often as all others.
pub(super) fn may_try_again(reason: Reason) -> bool {
    let about_the_code = matches!(
        reason,
        Reason::WrongCode | Reason::Replayed | Reason::NotConfirmed | Reason::TokenDisabled | Reason::FactorNotAllowed
    );
    about_the_code
        || matches!(
            reason,
            Reason::NotEnrolled
                | Reason::UnknownUser
                | Reason::UidChanged
                | Reason::PasswordRepeated
                | Reason::NoAnswer
        )
}
