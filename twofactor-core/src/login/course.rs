//! The course of a login: the questions it will ask, found before the first prompt.
//!
//! User → policy → store. A login follows this course and `twofactor explain` describes it, so both call the functions
//! of this file. Invariant: nothing is asked, written or counted here.

use super::claimant::{Claimant, Unidentified};
use super::request::Process;
use std::fmt;
use std::time::Duration;

use crate::account::factors::Factors;
use crate::account::remembered::{LoginPlace, Recall};
use crate::config::arguments::NullOk;
use crate::config::{Config, InvitationRule, SelfRegistration};
use crate::host::clock::UnixTime;
use crate::log::reason::Reason;
use crate::policy::{self, Decision, MayEnroll, Ruling, Waived};
use crate::store::{EnrollmentStatus, Presence, Recognized, Remembered, StoreError};

use super::request::World;
use super::ssh_key;

/// Asked where the configuration requires an invitation.
pub(super) const INVITATION_PROMPT: &str = "Invitation code: ";
/// Asked before a kept secret is shown: without an answer it stays hidden.
pub(super) const ONCE_MORE_PROMPT: &str = "Press Enter to see the QR code of your second factor: ";
/// Asked below the QR code.
pub(super) const CONFIRMATION_PROMPT: &str = "Code from the app: ";
/// Asked of a user who registers a physical token.
pub(super) const SERIAL_PROMPT: &str = "Serial number of the token: ";
pub(super) const FIRST_CODE_PROMPT: &str = "Code it shows now: ";
pub(super) const SECOND_CODE_PROMPT: &str = "Wait for the next code: ";
/// The prompt of `combined` services, for the few clients that show it.
pub(super) const COMBINED_PROMPT: &str = "Password and verification code: ";

/// The prompts of a user who registers a physical token instead of confirming an app.
pub const REGISTRATION_PROMPTS: [&str; 3] = [SERIAL_PROMPT, FIRST_CODE_PROMPT, SECOND_CODE_PROMPT];

/// The ruling of the policy on the claimant's login, on a PAM line with or without `nullok`.
pub fn judge(world: &World<'_>, null_ok: NullOk, claimant: &Claimant<'_>) -> Ruling {
    // Without a clock every rule has lapsed: what is not known for certain is asked.
    let now = world.clock.now().unwrap_or(UnixTime::from_seconds(u64::MAX));
    let asks_who = world.config.rules.iter().any(|rule| rule.conditions.are_about_people());
    let unknown = match claimant.person() {
        Err(Unidentified::Failed(error)) => Some(error.clone().into()),
        // A rule that names users or groups needs proof that the user does not exist.
        Err(Unidentified::Unknown) if asks_who => world.users.has_no_user(claimant.typed).err(),
        // The same work, so that time does not tell who exists.
        Ok(_) if asks_who => {
            let _ = world.users.has_no_user(claimant.typed);
            None
        }
        Ok(_) | Err(Unidentified::Unknown) => None,
    };
    policy::judge(world.config, null_ok, &claimant.facts(), unknown, world.users, now)
}

/// The course that a login takes after the ruling of the policy.
#[derive(Debug)]
#[must_use]
pub enum Course {
    /// Nothing is asked.
    Waived(Waived),
    /// Nothing is asked of the owner of an enrolled ssh key, which sshd has verified. Where the variable that names it turns
    /// out to be a user's, a code is asked for.
    Key(Recognized),
    /// A second factor is set up. `None` for a user who does not exist and who sees the same.
    Enroll(MayEnroll, Option<EnrollmentStatus>, Offering),
    /// A second factor is due and could not be stored: the user is asked as usual, and refused.
    CannotEnroll(EnrollmentObstacle),
    /// A code is asked for.
    Code,
    /// Password and code are asked for in one answer.
    Combined,
}

impl Course {
    /// Combines the ruling with the user's enrollment. A store that cannot answer is an error, which denies the login.
    pub fn of(
        decision: Decision,
        factors: Factors,
        remember: Duration,
        claimant: &Claimant<'_>,
        world: &World<'_>,
    ) -> Result<Self, StoreError> {
        let combined = world.config.prompt.combined.contains(claimant.service);
        let offer = if combined { None } else { Offering::of(world.config, factors, world.process) };
        match (decision, claimant.person(), offer) {
            (Decision::Waive(waived), ..) => return Ok(Self::Waived(waived)),
            (Decision::AskOrEnroll(leave), Ok(person), Some(offer)) => {
                match (world.enrollments.enrollment_status(person)?, offer) {
                    (EnrollmentStatus::Enrolled, _) | (EnrollmentStatus::Waiting, Offering::Token) => {}
                    // A user with a kept secret registers no token: the sysadmin assigns one.
                    (kept @ EnrollmentStatus::Waiting, _) => {
                        return Ok(Self::enroll(leave, Some(kept), Offering::App, claimant.service, world));
                    }
                    (new @ EnrollmentStatus::New(_), _) => {
                        return Ok(Self::enroll(leave, Some(new), offer, claimant.service, world));
                    }
                }
            }
            (Decision::AskOrEnroll(leave), Err(Unidentified::Unknown), Some(offer)) => {
                return Ok(Self::enroll(leave, None, offer, claimant.service, world));
            }
            (Decision::AskTheEnrolled(optional), Ok(person), _) => match world.store.presence(&person.name)? {
                Presence::Absent(proof) => return Ok(Self::Waived(optional.waive(proof))),
                Presence::Enrolled => {}
            },
            (Decision::Ask | Decision::AskOrEnroll(_) | Decision::AskTheEnrolled(_), ..) => {}
        }
        if let Some(recognized) = ssh_key::recognized(factors, claimant, world) {
            return Ok(Self::Key(recognized));
        }
        if let Some(proof) = remembered(remember, factors, claimant, world) {
            return Ok(Self::Waived(Waived::remembered(proof)));
        }
        Ok(if combined { Self::Combined } else { Self::Code })
    }

