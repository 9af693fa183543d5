//! `twofactor import google-authenticator`: whose file stands where, and what is in it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};
use twofactor_admin::moving_in::Arrival;
use twofactor_admin::moving_in::google_authenticator::{LARGEST, read};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::{Person, Uid as PersonUid};
use twofactor_core::pam_service::modules::GOOGLE_AUTHENTICATOR;
use twofactor_core::pam_service::{self, Line, Service};

use super::foreign_file;
use super::taking_over::{Candidate, take_over};
use crate::args::import::GoogleAuthenticator;
use crate::error::{Failure, MovingInFailure};
use crate::host::{self, Host};
use crate::output::{self, Output};
use crate::people;

/// Its name in the log.
pub(super) const SYSTEM: &str = "google-authenticator";

/// The file of a user whose line of PAM names none.
const USUAL: &str = "~/.google_authenticator";

pub(super) fn run(arguments: &GoogleAuthenticator, host: &Host, output: &Output) -> Result<(), Failure> {
    let places = match (&arguments.file, arguments.from_pam) {
        (Some(file), _) => vec![Place::Typed(file.clone())],
        (None, true) => places_of_pam()?,
        (None, false) => vec![Place::OfUsers { pattern: USUAL.to_owned(), owner: None }],
    };
    let now = host.now()?;
    let mut candidates = Vec::new();
    match &arguments.user {
        Some(typed) => {
            let user = reader(&host::known_person(typed)?, &places)?;
            let none = || Failure::InputFile {
                path: places.first().map_or_else(PathBuf::new, |place| place.path(&user)),
                error: io::Error::from(io::ErrorKind::NotFound),
            };
            candidates.push(candidate(&user, &places, now).ok_or_else(none)?);
        }
        None => candidates = all_candidates(&places, now)?,
    }
    take_over(SYSTEM, candidates, &arguments.taking, host, output)
}

/// Every user who has a file in one of the places.
pub(super) fn all_candidates(places: &[Place], now: UnixTime) -> Result<Vec<Candidate>, Failure> {
    let names = people::all_names().map_err(|error| Failure::Input(io::Error::other(error)))?;
    let mut candidates = Vec::new();
    for name in names {
        candidates.extend(candidate(&entry(name.as_str())?, places, now));
    }
    Ok(candidates)
}

/// A place in which the files of users are looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A path that was typed.
    Typed(PathBuf),
    /// A path for each user.
    OfUsers {
        /// With `~`, `${HOME}` and `${USER}`, as secret= has them.
        pattern: String,
        /// The owner of all files, as user= says.
        owner: Option<String>,
    },
}

impl Place {
    /// The place that a line of PAM names.
    pub(super) fn of(line: &Line) -> Self {
        let (pattern, owner) = (line.values("secret=").next_back(), line.values("user=").next_back());
        Self::OfUsers { pattern: pattern.unwrap_or(USUAL).to_owned(), owner: owner.map(str::to_owned) }
    }

    fn path(&self, user: &User) -> PathBuf {
        let pattern = match self {
            Self::Typed(path) => return path.clone(),
            Self::OfUsers { pattern, .. } => pattern,
        };
        let home = user.dir.display().to_string();
        let replaced = pattern.replace("${HOME}", &home).replace("${USER}", &user.name);
        // A tilde counts where a name of a folder begins.
        let mut path = String::new();
        for (number, part) in replaced.split('/').enumerate() {
            if number > 0 {
                path.push('/');
            }
            match part.strip_prefix('~') {
                Some(rest) => path.extend([home.as_str(), rest]),
                None => path.push_str(part),
            }
        }
        PathBuf::from(path)
    }
}

/// The places that lines of PAM name, each once.
fn places_of_pam() -> Result<Vec<Place>, Failure> {
    let folders = pam_service::FOLDERS.map(Path::new);
    let mut places = BTreeSet::new();
    for name in pam_service::names(&folders) {
        let service = match Service::read(&name, &folders) {
            Ok(service) => service,
            Err(error) => {
                output::warning(&format!("the service {name} is left out: {error}"));
                continue;
            }
        };
        places.extend(service.lines.iter().filter(|line| line.runs(GOOGLE_AUTHENTICATOR)).map(Place::of));
    }
    if places.is_empty() {
        return Err(MovingInFailure::NoLineOf(GOOGLE_AUTHENTICATOR).into());
    }
    Ok(places.into_iter().collect())
}

