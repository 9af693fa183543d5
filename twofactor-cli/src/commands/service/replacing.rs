//! Lines of pam_google_authenticator and pam_oath in the place of which ours comes to stand.
//!
//! Invariants: their users are taken over before a line goes. While one of them cannot be, or a service would refuse a user who
//! is not enrolled, the line stays, unless `--force`.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use twofactor_admin::checkup::people::{Has, Person};
use twofactor_admin::pam_editing::placing;
use twofactor_core::account::factors::FactorKind;
use twofactor_core::pam_service::findings::Place;
use twofactor_core::pam_service::{Line, Service};

use crate::args;
use crate::args::import::Taking;
use crate::commands::import::{UserResult, failure, summary, take_over_users_of};
use crate::error::{Failure, ServiceFailure};
use crate::host::Host;
use crate::output::{self, Output};
use crate::terminal::{self, Yes};

use super::enable_plan::{EnablePlan, Replaces};
use super::plan::{Consent, Named, folders};
use super::remarks::{Refused, Remarks};

/// The decision about such lines, service by service.
pub(super) struct Replacing<'a> {
    arguments: &'a args::services::Enable,
    /// The lines that stay, each with its service.
    kept: Vec<(String, Place)>,
}

impl<'a> Replacing<'a> {
    pub(super) fn new(arguments: &'a args::services::Enable) -> Self {
        Self { arguments, kept: Vec::new() }
    }

    /// `--replace`, or a yes at the terminal.
    pub(super) fn decide(&mut self, service: &str, lines: &[&Line]) -> Result<Replaces, Failure> {
        if self.arguments.replace {
            return Ok(Replaces::Yes);
        }
        let is_asked = Consent::of(self.arguments.dry_run, self.arguments.yes) == Consent::Asked;
        // The line of a shared file is not for one service to change.
        let own = Named::new(service).file;
        if is_asked && terminal::is_interactive() && lines.iter().all(|line| line.file == own) {
            let names: Vec<String> =
                lines.iter().map(|line| format!("{} ({})", line.module_name(), Place::of(line))).collect();
            let question = format!(
                "{service} runs {}. Take its users over, and put pam_twofactor in its place? [y/N] ",
                names.join(" and ")
            );
            return Ok(if terminal::ask_yes(&question)? == Yes::Yes { Replaces::Yes } else { Replaces::No });
        }
        self.kept.extend(lines.iter().map(|line| (service.to_owned(), Place::of(line))));
        Ok(Replaces::No)
    }

    /// Says which lines stay although they could be replaced.
    pub(super) fn remark(&self, remarks: &mut Remarks) {
        for (service, place) in &self.kept {
            remarks.hint(format!(
                "{service} keeps {place} ({}); --replace takes its users over, and the line out",
                place.text
            ));
        }
    }

    /// Its users as they would be taken over, said where a person is going to decide.
    pub(super) fn moving(self, plans: &[EnablePlan], host: &Host, output: &Output) -> Result<Moving, Failure> {
        let replaced = || plans.iter().filter(|plan| !plan.replaced.is_empty());
        let mut moving = Moving {
            services: replaced().map(|plan| plan.named.name.clone()).collect(),
            lines: replaced().flat_map(|plan| plan.replaced.clone()).collect(),
            force: self.arguments.force,
            taking: Taking::of_new_users(true),
            results: Vec::new(),
        };
        if !moving.lines.is_empty() {
            moving.look(self.arguments, host, output)?;
        }
        Ok(moving)
    }
}

/// The users of the lines that are replaced.
pub(super) struct Moving {
    services: Vec<String>,
    lines: Vec<Line>,
    force: bool,
    /// Those of the last time.
    taking: Taking,
    results: Vec<UserResult>,
}

impl Moving {
    fn look(&mut self, arguments: &args::services::Enable, host: &Host, output: &Output) -> Result<(), Failure> {
        let consent = Consent::of(arguments.dry_run, arguments.yes);
        self.results = take_over_users_of(&self.lines, &self.taking, host, &mut |result| match consent {
            Consent::Given if result.is_enrolled() => Ok(()),
            Consent::Never | Consent::Asked | Consent::Given => result.say(&self.taking, output),
        })?;
        match failure(&self.results) {
            Some(failure) if !arguments.dry_run => self.forced(failure),
            Some(_) | None => Ok(()),
        }
    }

