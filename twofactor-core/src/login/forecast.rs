//! The ends that a login can reach, found without an answer: for `twofactor explain`.
//!
//! Invariants: nothing is asked, written or counted. Course, tries, obstacles and reasons come from the functions that a
//! login calls, and a test runs logins against the forecast.

use super::claimant::{Claimant, Unidentified};
use super::course::Course;
use super::outcome::is_used_up;
use super::request::{Process, World};
use super::ssh_key::{KeyObstacle, key_obstacle};
use crate::account::Disqualified;
use crate::account::factors::{Attestation, FactorKind, Factors};
use crate::account::throttle::{Count, Source};
use crate::config::InvitationRule;
use crate::host::clock::UnixTime;
use crate::host::user::Person;
use crate::log::reason::{Reason, ReturnCode};
use crate::store::administration::{AccountStatus, Administration};
use crate::store::{Presence, StoreError};

/// The forecast of a login.
#[derive(Debug)]
pub struct Forecast {
    /// The end with a right code, or after an enrollment.
    pub right: LoginEnd,
    /// The end with neither phone nor token at hand.
    pub without: LoginEnd,
    /// The obstacle of a login with an enrolled ssh key, which is asked nothing where there is none. `None` for a user without
    /// such a key, and where no code is asked for either.
    pub with_key: Option<Result<(), KeyObstacle>>,
    /// The user's credentials.
    pub credentials: Vec<Credential>,
    /// The error of an account that belongs to another person.
    pub another: Option<StoreError>,
    /// The time until which an attempt of this claimant is refused unseen.
    pub delayed_until: Option<UnixTime>,
    /// True for an account of a fleet's central store, which alone knows its credentials: a right code is taken for one that counts.
    pub is_of_fleet: bool,
}

/// The end of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginEnd {
    /// The login is accepted.
    Success,
    /// No code is asked for.
    Ignore,
    /// The login is denied, with this return code.
    Refused(Reason, ReturnCode),
}

/// A credential of the user.
#[derive(Debug)]
pub struct Credential {
    /// Its kind.
    pub kind: FactorKind,
    /// Its name, for people.
    pub name: String,
    /// The obstacle that keeps it from opening this login.
    pub obstacle: Option<Reason>,
}

impl LoginEnd {
    /// A refusal.
    pub fn refused(reason: Reason) -> Self {
        Self::Refused(reason, reason.return_code())
    }

    /// The end after the last of `tries`, all of which ended so.
    fn after(self, tries: u8) -> Self {
        match self {
            Self::Refused(reason, _) if is_used_up(reason, tries) => Self::Refused(reason, ReturnCode::MaxTries),
            other => other,
        }
    }
}

/// Finds the ends of the login that takes `course`, where the policy accepts `factors`.
pub fn forecast(
    course: &Result<Course, StoreError>,
    factors: Factors,
    claimant: &Claimant<'_>,
    world: &World<'_>,
    accounts: &dyn Administration,
) -> Forecast {
    let known = Known::of(claimant, factors, world, accounts);
    let (right, without) = endings(course, claimant, &known, world);
    let Known { credentials, another, delayed_until, of_fleet, .. } = known;
    let is_of_fleet = of_fleet.is_some();
    let credentials = credentials.unwrap_or_default();
    let keys: Vec<Attestation> = credentials.iter().filter_map(|one| attestation(one.kind)).collect();
    let is_asked = matches!(course, Ok(Course::Code | Course::Combined));
    let with_key = (!keys.is_empty() && is_asked)
        .then(|| key_obstacle(&keys, factors, claimant.service, world).map_or(Ok(()), Err));
    Forecast { right, without, with_key, credentials, another, delayed_until, is_of_fleet }
}

/// The attestation of an ssh key; `None` for every other kind.
fn attestation(kind: FactorKind) -> Option<Attestation> {
    match kind {
        FactorKind::SshKey => Some(Attestation::None),
        FactorKind::AttestedSshKey => Some(Attestation::Checked),
        FactorKind::App | FactorKind::Token | FactorKind::Recovery => None,
    }
}

