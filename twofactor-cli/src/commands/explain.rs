//! `twofactor explain USER --service S`: the questions of a login, the reasons for them and its end. Asks no user and changes
//! nothing.
//!
//! Invariants: the answer comes from where a login gets it. Who the user is, what the policy says and what is asked
//! are found by the functions of `twofactor_core::login` that the module calls, with the arguments of the service's own PAM
//! line; only how it would end is put together here, from what the store knows of the user's credentials.

mod explanation;
mod words;

use std::path::Path;

use twofactor_admin::checkup::{self, services::of_program};
use twofactor_core::account::Confirmation;
use twofactor_core::account::factors::Factors;
use twofactor_core::account::throttle::Source;
use twofactor_core::config::arguments::Arguments;
use twofactor_core::config::rule::{Demand, Facts};
use twofactor_core::config::{Expected, InvitationRule};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::expiry::{Known as Aging, Shadow};
use twofactor_core::host::user::{Person, SystemUsers};
use twofactor_core::log::reason::Reason;
use twofactor_core::login::{self, Course, Obstacle, Offering, Process, SystemServices, Unidentified, World};
use twofactor_core::policy::By;
use twofactor_core::store::administration::Status;
use twofactor_core::store::{Presence, StoreError};

use crate::args;
use crate::error::Failure;
use crate::host::Host;
use crate::output::{self, Output, Stream};

use explanation::{Credential, Ending, Explanation, Kind, Stack};

pub(crate) fn run(arguments: &args::Explain, named: Option<&Path>, output: &Output) -> Result<(), Failure> {
    let stack = Stack::of(&arguments.service);
    let line = Arguments::parse(stack.arguments());
    // The configuration that the module would read, unless another one is named.
    let from_line = (line.expected == Expected::Certainly).then_some(line.conf.as_path());
    let host = Host::open(named.or(from_line))?;
    let explained = explain(arguments, stack, line, &host)?;
    for warning in explained.warnings(named) {
        output::warning(&warning);
    }
    output.report(|| words::as_text(&explained, output.screen(Stream::Results)), || words::as_json(&explained))?;
    match (explained.identified, explained.course) {
        (Err(Unidentified::Unknown), _) => Err(Failure::UnknownUser(arguments.user.clone())),
        (Err(Unidentified::Failed(error)), _) => Err(error.into()),
        (Ok(_), Err(error)) => Err(error.into()),
        (Ok(_), Ok(_)) => Ok(()),
    }
}