    /// Users with what they are going to have.
    pub(super) fn as_if_taken_over(&self, mut people: Vec<Person>) -> Vec<Person> {
        let enrolled: BTreeSet<&str> =
            self.results.iter().filter(|result| result.is_enrolled()).map(|result| result.name.as_str()).collect();
        for person in people.iter_mut().filter(|person| enrolled.contains(person.name.as_str())) {
            if let Has::Factors(has) = person.has {
                person.has = Has::Factors(has.and(FactorKind::App));
            }
        }
        people
    }

    /// Refuses while a service would refuse a user for lack of a factor.
    pub(super) fn refuse_lacking(&self, refused: &Refused, consent: Consent) -> Result<(), Failure> {
        let mut users: Vec<String> = self.services.iter().flat_map(|service| refused.of(service)).cloned().collect();
        users.sort_unstable();
        users.dedup();
        if users.is_empty() || consent == Consent::Never {
            return Ok(());
        }
        self.forced(ServiceFailure::Lacking { services: self.services.clone(), users }.into())
    }

    /// Takes them over. False where no line is replaced.
    pub(super) fn take_over(&mut self, host: &Host, output: &Output) -> Result<bool, Failure> {
        if self.lines.is_empty() {
            return Ok(false);
        }
        self.taking = Taking::of_new_users(false);
        self.results =
            take_over_users_of(&self.lines, &self.taking, host, &mut |result| result.say(&self.taking, output))?;
        output.explain(&summary(&self.results, &self.taking));
        failure(&self.results).map_or(Ok(()), |failure| self.forced(failure))?;
        Ok(true)
    }

    /// A failure that `--force` makes a warning.
    fn forced(&self, failure: Failure) -> Result<(), Failure> {
        if !self.force {
            return Err(failure);
        }
        output::warning(&failure.to_string());
        Ok(())
    }

    /// The users, for a script.
    pub(super) fn as_json(&self) -> Vec<Value> {
        self.results.iter().map(|result| result.as_json(&self.taking)).collect()
    }
}

/// A line, for a script.
pub(super) fn as_json(line: &Line) -> Value {
    json!({ "file": line.file.display().to_string(), "line": line.number, "text": Place::of(line).text })
}

/// Replaced lines, for the log: whole, so that the log can give them back.
pub(super) fn in_log(lines: &[Line]) -> Option<String> {
    let whole = |line: &Line| [&[Place::of(line).text], &line.arguments[..]].concat().join(" ");
    (!lines.is_empty()).then(|| lines.iter().map(whole).collect::<Vec<_>>().join("; "))
}

/// A line that ours has replaced, when ours goes.
#[derive(Debug)]
pub(super) enum Former {
    /// It comes back with the text that the service had.
    Back(Line),
    /// The file was changed since, and has no place for it.
    Lost(Line),
}

impl Former {
    /// Those of a service. `before` and `after` are the texts of its record, `now` the one that it gets.
    pub(super) fn of(named: &Named, before: &[u8], after: &[u8], now: Option<&[u8]>) -> Vec<Self> {
        let lines = |text: &[u8]| {
            let service = Service::from_text(&named.name, &named.file, text, &folders()).ok();
            service.iter().flat_map(placing::replaceable).cloned().collect::<Vec<Line>>()
        };
        let has = |lines: &[Line], line: &Line| {
            lines.iter().any(|other| other.module == line.module && other.arguments == line.arguments)
        };
        let (after, now) = (lines(after), now.map(lines));
        let gone = lines(before).into_iter().filter(|line| !has(&after, line));
        gone.map(|line| match &now {
            Some(now) if !has(now, &line) => Self::Lost(line),
            Some(_) | None => Self::Back(line),
        })
        .collect()
    }

    pub(super) fn remark(&self, named: &Named, remarks: &mut Remarks) {
        let service = &named.name;
        match self {
            Self::Back(line) => remarks.warn(format!(
                "{service} asks for {} again, where codes that were used since are good once more",
                line.module_name()
            )),
            Self::Lost(line) => remarks.warn(format!(
                "{service} was changed since, so a line that \"enable --replace\" took out does not come back: {} {} {} {}",
                line.phase.word(),
                line.control,
                line.module,
                line.arguments.join(" ")
            )),
        }
    }
}
