//! The course of a login: what is going to be asked, found out before anybody is asked.
//!
//! Who is it → what does the policy say → what does the store say. A login takes this course and `twofactor explain`
//! describes it, so both go through the functions of this file. What always holds: nothing is asked, written or counted
//! here.

use super::request::{Process, Unidentified};
use std::fmt;
use std::time::Duration;

use crate::account::factors::Factors;
use crate::account::remembered::{Place, Recall};
use crate::config::arguments::NullOk;
use crate::config::rule::Facts;
use crate::config::{Config, InvitationRule, SelfRegistration};
use crate::host::clock::UnixTime;
use crate::host::user::Person;
use crate::policy::{self, Decision, MayEnroll, Ruling, Waived};
use crate::store::{EnrollmentStatus, Presence, Remembered, StoreError};

use super::request::World;

/// Asked where the configuration wants an invitation.
pub(super) const INVITATION_PROMPT: &str = "Invitation code: ";
/// Asked before a secret that was kept is shown. Whoever cannot answer is shown nothing.
pub(super) const ONCE_MORE_PROMPT: &str = "Press Enter to see the QR code of your second factor: ";
/// Asked below the QR code.
pub(super) const CONFIRMATION_PROMPT: &str = "Code from the app: ";
/// Asked of who registers a physical token.
pub(super) const SERIAL_PROMPT: &str = "Serial number of the token: ";
pub(super) const FIRST_CODE_PROMPT: &str = "Code it shows now: ";
pub(super) const SECOND_CODE_PROMPT: &str = "Wait for the next code: ";
/// The prompt of `combined` services, for the few clients that show it.
pub(super) const COMBINED_PROMPT: &str = "Password and verification code: ";

/// The prompts of somebody who registers a physical token instead of confirming an app.
pub const REGISTRATION_PROMPTS: [&str; 3] = [SERIAL_PROMPT, FIRST_CODE_PROMPT, SECOND_CODE_PROMPT];

/// What the policy says of the login of `identified`, who was called `typed`; `facts` are about it but for the user.
pub fn judge(
    world: &World<'_>,
    null_ok: NullOk,
    facts: &Facts<'_>,
    typed: &str,
    identified: &Result<Person, Unidentified>,
) -> Ruling {
    let facts = Facts { user: identified.as_ref().ok().map(|person| &person.name), ..*facts };
    // Without a clock every rule has lapsed: what is not known for certain is asked.
    let now = world.clock.now().unwrap_or(UnixTime::from_seconds(u64::MAX));
    let asks_who = world.config.rules.iter().any(|rule| rule.conditions.are_about_people());
    let unknown = match identified {
        Err(Unidentified::Failed(error)) => Some(error.clone().into()),
        // That there is no such user is proved where a rule depends on it.
        Err(Unidentified::Unknown) if asks_who => world.users.has_no_user(typed).err(),
        // The same work, so that time does not tell who exists.
        Ok(_) if asks_who => {
            let _ = world.users.has_no_user(typed);
            None
        }
        Ok(_) | Err(Unidentified::Unknown) => None,
    };
    policy::judge(world.config, null_ok, &facts, unknown, world.users, now)
}

/// How a login goes on after the policy has spoken.
#[derive(Debug)]
#[must_use]
pub enum Course {
    /// Nothing is asked.
    Waived(Waived),
    /// A second factor is set up. `None` for a user who does not exist: he sees the same.
    Enroll(MayEnroll, Option<EnrollmentStatus>, Offering),
    /// A second factor would be set up and could not be stored: asked as anybody else, and refused.
    CannotEnroll(Obstacle),
    /// A code is asked for.
    Code,
    /// Password and code are asked for in one answer.
    Combined,
}

