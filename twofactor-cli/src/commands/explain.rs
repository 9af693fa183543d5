//! `twofactor explain USER --service S`: the questions of a login, the reasons for them and its end. Asks no user and changes
//! nothing.
//!
//! Invariants: the answer comes from where a login gets it. The user, the policy's ruling, the course and its ends are found
//! by the functions of `twofactor_core::login`, with the arguments of the service's own PAM line. Only the failures that come
//! before a login are judged here: a service without the module, a wrong PAM line, a program that cannot ask.

mod explanation;
mod words;

use std::path::Path;

use twofactor_admin::checkup::{self, services::of_program};
use twofactor_core::config::Expected;
use twofactor_core::config::arguments::Arguments;
use twofactor_core::config::rule::Demand;
use twofactor_core::host::user::SystemUsers;
use twofactor_core::host::user::expiry::{KnownExpiry, Shadow};
use twofactor_core::log::reason::Reason;
use twofactor_core::login::{self, Claimant, Course, LoginEnd, Process, SystemServices, Unidentified, World};
use twofactor_core::pam_service::programs;
use twofactor_core::policy::By;
use twofactor_core::store::{self, EnrollmentStore, LocalAndCentral, Store};

use crate::args;
use crate::error::Failure;
use crate::host::{self, Host, broker_problem};
use crate::output::{self, Output, Stream};

use explanation::{Explanation, Stack};

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
    if host.config.central_store.is_some() && host.config.membership.is_none() {
        output::warning(
            "logins on this machine do not ask the central store: it is none of the hosts (twofactor fleet join)",
        );
    }
    output.report(|| words::as_text(&explained, output.screen(Stream::Results)), || words::as_json(&explained))?;
    match (explained.claimant.identified, explained.course) {
        (Err(Unidentified::Unknown), _) => Err(Failure::UnknownUser(arguments.user.clone())),
        (Err(Unidentified::Failed(error)), _) => Err(error.into()),
        (Ok(_), Err(error)) => Err(error.into()),
        (Ok(_), Ok(_)) => Ok(()),
    }
}

fn explain<'a>(
    arguments: &'a args::Explain,
    stack: Stack,
    line: Arguments,
    host: &'a Host,
) -> Result<Explanation<'a>, Failure> {
    let config = &host.config;
    // As the module has it on a host of a fleet.
    let of_fleet = host::asks_a_fleet(config).then(|| LocalAndCentral::new(store::open(config, host.clock)));
    let (store, enrollments): (&dyn Store, &dyn EnrollmentStore) = match &of_fleet {
        Some(both) => (both, both),
        None => (&*host.accounts, &*host.accounts),
    };
    let world = World {
        config,
        users: &SystemUsers,
        store,
        enrollments,
        services: &SystemServices,
        process: Process::of_service(&arguments.service),
        host_name: "",
        clock: &host.clock,
    };
    let now = host.now()?;
    let (typed, service, rhost) = (&arguments.user, &arguments.service, arguments.rhost.as_deref());
    let claimant = Claimant::identify(&SystemUsers, typed, service, rhost);
    let ruling = login::judge(&world, line.null_ok, &claimant);
    let demand = match &ruling.by {
        By::Rule(number) => config.rules.iter().find(|rule| rule.line == *number).map(|rule| rule.demand),
        By::Default => Some(Demand::at(config.default_level)),
        By::Doubt(_) => None,
    };
    let demand = demand.unwrap_or(Demand { factors: ruling.factors, ..Demand::at(ruling.level) });
    let course = Course::of(ruling.decision, ruling.factors, ruling.remember, &claimant, &world);
    let forecast = login::forecast(&course, ruling.factors, &claimant, &world, &*host.accounts);
    let of_program = stack.service.as_ref().and_then(|service| of_program(service, config));
    let of_program = of_program.or_else(|| absent_broker(&stack));
    let mut unasked = None;
    let refused = |reason| (Some(LoginEnd::refused(reason)), Some(LoginEnd::refused(reason)));
    let (right, without) = match &of_program {
        _ if stack.auth.as_ref().is_ok_and(Vec::is_empty) => {
            unasked = Some("the service does not run pam_twofactor".to_owned());
            (None, None)
        }
        // Root's rights are looked at before anything else.
        Some((checkup::Id::ProgramNotRoot | checkup::Id::BrokerAbsent, what)) => {
            unasked = Some(what.clone());
            refused(Reason::NotRoot)
        }
        _ if !line.problems.is_empty() => refused(Reason::BadArgument),
        Some((checkup::Id::ProgramRepeatsPassword, _)) if matches!(course, Ok(Course::Code)) => {
            refused(Reason::PasswordRepeated)
        }
        _ => (Some(forecast.right), Some(forecast.without)),
    };
    let asked = course.as_ref().ok().filter(|_| line.problems.is_empty() && unasked.is_none());
    let mut prompts = asked.map_or_else(Vec::new, |course| course.prompts(config));
    if matches!(asked, Some(Course::Waived(_))) && config.prompt.combined.contains(&arguments.service) {
        // A right code behind the password is taken off all the same, so the password is asked for here.
        prompts = Course::Combined.prompts(config);
    }
    let aging = claimant.name().map(|user| Shadow::of_host().known(user, now));
    let expired = match aging {
        Some(Ok(KnownExpiry::All(expired))) => expired,
        // The module asks the helper of pam_unix; who is said to be closed here is closed for certain.
        Some(Ok(KnownExpiry::AskHelper(_)) | Err(_)) | None => None,
    };
    Ok(Explanation {
        expired,
        claimant,
        stack,
        arguments: line,
        config: host.config_file.clone(),
        passed: ruling.passed,
        by: ruling.by,
        demand,
        level: ruling.level,
        prompts: prompts.into_iter().map(str::to_owned).collect(),
        unasked,
        of_program,
        tries: course.as_ref().map_or(1, |course| course.tries(config)),
        course,
        forecast,
        right,
        without,
    })
}

/// The broker that the program of a service needs and that does not listen.
fn absent_broker(stack: &Stack) -> Option<(checkup::Id, String)> {
    let service = stack.service.as_ref().filter(|service| programs::needs_broker(&service.name))?;
    let problem = broker_problem()?;
    Some((checkup::Id::BrokerAbsent, format!("{}: {problem}: systemctl enable --now twofactord.socket", service.name)))
}
