//! `twofactor state adopt-uids`: accounts come to belong to the uids that their users have now.
//!
//! Invariants: every change is shown before the question; what changed meanwhile stays as it is; an account whose user
//! the host does not know is not touched.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use twofactor_core::host::user::{Doubt, Person, SystemUsers, UserDatabase as _, UserName};
use twofactor_core::log::record::Event;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{Adoption, Belongs};

use crate::args::state::AdoptUids;
use crate::error::Failure;
use crate::host::{self, Host};
use crate::journal;
use crate::output::{self, Cell, Output, Screen, Stream};
use crate::terminal::{self, Yes};

/// An account that is going to belong to the uid its user has now.
struct Change {
    person: Person,
    /// The owner until then.
    seen: Belongs,
}

/// Every account in question.
#[derive(Default)]
struct Survey {
    changes: Vec<Change>,
    /// The number of accounts that were looked at.
    all: usize,
    /// The number of those that could not be read.
    broken: usize,
    /// Those whose users the host does not know.
    unknown: Vec<UserName>,
}

pub(super) fn run(arguments: &AdoptUids, host: &Host, output: &Output) -> Result<(), Failure> {
    let mut survey = Survey::of(arguments, host)?;
    if survey.changes.is_empty() {
        output.done(
            || "Each account of a user of this host belongs to the uid that the user has now.\n".to_owned(),
            || json!([]),
        )?;
        return survey.outcome();
    }
    if arguments.dry_run {
        let planned = || survey.changes.iter().map(|change| change.as_json(Adopted::No)).collect();
        output.report_whole(|| table(&survey.changes, output.screen(Stream::Results)), planned)?;
        return survey.outcome();
    }
    if !arguments.yes {
        ask(&survey.changes, output)?;
    }
    let (mut adopted, mut overtaken) = (Vec::new(), Vec::new());
    for change in std::mem::take(&mut survey.changes) {
        match host.accounts.adopt_uid(&change.person, change.seen) {
            Ok(Adoption::Done) => {
                change.write_to_journal();
                adopted.push(change);
            }
            Ok(Adoption::Overtaken) => overtaken.push(change.person.name),
            Err(error) => survey.cannot_use(error),
        }
    }
    output.done(|| in_words(&adopted), || adopted.iter().map(|change| change.as_json(Adopted::Yes)).collect())?;
    if overtaken.is_empty() { survey.outcome() } else { Err(Failure::Overtaken(overtaken)) }
}

/// The result: a change was made, or not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Adopted {
    Yes,
    No,
}

impl Survey {
    fn of(arguments: &AdoptUids, host: &Host) -> Result<Self, Failure> {
        let mut survey = Self::default();
        if arguments.users.is_empty() {
            // All are looked up before anything is changed: a user database that fails half-way changes nothing.
            for name in host.accounts.names()? {
                match SystemUsers.person(name.as_str())?.filter(|person| person.name == name) {
                    Some(person) => survey.look_at(person, host),
                    None => survey.leave_alone(name)?,
                }
            }
            survey.warn_of_unknown();
            return Ok(survey);
        }
        // A user who was typed twice is changed once.
        let typed = arguments.users.iter().map(|typed| host::known_person(typed));
        let persons: BTreeMap<UserName, Person> =
            typed.map(|person| person.map(|person| (person.name.clone(), person))).collect::<Result<_, Failure>>()?;
        for person in persons.into_values() {
            if host.accounts.belongs(&person.name)? == Belongs::ToNobody {
                return Err(Failure::NotEnrolled(person.name));
            }
            survey.look_at(person, host);
        }
        Ok(survey)
    }

    fn look_at(&mut self, person: Person, host: &Host) {
        self.all += 1;
        match host.accounts.belongs(&person.name) {
            Ok(Belongs::ToNobody) => {}
            Ok(Belongs::To(uid)) if uid == person.uid => {}
            Ok(seen @ (Belongs::To(_) | Belongs::ToUnknown)) => self.changes.push(Change { person, seen }),
            Err(error) => self.cannot_use(error),
        }
    }

    /// A look-up that failed is no user whom the host does not know.
    fn leave_alone(&mut self, name: UserName) -> Result<(), Failure> {
        match SystemUsers.has_no_user(name.as_str()) {
            Err(Doubt::Failed(error)) => Err(error.into()),
            Ok(()) | Err(Doubt::Unproven { .. }) => {
                self.unknown.push(name);
                Ok(())
            }
        }
    }

    fn warn_of_unknown(&self) {
        if !self.unknown.is_empty() {
            let names: Vec<&str> = self.unknown.iter().map(UserName::as_str).collect();
            output::warning(&format!("left as they are, because this host has no such user: {}", names.join(", ")));
        }
    }

    /// An account that cannot be read or written does not keep the others from being changed.
    fn cannot_use(&mut self, error: StoreError) {
        self.broken += 1;
        let failure = Failure::from(error);
        output::failure(&failure.lines(), failure.hint().as_deref());
    }

    fn outcome(&self) -> Result<(), Failure> {
        let Self { all, broken, .. } = *self;
        if broken == 0 { Ok(()) } else { Err(Failure::BrokenAccounts { broken, all }) }
    }
}

impl Change {
    fn as_json(&self, adopted: Adopted) -> Value {
        json!({
            "user": self.person.name.as_str(),
            "uid_before": self.seen.uid().map(|uid| uid.0),
            "uid": self.person.uid.0,
            "adopted": adopted == Adopted::Yes,
        })
    }

    fn write_to_journal(&self) {
        let record = journal::about(Event::UidAdopted, &self.person.name).with_some("uid_before", self.seen.uid());
        journal::write(record.with("uid", self.person.uid));
    }
}

fn table(changes: &[Change], screen: Screen) -> String {
    let row = |change: &Change| {
        let before = change.seen.uid().map_or_else(|| "not known".to_owned(), |uid| uid.to_string());
        [change.person.name.to_string(), before, change.person.uid.to_string()].map(Cell::from)
    };
    output::table(["USER", "ACCOUNT'S UID", "UID NOW"], changes.iter().map(row).collect(), [12, 13, 10], screen)
}

fn in_words(adopted: &[Change]) -> String {
    match adopted {
        [Change { person, .. }] => format!("{person}'s account belongs to uid {} now.\n", person.uid),
        _ => format!("{} accounts belong to the uids that their users have now.\n", adopted.len()),
    }
}

/// Shows every change, and asks.
fn ask(changes: &[Change], output: &Output) -> Result<(), Failure> {
    if !terminal::is_interactive() {
        return Err(Failure::CannotAsk);
    }
    output::excerpt(&table(changes, output.screen(Stream::Progress)));
    let question = "Is each of them still the same person? Then the accounts are theirs as before. [y/N] ";
    match terminal::ask_yes(question)? {
        Yes::Yes => Ok(()),
        Yes::No => Err(Failure::Declined),
    }
}
