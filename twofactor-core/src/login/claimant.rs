//! The user who logs in and the origin of the login, found once at its start.

use crate::account::throttle::Source;
use crate::config::rule::Facts;
use crate::host::user::{LookupError, Person, UserDatabase, UserName};
use crate::log::reason::Reason;

/// The user who asks to be let in, through one service and from one place. Made once and borrowed from then on.
#[derive(Debug)]
pub struct Claimant<'a> {
    /// The name as typed (PAM_USER).
    pub typed: &'a str,
    /// The canonical name with its present uid. A failure is kept until after the prompt, which must not reveal which users
    /// exist.
    pub identified: Result<Person, Unidentified>,
    /// PAM_SERVICE.
    pub service: &'a str,
    /// PAM_RHOST.
    pub rhost: Option<&'a str>,
    /// The source that wrong codes are counted for.
    pub source: Source,
    /// SSH_AUTH_INFO_0, by which sshd names the keys that it has verified.
    pub auth_info: Option<&'a str>,
}

/// The reason for which a user was not identified.
#[derive(Debug)]
pub enum Unidentified {
    /// There is no such user.
    Unknown,
    /// The look-up failed.
    Failed(LookupError),
}

impl Unidentified {
    /// The log's word for it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unknown => Reason::UnknownUser,
            Self::Failed(_) => Reason::StoreUnavailable,
        }
    }
}

impl<'a> Claimant<'a> {
    /// Looks up the user `typed`, who logs in through `service` from `rhost`.
    pub fn identify(users: &dyn UserDatabase, typed: &'a str, service: &'a str, rhost: Option<&'a str>) -> Self {
        let identified = match users.person(typed) {
            Ok(Some(person)) => Ok(person),
            Ok(None) => Err(Unidentified::Unknown),
            Err(error) => Err(Unidentified::Failed(error)),
        };
        Self { typed, identified, service, rhost, source: Source::from_rhost(rhost), auth_info: None }
    }

    /// The user, once identified.
    pub fn person(&self) -> Result<&Person, &Unidentified> {
        self.identified.as_ref()
    }

    /// The canonical name, when it is known.
    pub fn name(&self) -> Option<&UserName> {
        self.person().ok().map(|person| &person.name)
    }

    /// The canonical name, or the typed one where that is not known.
    pub fn name_or_typed(&self) -> &str {
        self.name().map_or(self.typed, UserName::as_str)
    }

    /// The facts that rules match on.
    pub fn facts(&self) -> Facts<'_> {
        Facts { user: self.name(), service: self.service, rhost: self.rhost }
    }
}