/// The store's knowledge of the user.
struct Known {
    /// The user's credentials, or the reason for which no code of the user is looked at.
    credentials: Result<Vec<Credential>, Reason>,
    /// The reason for which some credentials may be missing here.
    problem: Option<Reason>,
    another: Option<StoreError>,
    delayed_until: Option<UnixTime>,
    /// Of an account that `accounts` does not have and the login's store does: its end without phone and token.
    of_fleet: Option<LoginEnd>,
}

impl Known {
    fn of(claimant: &Claimant<'_>, factors: Factors, world: &World<'_>, accounts: &dyn Administration) -> Self {
        let person = match claimant.person() {
            Ok(person) => person,
            Err(unidentified) => {
                let credentials = Err(unidentified.reason());
                return Self { credentials, problem: None, another: None, delayed_until: None, of_fleet: None };
            }
        };
        // Of a program without root the address is a claim.
        let delayed_until = match world.process {
            Process::Unprivileged => accounts.blocked_until(&person.name, Count::Unprivileged, &Source::claimed()),
            Process::Roots | Process::ItsUsers => accounts.blocked_until(&person.name, Count::Logins, &claimant.source),
        };
        let delayed_until = delayed_until.ok().flatten();
        let credentials_of_none = Err(Reason::NotEnrolled);
        let known =
            Self { credentials: credentials_of_none, problem: None, another: None, delayed_until, of_fleet: None };
        match account_of(person, world, accounts) {
            Ok(Account::Here(status)) => Self {
                problem: status.tokens_problem.as_ref().map(StoreError::reason),
                credentials: Ok(credentials(&status, factors)),
                ..known
            },
            Ok(Account::None) => known,
            Ok(Account::OfFleet) => {
                Self { credentials: Ok(Vec::new()), of_fleet: Some(by_recovery_code(person, factors, world)), ..known }
            }
            Err(error @ StoreError::UidChanged { .. }) => {
                Self { credentials: Err(error.reason()), another: Some(error), ..known }
            }
            Err(error) => Self { credentials: Err(error.reason()), ..known },
        }
    }
}

/// The account that a login would open.
enum Account {
    /// The user is not enrolled.
    None,
    /// It is in the files of this host.
    Here(Box<AccountStatus>),
    /// It is in the central store of a fleet.
    OfFleet,
}

fn account_of(person: &Person, world: &World<'_>, accounts: &dyn Administration) -> Result<Account, StoreError> {
    // A login does not take a missing folder for absence, as the tool does elsewhere.
    match world.store.presence(&person.name)? {
        Presence::Absent(_) => return Ok(Account::None),
        Presence::Enrolled => {}
    }
    match accounts.check_owner(person) {
        Err(error @ StoreError::UidChanged { .. }) => Err(error),
        // An unreadable account is met again.
        Ok(()) | Err(_) => {
            let status = accounts.status(&person.name)?;
            Ok(status.map_or(Account::OfFleet, |status| Account::Here(Box::new(status))))
        }
    }
}

/// The end of a login with a recovery code, of a user whose account is in another store.
fn by_recovery_code(person: &Person, factors: Factors, world: &World<'_>) -> LoginEnd {
    match world.store.recovery_left(person) {
        Ok(Some(1..)) if factors.include(FactorKind::Recovery) => LoginEnd::Success,
        Ok(_) => LoginEnd::refused(Reason::WrongCode),
        Err(error) => LoginEnd::refused(error.reason()),
    }
}