fn explain(arguments: &args::Explain, stack: Stack, line: Arguments, host: &Host) -> Result<Explanation, Failure> {
    let config = &host.config;
    let world = World {
        config,
        users: &SystemUsers,
        store: &*host.accounts,
        enrollments: &*host.accounts,
        services: &SystemServices,
        process: Process::of_service(&arguments.service),
        host_name: "",
        clock: &host.clock,
    };
    let now = host.now()?;
    let facts = Facts { user: None, service: &arguments.service, rhost: arguments.rhost.as_deref() };
    let identified = login::identify(&SystemUsers, &arguments.user);
    let ruling = login::judge(&world, line.null_ok, &facts, &arguments.user, &identified);
    let demand = match &ruling.by {
        By::Rule(number) => config.rules.iter().find(|rule| rule.line == *number).map(|rule| rule.demand),
        By::Default => Some(Demand::at(config.default_level)),
        By::Doubt(_) => None,
    };
    let demand = demand.unwrap_or(Demand { factors: ruling.factors, ..Demand::at(ruling.level) });
    let course = Course::of(ruling.decision, ruling.factors, ruling.remember, &facts, &identified, &world);
    let tries = if matches!(course, Ok(Course::Code)) { config.prompt.tries } else { 1 };
    let source = Source::from_rhost(facts.rhost);
    let known = Known::of(identified.as_ref().ok(), &source, ruling.factors, host);
    let both = |ending: Ending| (ending, ending);
    let of_program = stack.service.as_ref().and_then(|service| of_program(service, &config.prompt.combined));
    let mut unasked = None;
    let (right, without) = match &of_program {
        _ if stack.auth.as_ref().is_ok_and(Vec::is_empty) => {
            unasked = Some("the service does not run pam_twofactor".to_owned());
            both(Ending::NotRun)
        }
        // Root's rights are looked at before anything else.
        Some((checkup::Id::ProgramNotRoot, what)) => {
            unasked = Some(what.clone());
            both(Ending::refused(Reason::NotRoot))
        }
        _ if !line.problems.is_empty() => both(Ending::refused(Reason::BadArgument)),
        Some((checkup::Id::ProgramRepeatsPassword, _)) if matches!(course, Ok(Course::Code)) => {
            both(Ending::refused(Reason::PasswordRepeated))
        }
        _ => endings(&course, &identified, &known, host, tries),
    };
    let asked = course.as_ref().ok().filter(|_| line.problems.is_empty() && unasked.is_none());
    let mut prompts = asked.map_or_else(Vec::new, |course| course.prompts(config));
    if matches!(asked, Some(Course::Waived(_))) && config.prompt.combined.contains(&arguments.service) {
        // A right code behind the password is taken off all the same, so the password is asked for here.
        prompts = Course::Combined.prompts(config);
    }
    let aging = identified.as_ref().ok().map(|person| Shadow::of_host().known(&person.name, now));
    let expired = match aging {
        Some(Ok(Aging::All(expired))) => expired,
        // The module asks the helper of pam_unix; who is said to be closed here is closed for certain.
        Some(Ok(Aging::AskHelper(_)) | Err(_)) | None => None,
    };
    Ok(Explanation {
        expired,
        typed: arguments.user.clone(),
        service: arguments.service.clone(),
        rhost: arguments.rhost.clone(),
        stack,
        arguments: line,
        config: host.config_file.clone(),
        identified,
        passed: ruling.passed,
        by: ruling.by,
        demand,
        level: ruling.level,
        prompts: prompts.into_iter().map(str::to_owned).collect(),
        unasked,
        of_program,
        tries,
        course,
        delayed_until: known.delayed_until,
        credentials: known.credentials.unwrap_or_default(),
        another: known.another,
        right,
        without,
    })
}

/// The store's knowledge of the user.
struct Known {
    /// The user's credentials, or the reason for which no code of his is looked at.
    credentials: Result<Vec<Credential>, Reason>,
    /// Why more may be there than is known.
    problem: Option<Reason>,
    /// Why the account is another person's.
    another: Option<StoreError>,
    /// Until when an attempt from here is refused unseen.
    delayed_until: Option<UnixTime>,
}

impl Known {
    fn of(person: Option<&Person>, source: &Source, factors: Factors, host: &Host) -> Self {
        let Some(person) = person else {
            return Self { credentials: Err(Reason::UnknownUser), problem: None, another: None, delayed_until: None };
        };
        let user = &person.name;
        let delayed = host.accounts.blocked_until(user, source);
        let mut known = Self {
            credentials: Err(Reason::NotEnrolled),
            problem: None,
            another: None,
            delayed_until: delayed.as_ref().ok().copied().flatten(),
        };
        // A login does not take a missing folder for absence, as the tool does elsewhere.
        match host.accounts.presence(user) {
            Ok(Presence::Absent(_)) => return known,
            Ok(Presence::Enrolled) => {}
            Err(error) => return Self { credentials: Err(error.reason()), ..known },
        }
        // What cannot be read is met again.
        if let Err(error @ StoreError::UidChanged { .. }) = host.accounts.check_owner(person) {
            return Self { credentials: Err(error.reason()), another: Some(error), ..known };
        }
        match host.accounts.status(user) {
            Ok(Some(status)) => {
                known.problem = status.tokens_problem.as_ref().map(StoreError::reason);
                known.credentials = Ok(credentials(&status, factors));
            }
            Ok(None) => {}
            Err(error) => known.credentials = Err(error.reason()),
        }
        known
    }
}