impl Course {
    /// What `decision` means for this login, by what the store knows of the user. What the store cannot answer denies.
    pub fn of(
        decision: Decision,
        factors: Factors,
        remember: Duration,
        facts: &Facts<'_>,
        identified: &Result<Person, Unidentified>,
        world: &World<'_>,
    ) -> Result<Self, StoreError> {
        let combined = world.config.prompt.combined.contains(facts.service);
        let offer = if combined { None } else { Offering::of(world.config, factors, world.process) };
        match (decision, identified, offer) {
            (Decision::Waive(waived), ..) => return Ok(Self::Waived(waived)),
            (Decision::AskOrEnroll(leave), Ok(person), Some(offer)) => {
                match (world.enrollments.enrollment_status(person)?, offer) {
                    (EnrollmentStatus::Enrolled, _) | (EnrollmentStatus::Waiting, Offering::Token) => {}
                    // Whoever has a secret registers no token: the sysadmin gives him one.
                    (kept @ EnrollmentStatus::Waiting, _) => {
                        return Ok(Self::enroll(leave, Some(kept), Offering::App, facts.service, world));
                    }
                    (new @ EnrollmentStatus::New(_), _) => {
                        return Ok(Self::enroll(leave, Some(new), offer, facts.service, world));
                    }
                }
            }
            (Decision::AskOrEnroll(leave), Err(Unidentified::Unknown), Some(offer)) => {
                return Ok(Self::enroll(leave, None, offer, facts.service, world));
            }
            (Decision::AskTheEnrolled(optional), Ok(person), _) => match world.store.presence(&person.name)? {
                Presence::Absent(proof) => return Ok(Self::Waived(optional.waive(proof))),
                Presence::Enrolled => {}
            },
            (Decision::Ask | Decision::AskOrEnroll(_) | Decision::AskTheEnrolled(_), ..) => {}
        }
        if let Some(proof) = remembered(remember, factors, facts, identified, world) {
            return Ok(Self::Waived(Waived::remembered(proof)));
        }
        Ok(if combined { Self::Combined } else { Self::Code })
    }

    /// Without an account line of ours nothing would ever be stored.
    fn enroll(
        leave: MayEnroll,
        status: Option<EnrollmentStatus>,
        offer: Offering,
        service: &str,
        world: &World<'_>,
    ) -> Self {
        if offer == Offering::Token && world.process == Process::ItsUsers {
            return Self::CannotEnroll(Obstacle::RegistersNoTokens);
        }
        match world.services.account_line(service) {
            Ok(()) => Self::Enroll(leave, status, offer),
            Err(problem) => Self::CannotEnroll(Obstacle::NoAccountLine(problem)),
        }
    }

    /// The prompts of somebody who answers each of them right, in their order.
    pub fn prompts<'c>(&self, config: &'c Config) -> Vec<&'c str> {
        match self {
            Self::Waived(_) => Vec::new(),
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

/// Why a second factor could not be set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The service would store nothing, for the reason given in words.
    NoAccountLine(String),
    /// Only a physical token would count, and this process registers none ([`Process::ItsUsers`]).
    RegistersNoTokens,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoAccountLine(problem) => problem,
            Self::RegistersNoTokens => REGISTERS_NO_TOKENS,
        })
    }
}

/// Why a process that belongs to its user registers no token, for the log.
pub(super) const REGISTERS_NO_TOKENS: &str =
    "this program's user could stop it while it holds the registry, so it registers no tokens";

/// What a newcomer may set up at login: what would count the next time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offering {
    /// An app.
    App,
    /// An app, or a physical token that nobody has.
    AppOrToken,
    /// Such a token.
    Token,
}

impl Offering {
    fn of(config: &Config, factors: Factors, process: Process) -> Option<Self> {
        match (factors.app, registers_tokens(config, factors)) {
            (true, true) if process == Process::Roots => Some(Self::AppOrToken),
            (true, _) => Some(Self::App),
            (false, true) => Some(Self::Token),
            (false, false) => None,
        }
    }
}

/// Whether a newcomer may register a token, in a process that can.
pub(super) fn registers_tokens(config: &Config, factors: Factors) -> bool {
    factors.token && config.enrollment.self_registration == SelfRegistration::Allowed
}

/// Where this login would be remembered, and for how long; `None` when it would not.
pub(super) fn memory<'f>(remember: Duration, facts: &Facts<'f>) -> Option<(Place<'f>, Duration)> {
    let place = Place { service: facts.service, address: facts.address()? };
    (!remember.is_zero()).then_some((place, remember))
}

/// The memory of an accepted login like this one. What goes wrong here is met again by whoever judges the code.
fn remembered(
    remember: Duration,
    factors: Factors,
    facts: &Facts<'_>,
    identified: &Result<Person, Unidentified>,
    world: &World<'_>,
) -> Option<Remembered> {
    let (place, longest) = memory(remember, facts)?;
    let like = Recall { place, longest };
    world.store.remembers(identified.as_ref().ok()?, &like, factors).ok().flatten()
}
