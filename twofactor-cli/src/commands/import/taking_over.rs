//! Users of another system on their way into the store, and what is said of each.
//!
//! Invariants: the other system's files are read and never changed. A user who is enrolled is left alone, so the command can
//! be repeated. A user who cannot be taken over keeps no other from it.

use std::fmt::Write as _;

use serde_json::{Value, json};
use twofactor_admin::moving_in::{Arrival, Remark};
use twofactor_core::account::App;
use twofactor_core::codes::token::{Label, Serial, Token};
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{Existing, MoveInError, Sharing};

use crate::args::import::Taking;
use crate::error::{Failure, MovingInFailure};
use crate::host::Host;
use crate::journal;
use crate::output::values::counted;
use crate::output::{self, Format, Output};

/// A user of another system.
pub(super) struct Candidate {
    /// As the other system calls the user.
    pub(super) name: String,
    /// The place of the account: a file, or a line of one.
    pub(super) place: String,
    pub(super) account: Result<Arrival, Failure>,
}

/// The result for one user.
pub(crate) struct UserResult {
    /// As the other system calls the user.
    pub(crate) name: String,
    place: String,
    outcome: Result<Outcome, Failure>,
}

enum Outcome {
    /// Taken over, or in a rehearsal what would be.
    Taken { apps: usize, recovery: usize, remarks: Vec<Remark> },
    /// Enrolled before, and left alone.
    Already,
}

/// Takes over all users that another system has, and says what became of each.
pub(super) fn take_over(
    system: &'static str,
    candidates: Vec<Candidate>,
    taking: &Taking,
    host: &Host,
    output: &Output,
) -> Result<(), Failure> {
    let results = each(system, candidates, taking, host, &mut |result| result.say(taking, output))?;
    output.report_json(|| results.iter().map(|result| result.as_json(taking)).collect())?;
    output.explain(&summary(&results, taking));
    failure(&results).map_or(Ok(()), Err)
}

/// Takes over users. `said` is told of each.
pub(super) fn each(
    system: &'static str,
    candidates: Vec<Candidate>,
    taking: &Taking,
    host: &Host,
    said: &mut dyn FnMut(&UserResult) -> Result<(), Failure>,
) -> Result<Vec<UserResult>, Failure> {
    let mut results = Vec::with_capacity(candidates.len());
    for Candidate { name, place, account } in candidates {
        let outcome = account.and_then(|arrival| take(system, &name, arrival, taking, host));
        let result = UserResult { name, place, outcome };
        said(&result)?;
        results.push(result);
    }
    Ok(results)
}

/// The number of those who were taken over, in words.
pub(crate) fn summary(results: &[UserResult], taking: &Taking) -> String {
    let count =
        |is: fn(&Outcome) -> bool| results.iter().filter(|result| result.outcome.as_ref().is_ok_and(is)).count();
    let taken = count(|outcome| matches!(outcome, Outcome::Taken { .. }));
    let already = count(|outcome| matches!(outcome, Outcome::Already));
    let failed = results.len() - taken - already;
    let done = if taking.dry_run { "would be taken over" } else { "taken over" };
    let users = counted(results.len() as u64, "user");
    format!("{users}: {taken} {done}, {already} enrolled before, {failed} not taken over")
}

/// The failure where one was not.
pub(crate) fn failure(results: &[UserResult]) -> Option<Failure> {
    let failed = results.iter().filter(|result| result.outcome.is_err()).count();
    (failed > 0).then(|| MovingInFailure::Some { failed, all: results.len() }.into())
}

