//! `twofactor token assign` and `unassign`: who owns what.
//!
//! Invariants: of a file all lines are done or none, and whatever is wrong is named by its line.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};
use twofactor_core::codes::token::Serial;
use twofactor_core::host::user::Person;
use twofactor_core::log::record::Event;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::Sharing;
use twofactor_core::store::administration::TokenError;

use crate::args::tokens::{Assign, Unassign};
use crate::asking::Asking;
use crate::commands::list_file;
use crate::error::{Failure, LineProblem};
use crate::host::{self, Host};
use crate::journal;
use crate::output::Output;
use crate::output::values::counted;

pub(super) fn assign(arguments: &Assign, host: &Host, output: &Output) -> Result<(), Failure> {
    match (&arguments.from, &arguments.serial, &arguments.user) {
        (Some(path), ..) => assign_all(path, arguments.sharing(), host, output),
        (None, Some(serial), Some(user)) => assign_one(serial, user, arguments.sharing(), host, output),
        // The arguments' own rules leave nothing else.
        (None, ..) => Ok(()),
    }
}

fn assign_one(serial: &Serial, user: &str, sharing: Sharing, host: &Host, output: &Output) -> Result<(), Failure> {
    let person = host.person_to_equip(user)?;
    let pairs = [(serial.clone(), person)];
    host.accounts.assign(&pairs, sharing, host.sysadmin()?.by())?;
    note(&pairs);
    let [(serial, person)] = &pairs;
    say(serial, person, output)
}

/// Says who has the token.
pub(crate) fn say(serial: &Serial, person: &Person, output: &Output) -> Result<(), Failure> {
    Ok(output.done(|| format!("Token {serial} is assigned to {person}.\n"), || as_json(serial, person))?)
}

fn as_json(serial: &Serial, person: &Person) -> Value {
    json!({ "serial": serial.as_str(), "user": person.name.as_str() })
}

fn note(pairs: &[(Serial, Person)]) {
    let record =
        |(serial, person): &(Serial, Person)| journal::about_token(Event::Assigned, serial).with("user", person);
    journal::write_all(pairs.iter().map(record));
}

fn assign_all(path: &Path, sharing: Sharing, host: &Host, output: &Output) -> Result<(), Failure> {
    let text = list_file::read(path)?;
    let List { lines, problems } = List::parse(&text, |name| Ok(host::person(name)?))?;
    if !problems.is_empty() {
        return Err(Failure::BadList { path: path.to_owned(), problems });
    }
    if lines.is_empty() {
        return Err(Failure::EmptyList(path.to_owned()));
    }
    lines.iter().try_for_each(|line| host.must_be_local(&line.person.name))?;
    let pairs: Vec<(Serial, Person)> = lines.iter().map(|line| (line.serial.clone(), line.person.clone())).collect();
    host::raise_open_files();
    host.accounts.assign(&pairs, sharing, host.sysadmin()?.by()).map_err(|error| at_its_line(error, path, &lines))?;
    note(&pairs);
    Ok(output.done(
        || format!("Assigned {}.\n", counted(pairs.len() as u64, "token")),
        || pairs.iter().map(|(serial, person)| as_json(serial, person)).collect(),
    )?)
}

/// A list of who gets what.
#[derive(Debug, Default, PartialEq, Eq)]
struct List {
    lines: Vec<Line>,
    problems: Vec<(usize, LineProblem)>,
}

/// A line that can be done.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    number: usize,
    serial: Serial,
    person: Person,
}

impl List {
    /// Reads lines of `serial,user`. Blank lines, `#` comments, a header and quotes around fields are allowed.
    fn parse(text: &str, mut look_up: impl FnMut(&str) -> Result<Option<Person>, Failure>) -> Result<Self, Failure> {
        let mut list = Self::default();
        let mut known: HashMap<&str, Option<Person>> = HashMap::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let rows = (1..).zip(text.lines().map(str::trim));
        let rows = rows.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        for (position, (number, line)) in rows.enumerate() {
            let Some((serial, user)) = columns(line) else {
                list.problems.push((number, LineProblem::Columns));
                continue;
            };
            if position == 0 && is_header(serial) {
                continue;
            }
            let Some(serial) = Serial::typed(serial) else {
                list.problems.push((number, LineProblem::Serial));
                continue;
            };
            let found = match known.get(user) {
                Some(found) => found.clone(),
                None => known.entry(user).or_insert(look_up(user)?).clone(),
            };
            match found {
                Some(person) => list.lines.push(Line { number, serial, person }),
                None => list.problems.push((number, LineProblem::User(user.to_owned()))),
            }
        }
        Ok(list)
    }
}