/// The account of a user in all places; `None` where no file is. Several places can be one file.
fn candidate(user: &User, places: &[Place], now: UnixTime) -> Option<Candidate> {
    let mut files: Vec<(PathBuf, Vec<&Place>)> = Vec::new();
    for place in places {
        // `//` and `/./` make no other file.
        let path: PathBuf = place.path(user).components().collect();
        match files.iter_mut().find(|(known, _)| *known == path) {
            Some((_, same)) => same.push(place),
            None => files.push((path, vec![place])),
        }
    }
    let mut found: Option<(String, Result<Arrival, Failure>)> = None;
    for (path, places) in files {
        let Some(account) = account_in(user, &places, &path, now) else { continue };
        found = Some(match found {
            None => (path.display().to_string(), account),
            Some((first, before)) => (first, both(before, account)),
        });
    }
    found.map(|(place, account)| Candidate { name: user.name.clone(), place, account })
}

/// The account in a file that several lines of PAM name, read with the rights of the first owner whose file it is.
fn account_in(user: &User, places: &[&Place], path: &Path, now: UnixTime) -> Option<Result<Arrival, Failure>> {
    let mut failed = None;
    for place in places {
        match account(user, place, path, now) {
            Ok(None) => {}
            Ok(Some(account)) => return Some(Ok(account)),
            Err(failure) => failed = failed.or(Some(failure)),
        }
    }
    failed.map(Err)
}

/// An account that stands in two files. What is wrong with one of them is wrong with both.
fn both(one: Result<Arrival, Failure>, other: Result<Arrival, Failure>) -> Result<Arrival, Failure> {
    let (mut one, other) = (one?, other?);
    one.tokens.extend(other.tokens);
    one.recovery.extend(other.recovery);
    one.remarks.extend(other.remarks);
    Ok(one)
}

fn account(user: &User, place: &Place, path: &Path, now: UnixTime) -> Result<Option<Arrival>, Failure> {
    let owner = match place {
        Place::Typed(_) => owner_of(path, user)?,
        Place::OfUsers { owner: Some(name), .. } => named_or_numbered(name)?,
        Place::OfUsers { owner: None, .. } => user.clone(),
    };
    let Some(content) = foreign_file::read(path, &owner, LARGEST)? else { return Ok(None) };
    let refused = |error| MovingInFailure::Account { path: path.to_owned(), error }.into();
    read(&content, now).map(Some).map_err(refused)
}

/// The user or root, whichever owns a file that was typed.
fn owner_of(path: &Path, user: &User) -> Result<User, Failure> {
    let is_roots = std::fs::symlink_metadata(path).is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0);
    if is_roots { entry("root") } else { Ok(user.clone()) }
}

/// As user= of the module has it: a name, or a number.
fn named_or_numbered(name: &str) -> Result<User, Failure> {
    let unknown = || Failure::UnknownUser(name.to_owned());
    match name.parse() {
        Ok(uid) => User::from_uid(Uid::from_raw(uid)).ok().flatten().ok_or_else(unknown),
        Err(_) => entry(name),
    }
}

/// The entry of a person in the user database. A person whom this machine knows by name alone has no home folder here: then root reads the
/// typed file, and root has to own it.
fn reader(person: &Person, places: &[Place]) -> Result<User, Failure> {
    let is_typed = places.iter().all(|place| matches!(place, Place::Typed(_)));
    match entry(person.name.as_str()) {
        Err(Failure::UnknownUser(_)) if person.uid == PersonUid::NONE && is_typed => {
            Ok(User { name: person.name.to_string(), ..entry("root")? })
        }
        Err(Failure::UnknownUser(name)) if person.uid == PersonUid::NONE => Err(MovingInFailure::NoHome(name).into()),
        found => found,
    }
}

fn entry(name: &str) -> Result<User, Failure> {
    User::from_name(name).ok().flatten().ok_or_else(|| Failure::UnknownUser(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_that_of_the_module() {
        let root = entry("root").unwrap();
        for (pattern, path) in [
            (USUAL, "/root/.google_authenticator"),
            ("/etc/ga/${USER}", "/etc/ga/root"),
            ("${HOME}/.ssh/ga", "/root/.ssh/ga"),
            ("/x~y/~z", "/x~y//rootz"),
        ] {
            let place = Place::OfUsers { pattern: pattern.to_owned(), owner: None };
            assert_eq!(place.path(&root).display().to_string(), path, "{pattern}");
        }
    }
}