fn take(system: &'static str, name: &str, arrival: Arrival, taking: &Taking, host: &Host) -> Result<Outcome, Failure> {
    let person = host.person_to_equip(name)?;
    let user = &person.name;
    host.accounts.check_owner(&person)?;
    if taking.existing() == Existing::Keep && host.accounts.status(user)?.is_some() {
        return Ok(Outcome::Already);
    }
    let Arrival { tokens, recovery, remarks } = arrival;
    for token in &tokens {
        let algorithm = token.parameters.algorithm;
        if let Some(sharer) = host.accounts.sharer(user, &token.secret, algorithm)? {
            match taking.sharing() {
                Sharing::Refuse => return Err(MovingInFailure::Shared(sharer).into()),
                Sharing::Allow if taking.dry_run => {}
                Sharing::Allow => host.accounts.note_shared(&token.secret, algorithm, host.sysadmin()?.by())?,
            }
        }
    }
    if taking.dry_run {
        return Ok(Outcome::Taken { apps: tokens.len(), recovery: recovery.len(), remarks });
    }
    let issued = host.now()?;
    let apps: Result<Vec<App>, Failure> = tokens
        .into_iter()
        .zip(labels())
        .map(|(token, label)| {
            let serial = Serial::generate().map_err(Failure::Entropy)?;
            let (secret, parameters, start) = (token.secret, token.parameters, token.start);
            Ok(App::vouched_for(Token { serial, label, secret, parameters, issued, start }))
        })
        .collect();
    let apps = apps?;
    let labels: Vec<Label> = apps.iter().map(|app| app.token().label.clone()).collect();
    let recovery = match host.accounts.move_in(&person, apps, &recovery, taking.existing()) {
        // Another command was faster.
        Err(MoveInError::Enrolled(_)) => return Ok(Outcome::Already),
        Err(MoveInError::WasReset(user)) => return Err(MovingInFailure::WasReset(user).into()),
        Err(MoveInError::Enroll(error)) => return Err(error.into()),
        Ok(recovery) => recovery,
    };
    let line = |label| journal::about(Event::Enrolled, user).with("token", label).with("from", system);
    journal::write_all(labels.iter().map(line));
    Ok(Outcome::Taken { apps: labels.len(), recovery, remarks })
}

/// `app`, `app-2`, `app-3`.
fn labels() -> impl Iterator<Item = Label> {
    let named = |number: usize| if number == 1 { Some(Label::app()) } else { Label::new(&format!("app-{number}")) };
    (1..).map_while(named)
}

impl UserResult {
    /// True when the user has an app, or would have one.
    pub(crate) fn is_enrolled(&self) -> bool {
        self.outcome.is_ok()
    }

    /// Says it, where lines are wanted.
    pub(crate) fn say(&self, taking: &Taking, output: &Output) -> Result<(), Failure> {
        match output.format() {
            Format::Text => Ok(output.report_lines(|| self.lines(taking), || Value::Null)?),
            Format::Json => Ok(()),
        }
    }

    fn lines(&self, taking: &Taking) -> String {
        let name = output::printable(&self.name, LONGEST_NAME);
        match &self.outcome {
            Ok(Outcome::Taken { apps, recovery, remarks }) => {
                let done = if taking.dry_run { "would be taken over" } else { "taken over" };
                let (apps, recovery) = (counted(*apps as u64, "app"), counted(*recovery as u64, "recovery code"));
                let mut lines = format!("{name}: {done} with {apps} and {recovery}\n");
                for remark in remarks {
                    let _ = writeln!(lines, "  {remark}");
                }
                lines
            }
            Ok(Outcome::Already) => format!("{name}: enrolled before, left as it is\n"),
            Err(failure) => {
                let why = output::printable(&failure.lines().join("; "), usize::MAX);
                format!("{name}: not taken over: {why}\n")
            }
        }
    }

    /// The user, for a script.
    pub(crate) fn as_json(&self, taking: &Taking) -> Value {
        let outcome = match &self.outcome {
            Ok(Outcome::Taken { .. }) if taking.dry_run => "would-be-taken-over",
            Ok(Outcome::Taken { .. }) => "taken-over",
            Ok(Outcome::Already) => "enrolled-before",
            Err(_) => "failed",
        };
        let (apps, recovery, remarks) = match &self.outcome {
            Ok(Outcome::Taken { apps, recovery, remarks }) => {
                (Some(apps), Some(recovery), remarks.iter().map(ToString::to_string).collect())
            }
            Ok(Outcome::Already) | Err(_) => (None, None, Vec::new()),
        };
        json!({
            "user": self.name,
            "outcome": outcome,
            "file": self.place,
            "apps": apps,
            "recovery_codes": recovery,
            "remarks": remarks,
            "problem": self.outcome.as_ref().err().map(|failure| failure.lines().join("; ")),
        })
    }
}

/// The longest text that is shown of a name that is no user's.
const LONGEST_NAME: usize = 64;