fn credentials(status: &Status, factors: Factors) -> Vec<Credential> {
    let not_allowed = |counts: bool| (!counts).then_some(Reason::FactorNotAllowed);
    let apps = status.apps.iter().map(|app| {
        let pending = (app.confirmation == Confirmation::Pending).then_some(Reason::NotConfirmed);
        let name = format!("app \"{}\" ({})", app.label, app.parameters.kind.name());
        Credential { kind: Kind::App, name, obstacle: pending.or(not_allowed(factors.app)) }
    });
    let tokens = status.tokens.iter().map(|token| {
        let disabled = (!token.stage.is_usable()).then_some(Reason::TokenDisabled);
        let name = format!("token {} ({})", token.listed.serial, token.listed.parameters.kind.name());
        Credential { kind: Kind::Token, name, obstacle: disabled.or(not_allowed(factors.token)) }
    });
    let recovery = (status.recovery_left > 0).then(|| Credential {
        kind: Kind::Recovery,
        name: match status.recovery_left {
            1 => "1 recovery code".to_owned(),
            left => format!("{left} recovery codes"),
        },
        obstacle: not_allowed(factors.recovery),
    });
    apps.chain(tokens).chain(recovery).collect()
}

/// The ends of the login with a right code, and with neither phone nor token at hand.
fn endings(
    course: &Result<Course, StoreError>,
    identified: &Result<Person, Unidentified>,
    known: &Known,
    host: &Host,
    tries: u8,
) -> (Ending, Ending) {
    let both = |reason| (Ending::refused(reason), Ending::refused(reason));
    let nobody = match identified {
        Ok(_) => None,
        Err(Unidentified::Unknown) => Some(Reason::UnknownUser),
        Err(Unidentified::Failed(_)) => Some(Reason::StoreUnavailable),
    };
    match course {
        Err(error) => both(error.reason()),
        Ok(Course::Waived(_)) => (Ending::Ignore, Ending::Ignore),
        Ok(Course::CannotEnroll(Obstacle::NoAccountLine(_))) => both(Reason::NoAccountLine),
        Ok(Course::CannotEnroll(Obstacle::RegistersNoTokens | Obstacle::NotRoot)) => {
            both(nobody.unwrap_or(Reason::NotEnrolled))
        }
        Ok(Course::Enroll(_, _, offering)) => {
            let without = match offering {
                Offering::App | Offering::AppOrToken => Reason::NotConfirmed,
                Offering::Token => Reason::WrongCode,
            };
            let invited = host.config.enrollment.invitation == InvitationRule::Required;
            match nobody {
                Some(reason) if invited => both(reason),
                // Wrong codes are judged before it matters who types them.
                Some(reason) => (Ending::refused(reason), Ending::refused(without)),
                // Only invitations are counted: what confirms a secret that was just shown is no guess.
                None if invited && known.delayed_until.is_some() => both(Reason::Throttled),
                None => (Ending::Success, Ending::refused(without)),
            }
        }
        Ok(Course::Code | Course::Combined) => {
            let (right, without) = match (nobody, &known.credentials) {
                (Some(reason), _) | (None, &Err(reason)) => both(reason),
                (None, Ok(_)) if known.delayed_until.is_some() => both(Reason::Throttled),
                (None, Ok(credentials)) => {
                    let of = |codes: bool| credentials.iter().filter(move |one| (one.kind != Kind::Recovery) == codes);
                    (ending(of(true), known), ending(of(false), known))
                }
            };
            (right.after(tries), without.after(tries))
        }
    }
}

/// The end of a login for a user who has these.
fn ending<'c>(credentials: impl Iterator<Item = &'c Credential>, known: &Known) -> Ending {
    let mut obstacles = Vec::new();
    for credential in credentials {
        match credential.obstacle {
            None => return Ending::Success,
            Some(obstacle) => obstacles.push(obstacle),
        }
    }
    // A code of nothing is a wrong one, unless it could be of something that cannot be read now.
    let wrong = known.problem.unwrap_or(Reason::WrongCode);
    Ending::refused(obstacles.first().copied().unwrap_or(wrong))
}