    /// Enrollment needs an account line of ours: without one nothing would be stored.
    fn enroll(
        leave: MayEnroll,
        status: Option<EnrollmentStatus>,
        offer: Offering,
        service: &str,
        world: &World<'_>,
    ) -> Self {
        match world.process {
            Process::ItsUsers if offer == Offering::Token => {
                return Self::CannotEnroll(EnrollmentObstacle::RegistersNoTokens);
            }
            Process::Unprivileged => return Self::CannotEnroll(EnrollmentObstacle::NotRoot),
            Process::Roots | Process::ItsUsers => {}
        }
        match world.services.account_line(service) {
            Ok(()) => Self::Enroll(leave, status, offer),
            Err(problem) => Self::CannotEnroll(EnrollmentObstacle::NoAccountLine(problem)),
        }
    }

    /// The number of prompts for a code: one where password and code come together, because libpam keeps the first answer
    /// as PAM_AUTHTOK.
    pub fn tries(&self, config: &Config) -> u8 {
        if matches!(self, Self::Code | Self::Key(_)) { config.prompt.tries } else { 1 }
    }

    /// The prompts, in order, that a user meets whose answers are all right.
    pub fn prompts<'c>(&self, config: &'c Config) -> Vec<&'c str> {
        match self {
            Self::Waived(_) | Self::Key(_) => Vec::new(),
            Self::Enroll(_, status, offer) => {
                let invitation = match config.enrollment.invitation {
                    InvitationRule::None => None,
                    InvitationRule::Required => Some(INVITATION_PROMPT),
                };
                let kept = matches!(status, Some(EnrollmentStatus::Waiting)).then_some(ONCE_MORE_PROMPT);
                let offered = match offer {
                    Offering::App | Offering::AppOrToken => &[CONFIRMATION_PROMPT][..],
                    Offering::Token => &REGISTRATION_PROMPTS[..],
                };
                invitation.into_iter().chain(kept).chain(offered.iter().copied()).collect()
            }
            Self::CannotEnroll(_) | Self::Code => vec![&config.prompt.code],
            Self::Combined => vec![COMBINED_PROMPT],
        }
    }
}

/// The reason for which a second factor could not be set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrollmentObstacle {
    /// The service would store nothing, for the reason given in words.
    NoAccountLine(String),
    /// Only a physical token would count, and this process registers none ([`Process::ItsUsers`]).
    RegistersNoTokens,
    /// The program does not run as root ([`Process::Unprivileged`]).
    NotRoot,
}

impl EnrollmentObstacle {
    /// The log's word for it.
    pub(super) fn reason(&self, claimant: &Claimant<'_>) -> Reason {
        match (self, claimant.person()) {
            (Self::NoAccountLine(_), _) => Reason::NoAccountLine,
            (Self::RegistersNoTokens | Self::NotRoot, Ok(_)) => Reason::NotEnrolled,
            (Self::RegistersNoTokens | Self::NotRoot, Err(unidentified)) => unidentified.reason(),
        }
    }
}

impl fmt::Display for EnrollmentObstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoAccountLine(problem) => problem,
            Self::RegistersNoTokens => REGISTERS_NO_TOKENS,
            Self::NotRoot => "this program does not run as root, so no second factor is set up in it",
        })
    }
}

/// The log's reason for a process that belongs to its user and therefore registers no token.
pub(super) const REGISTERS_NO_TOKENS: &str =
    "this program's user could stop it while it holds the registry, so it registers no tokens";

/// The factors that a newcomer may set up at login: those that the policy will accept at the next login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offering {
    /// An app.
    App,
    /// An app, or a physical token in inventory.
    AppOrToken,
    /// A physical token in inventory.
    Token,
}

impl Offering {
    /// The log's word for a login that has confirmed none of these.
    pub(super) fn refusal(self) -> Reason {
        match self {
            Self::App | Self::AppOrToken => Reason::NotConfirmed,
            Self::Token => Reason::WrongCode,
        }
    }

    fn of(config: &Config, factors: Factors, process: Process) -> Option<Self> {
        match (factors.app, registers_tokens(config, factors)) {
            (true, true) if process == Process::Roots => Some(Self::AppOrToken),
            (true, _) => Some(Self::App),
            (false, true) => Some(Self::Token),
            (false, false) => None,
        }
    }
}

/// True when the configuration lets a newcomer register a token.
pub(super) fn registers_tokens(config: &Config, factors: Factors) -> bool {
    factors.token && config.enrollment.self_registration == SelfRegistration::Allowed
}

/// The place and duration for which this login is remembered; `None` when it is not.
pub(super) fn memory<'c>(remember: Duration, claimant: &'c Claimant<'_>) -> Option<(LoginPlace<'c>, Duration)> {
    let place = LoginPlace { service: claimant.service, address: claimant.facts().address()? };
    (!remember.is_zero()).then_some((place, remember))
}

/// A remembered login like this one. An error counts as none: the redemption that follows meets it again and reports
/// it.
fn remembered(remember: Duration, factors: Factors, claimant: &Claimant<'_>, world: &World<'_>) -> Option<Remembered> {
    let (place, longest) = memory(remember, claimant)?;
    let like = Recall { place, longest };
    world.store.remembers(claimant.person().ok()?, &like, factors).ok().flatten()
}