fn credentials(status: &AccountStatus, factors: Factors) -> Vec<Credential> {
    let reason = |why: Option<Disqualified>| why.map(Disqualified::reason);
    let apps = status.apps.iter().map(|app| Credential {
        kind: FactorKind::App,
        name: format!("app \"{}\" ({})", app.label, app.parameters.kind.name()),
        obstacle: reason(Disqualified::app(app.confirmation, factors)),
    });
    let tokens = status.tokens.iter().map(|token| Credential {
        kind: FactorKind::Token,
        name: format!("token {} ({})", token.serial, token.parameters.kind.name()),
        obstacle: reason(Disqualified::token(token.stage, factors)),
    });
    let recovery = (status.recovery_left > 0).then(|| Credential {
        kind: FactorKind::Recovery,
        name: match status.recovery_left {
            1 => "1 recovery code".to_owned(),
            left => format!("{left} recovery codes"),
        },
        obstacle: reason(Disqualified::recovery(factors)),
    });
    let temporary = status.temporary_until.map(|until| Credential {
        kind: FactorKind::Recovery,
        name: format!("a temporary code until {until}"),
        obstacle: reason(Disqualified::recovery(factors)),
    });
    let ssh_keys = status.ssh_keys.iter().map(|one| Credential {
        kind: match one.attestation {
            Attestation::Checked => FactorKind::AttestedSshKey,
            Attestation::None => FactorKind::SshKey,
        },
        name: format!("ssh key \"{}\" ({})", one.label, one.key.fingerprint()),
        obstacle: reason(Disqualified::ssh_key(one.attestation, factors)),
    });
    apps.chain(tokens).chain(recovery).chain(temporary).chain(ssh_keys).collect()
}

/// The ends with a right code, and with neither phone nor token at hand.
fn endings(
    course: &Result<Course, StoreError>,
    claimant: &Claimant<'_>,
    known: &Known,
    world: &World<'_>,
) -> (LoginEnd, LoginEnd) {
    let both = |reason| (LoginEnd::refused(reason), LoginEnd::refused(reason));
    let unidentified = claimant.person().err().map(Unidentified::reason);
    let course = match course {
        Ok(course) => course,
        Err(error) => return both(error.reason()),
    };
    let (right, without) = match course {
        Course::Waived(_) => (LoginEnd::Ignore, LoginEnd::Ignore),
        Course::Key(_) => (LoginEnd::Success, LoginEnd::Success),
        Course::CannotEnroll(obstacle) => both(obstacle.reason(claimant)),
        Course::Enroll(_, _, offering) => {
            let without = LoginEnd::refused(offering.refusal());
            let invited = world.config.enrollment.invitation == InvitationRule::Required;
            match unidentified {
                Some(reason) if invited => both(reason),
                // Wrong codes are judged before the login looks at the user.
                Some(reason) => (LoginEnd::refused(reason), without),
                // Only invitations are counted: the code that confirms a secret just shown is no guess.
                None if invited && known.delayed_until.is_some() => both(Reason::Throttled),
                None => (LoginEnd::Success, without),
            }
        }
        Course::Code | Course::Combined => match (unidentified, &known.credentials) {
            (Some(reason), _) | (None, &Err(reason)) => both(reason),
            (None, Ok(_)) if known.delayed_until.is_some() => both(Reason::Throttled),
            (None, Ok(credentials)) => {
                if let Some(without) = known.of_fleet {
                    return (LoginEnd::Success, without);
                }
                let is_recovery = |one: &&Credential| one.kind == FactorKind::Recovery;
                // A key answers no prompt.
                let answers = credentials.iter().filter(|one| attestation(one.kind).is_none());
                let (recovery, codes): (Vec<_>, Vec<_>) = answers.partition(is_recovery);
                (known.ending(&codes), known.ending(&recovery))
            }
        },
    };
    let tries = course.tries(world.config);
    (right.after(tries), without.after(tries))
}

impl Known {
    /// The end of a login for a user who has these credentials.
    fn ending(&self, credentials: &[&Credential]) -> LoginEnd {
        if credentials.iter().any(|credential| credential.obstacle.is_none()) {
            return LoginEnd::Success;
        }
        // An answer that fits nothing is wrong, unless it may fit a credential that cannot be read now.
        let wrong = self.problem.unwrap_or(Reason::WrongCode);
        LoginEnd::refused(credentials.iter().find_map(|credential| credential.obstacle).unwrap_or(wrong))
    }
}
