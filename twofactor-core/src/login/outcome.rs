//! How a login ends.

use crate::account::invitation::Invitation;
use crate::host::user::Person;
use crate::log::reason::Reason;
use crate::policy::Waived;
use crate::store::{Pending, Redeemed};

/// What the authentication leaves to the account phase, which applications run only when all of it was a success.
#[derive(Debug)]
pub enum Unfinished {
    /// A second factor that was confirmed: it is going to be stored.
    Confirmed(Pending),
    /// A secret that was kept (`reset --keep-secret`): the store gives it away in the account phase, to be shown and
    /// confirmed. Before, behind a wrong password, anybody could look at what is going to be good again.
    Kept {
        /// Whose.
        user: Person,
        /// The invitation that is spent on it.
        invitation: Option<Invitation>,
    },
}

impl Unfinished {
    /// Whose second factor it is.
    pub fn user(&self) -> &Person {
        match self {
            Self::Confirmed(pending) => &pending.user,
            Self::Kept { user, .. } => user,
        }
    }
}

/// How a login ends.
#[derive(Debug)]
#[must_use]
pub enum Verdict {
    /// A code was right and is burned.
    Accepted(Redeemed),
    /// The policy asked nothing.
    Waived(Waived),
    /// Somebody sets up a second factor. The account phase stores it, and only then the login is one.
    Pending(Box<Unfinished>),
    /// Neither. The reason of the last try.
    Denied(Reason),
    /// Neither, and every try of several was used.
    TriesUsedUp(Reason),
}