fn columns(line: &str) -> Option<(&str, &str)> {
    let separator = [',', ';', '\t'];
    let (serial, user) = line.split_once(separator)?;
    let (serial, user) = (bare(serial), bare(user));
    (!serial.is_empty() && !user.is_empty() && !user.contains(separator)).then_some((serial, user))
}

/// A field without the spaces and quotes around it.
fn bare(field: &str) -> &str {
    let field = field.trim();
    field.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(field)
}

/// No vendor calls a token "serial".
fn is_header(serial: &str) -> bool {
    ["serial", "serial number", "serial_number", "serialnumber", "token"].contains(&&*serial.to_ascii_lowercase())
}

/// Names the line that was refused.
fn at_its_line(error: TokenError, path: &Path, lines: &[Line]) -> Failure {
    let found = match &error {
        TokenError::Twice(serial) => lines.iter().filter(|line| line.serial == *serial).nth(1),
        TokenError::TooMany(user) => lines.iter().rfind(|line| line.person.name == *user),
        TokenError::Store(StoreError::UidChanged { user, .. }) => lines.iter().find(|line| line.person.name == *user),
        TokenError::NoToken(serial)
        | TokenError::Owned(serial, _)
        | TokenError::Revoked(serial)
        | TokenError::Shared(serial, _)
        | TokenError::Unusable(serial, _) => lines.iter().find(|line| line.serial == *serial),
        _ => None,
    };
    match found {
        Some(Line { number, .. }) => Failure::AtLine { path: path.to_owned(), line: *number, error },
        None => error.into(),
    }
}

pub(super) fn unassign(arguments: &Unassign, host: &Host, output: &Output) -> Result<(), Failure> {
    let serial = &arguments.serial;
    let sysadmin = host.sysadmin()?;
    let last = arguments.force.last_credential();
    let owner = Asking::at_a_terminal().act(last, |last| host.accounts.unassign(serial, last, sysadmin.by()))?;
    journal::write(journal::about_token(Event::Unassigned, serial).with("user", &owner));
    Ok(output.done(
        || format!("Token {serial} is no longer assigned to {owner}.\n"),
        || json!({ "serial": serial.as_str(), "former_user": owner.as_str() }),
    )?)
}

#[cfg(test)]
mod tests {
    use twofactor_core::host::user::{Uid, UserName};

    use super::*;

    fn person(name: &str) -> Option<Person> {
        Some(Person { name: UserName::new(name).ok()?, uid: Uid(1001) })
    }

    fn parse(text: &str) -> List {
        let look_up = |name: &str| Ok(person(name).filter(|person| person.name.as_str() != "nobody-here"));
        List::parse(text, look_up).unwrap()
    }

    fn lines(text: &str) -> Vec<(usize, String, String)> {
        let List { lines, problems } = parse(text);
        assert_eq!(problems, [], "{text:?}");
        lines.into_iter().map(|line| (line.number, line.serial.to_string(), line.person.to_string())).collect()
    }

    #[test]
    fn a_list_may_come_from_a_spreadsheet() {
        let text = "\u{feff}Serial Number;User\r\n# fobs of 2026\r\n\r\n0012;alice\r\n \"0013\" ; \"bob\" \r\n";
        let expected = [(4, "0012".to_owned(), "alice".to_owned()), (5, "0013".to_owned(), "bob".to_owned())];
        assert_eq!(lines(text), expected);
        assert_eq!(lines("0012\talice"), [(1, "0012".to_owned(), "alice".to_owned())]);
        assert_eq!(lines(""), []);
    }

    #[test]
    fn every_line_that_is_wrong_is_named() {
        let text = "0012\n0013,alice,bob\n00 14,alice\n0015,nobody-here\n,alice\n0016,alice\n";
        let problems = parse(text).problems;
        assert_eq!(
            problems,
            [
                (1, LineProblem::Columns),
                (2, LineProblem::Columns),
                (3, LineProblem::Serial),
                (4, LineProblem::User("nobody-here".to_owned())),
                (5, LineProblem::Columns),
            ]
        );
    }

    #[test]
    fn each_user_is_looked_up_once() {
        let mut looked_up = 0;
        let list = List::parse("1,alice\n2,alice\n3,alice\n", |name| {
            looked_up += 1;
            Ok(person(name))
        });
        assert_eq!((list.unwrap().lines.len(), looked_up), (3, 1));
    }
}
