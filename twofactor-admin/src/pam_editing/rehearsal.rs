//! A change to a service is run in the real libpam before it is made, with a stub in the place of every module.
//!
//! Here it is worked out what is to be run and judged what came of it. The texts are those that libpam would read, to the byte,
//! but for modules, their arguments and the names of included files (`copies`). Nothing is run here.
//!
//! A run is one combination of what the modules return, in the version without our lines, or in that with them and our line
//! accepting, having nothing to say or refusing. What must hold:
//!
//! - libpam runs the lines that [`twofactor_core::pam_service::flow`] says, in that order, and ends the phase as it says;
//! - where our line refuses, no login that has to be asked for a code succeeds;
//! - what was closed stays closed whatever our line returns, and what was open is open when it accepts.

mod combinations;
mod copies;
mod version;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::placing::Target;
use crate::pam_editing::course::Course;
use crate::pam_editing::together;
use twofactor_core::pam_service::control::{Code, Outcome};
use twofactor_core::pam_service::findings::Place;
use twofactor_core::pam_service::flow::{Others, Ours, Primary, SoFar, Told};
use twofactor_core::pam_service::text;
use twofactor_core::pam_service::{Kind, Phase, Reading, Scripted, ServiceError};

pub use copies::STUB;

use combinations::{Combination, Likelihood};
use version::{OURS_RETURNS, Version};

/// The runs of one combination: one without our line, and one for each of its results.
const RUNS: usize = OURS_RETURNS.len() + 1;
/// A code whose name is the longest.
const LONGEST: &str = "authtok_disable_aging";

/// The service to be run.
#[derive(Debug)]
pub struct Rehearsal {
    before: Part,
    after: Part,
    auth: Vec<Combination>,
    account: Vec<Combination>,
}

/// A version of the service.
#[derive(Debug)]
struct Part {
    scripted: Scripted,
    /// Of each copy of its script, whether it changes from run to run.
    changing: Vec<bool>,
    name: &'static str,
}

impl Part {
    fn new(name: &'static str, scripted: Scripted) -> Self {
        let is_tried = |number: usize| {
            let at = scripted.numbers.iter().position(|other| *other == number);
            let line = at.and_then(|at| scripted.service.lines.get(at));
            line.is_some_and(|line| matches!(line.phase, Phase::Auth | Phase::Account))
        };
        let changing = copies::changing(&scripted.script, &is_tried);
        Self { scripted, changing, name }
    }

    /// A copy that is the same in every run.
    fn shared_name(&self, number: usize) -> String {
        format!("{}-{number}", self.name)
    }
}

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Staged {
    /// With this text.
    Text(Vec<u8>),
    /// A symbolic link to this one.
    Link(PathBuf),
}

/// libpam's results in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The result of `pam_start`.
    pub start: i32,
    /// The result of `pam_authenticate`.
    pub auth: i32,
    /// The result of `pam_acct_mgmt`.
    pub account: i32,
    /// The messages of the stubs to the application, in their order.
    pub said: Vec<String>,
}

/// A change cannot be run.
#[derive(Debug, Error)]
pub enum Unplayable {
    /// It cannot be read.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Lines are gone, or in another order: there is nothing to compare.
    #[error("its other lines are not those that it had")]
    Different,
    /// With stubs it is not what it is without.
    #[error("it is read differently with other modules in it: a line may have almost 1,023 bytes")]
    Stubbed,
}

/// A difference between libpam's result and the expected one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    phase: Phase,
    fault: Fault,
    /// The way there: the modules that ran, each with its result.
    ran: Vec<(String, Code)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// libpam gives the service up.
    GivenUp(i32),
    /// It runs other lines than those that were expected, from this one on.
    Course { place: Place, said: Option<String> },
    /// It ends the phase otherwise than expected. The line is the last that ran.
    End { place: Option<Place>, expected: &'static str, got: i32 },
    /// Our line refused, and the phase is a success.
    Overruled,
    /// A closed way is open.
    Opens,
    /// An open way is closed.
    Closes,
}

/// A phase in both versions.
struct Both<'l> {
    phase: Phase,
    before: Version<'l>,
    after: Version<'l>,
}

impl Rehearsal {
    /// Of a change to a service. `before` is its text without our lines, `after` that with them.
    pub fn new(target: &Target<'_>, before: &[u8], after: &[u8]) -> Result<Self, Unplayable> {
        let read = |text| Scripted::read(target.name, target.file, text, target.folders);
        let (before, after) = (read(before)?, read(after)?);
        for scripted in [&before, &after] {
            is_the_same_with_stubs(scripted)?;
        }
        let (before, after) = (Part::new("before", before), Part::new("after", after));
        let mut rehearsal = Self { before, after, auth: Vec::new(), account: Vec::new() };
        let of = |phase| -> Result<Vec<Combination>, Unplayable> {
            let both = rehearsal.both(phase).ok_or(Unplayable::Different)?;
            Ok(combinations::of(&both.before, &both.after, target.is_missing))
        };
        let (auth, account) = (of(Phase::Auth)?, of(Phase::Account)?);
        (rehearsal.auth, rehearsal.account) = (auth, account);
        Ok(rehearsal)
    }

    /// The number of runs.
    pub fn runs(&self) -> usize {
        self.auth.len().max(self.account.len()) * RUNS
    }

    /// The files that are the same in every run, by their names in `folder`.
    pub fn shared(&self, folder: &Path) -> Vec<(String, Vec<u8>)> {
        let of = |part: &Part| {
            let path = |number: usize, _: &str| folder.join(part.shared_name(number));
            let files =
                copies::some(&part.scripted.script, false, &part.changing, &path, &|_| stubbed(Code::SUCCESS.name()));
            files.into_iter().map(|(number, _, text)| (part.shared_name(number), text)).collect::<Vec<_>>()
        };
        [&self.before, &self.after].into_iter().flat_map(of).collect()
    }

    /// The files of a run, by their names in `folder`; what stands in `shared` is linked to where libpam looks for it. The service
    /// is [`twofactor_core::pam_service::SERVICE`].
    pub fn files(&self, run: usize, folder: &Path, shared: &Path) -> Vec<(String, Staged)> {
        let (part, returned) = match ours(run) {
            None => (&self.before, Code::SUCCESS),
            Some(ours) => (&self.after, ours),
        };
        let slots = |phase| {
            let both = self.both(phase)?;
            let version = if ours(run).is_none() { both.before } else { both.after };
            let combination = self.combination(phase, run)?;
            Some((0..version.lines.len()).map(|at| version.code(at, combination, returned)).collect::<Vec<Code>>())
        };
        let codes = |phase| slots(phase).unwrap_or_default().into_iter();
        let (mut auth, mut account) = (codes(Phase::Auth), codes(Phase::Account));
        let returned = part.scripted.service.lines.iter().map(|line| match line.phase {
            Phase::Auth => auth.next(),
            Phase::Account => account.next(),
            Phase::Session | Phase::Password => None,
        });
        let returned: BTreeMap<usize, Option<Code>> = part.scripted.numbers.iter().copied().zip(returned).collect();
        let stub = |number: usize| stubbed(returned.get(&number).copied().flatten().unwrap_or(Code::SUCCESS).name());
        let path = |number: usize, name: &str| match part.changing.get(number) {
            Some(true) => folder.join(name),
            Some(false) | None => shared.join(part.shared_name(number)),
        };
        let files = copies::some(&part.scripted.script, true, &part.changing, &path, &stub).into_iter();
        let mut files: Vec<(String, Staged)> = files.map(|(_, name, text)| (name, Staged::Text(text))).collect();
        for name in [twofactor_core::pam_service::SERVICE, twofactor_core::pam_service::OTHER] {
            if let Some(number) =
                copies::number(&part.scripted.script, name).filter(|number| part.changing.get(*number) == Some(&false))
            {
                files.push((name.to_owned(), Staged::Link(shared.join(part.shared_name(number)))));
            }
        }
        files
    }

    /// Judges what libpam did in every run, in their order.
    pub fn judge(&self, observed: &[Observed]) -> Result<(), Disagreement> {
        for phase in [Phase::Auth, Phase::Account] {
            let Some(both) = self.both(phase) else { continue };
            for (number, runs) in observed.chunks(RUNS).enumerate() {
                if let Some(combination) = self.combination(phase, number * RUNS) {
                    both.judge(combination, runs)?;
                }
            }
        }
        Ok(())
    }

    fn both(&self, phase: Phase) -> Option<Both<'_>> {
        let (before, after) = (self.before.scripted.service.phase(phase), self.after.scripted.service.phase(phase));
        let slots = together::twins(&before, &after)?;
        Some(Both { phase, before: Version::first(before), after: Version { lines: after, slots } })
    }

    /// The results of a phase's modules in a run. Of the phase with fewer combinations they come round again.
    fn combination(&self, phase: Phase, run: usize) -> Option<&Combination> {
        let all = match phase {
            Phase::Auth => &self.auth,
            Phase::Account => &self.account,
            Phase::Session | Phase::Password => return None,
        };
        all.get(run / RUNS % all.len().max(1))
    }
}

/// The result of our line in a run; `None` in one without it.
fn ours(run: usize) -> Option<Code> {
    (run % RUNS).checked_sub(1).and_then(|at| OURS_RETURNS.get(at)).copied()
}

fn stubbed(code: &str) -> String {
    format!("{STUB} auth={code} acct={code}")
}

/// Makes sure that every libpam cuts the copies into the same lines: with stubs they may be longer.
fn is_the_same_with_stubs(scripted: &Scripted) -> Result<(), Unplayable> {
    let cut = |text: &[u8], reading| {
        let cut = text::cut(text, reading);
        let words = cut.lines.into_iter().map(|line| line.words.into_iter().map(|word| word.taken).collect::<Vec<_>>());
        (words.filter(|words| !words.is_empty()).collect::<Vec<_>>(), cut.end)
    };
    let files = copies::files(&scripted.script, &|_, name| Path::new("/run/twofactor-XXXXXX/999").join(name), &|_| {
        stubbed(LONGEST)
    });
    let is_read_alike = |text: &[u8]| cut(text, Reading::Old) == cut(text, Reading::New);
    if files.iter().all(|(_, text)| is_read_alike(text)) { Ok(()) } else { Err(Unplayable::Stubbed) }
}

impl Both<'_> {
    /// Judges the runs of one combination.
    fn judge(&self, combination: &Combination, runs: &[Observed]) -> Result<(), Disagreement> {
        let courses: Vec<Course> = std::iter::once(self.before.course(combination, Code::SUCCESS))
            .chain(OURS_RETURNS.map(|ours| self.after.course(combination, ours)))
            .collect();
        let versions = [&self.before, &self.after, &self.after, &self.after];
        for ((observed, course), version) in runs.iter().zip(&courses).zip(versions) {
            self.is_as_expected(version, course, observed)?;
        }
        let ([old, accepted, waived, refused], [old_course, _, _, refused_course]) = (runs, courses.as_slice()) else {
            return Ok(());
        };
        if combination.likelihood == Likelihood::Odd {
            return Ok(());
        }
        let of = |fault, course| Err(self.disagreement(&self.after, fault, course));
        let opens = |observed: &Observed| self.opens(observed);
        if opens(refused) && self.has_to_be_asked(refused_course) {
            return of(Fault::Overruled, refused_course);
        }
        let courses_after = courses.get(1).zip(courses.get(2));
        let Some((accepted_course, waived_course)) = courses_after else { return Ok(()) };
        // Where the others have nothing to say, our yes may be the only one: that service keeps no user out on purpose.
        let all_decide = self.phase == Phase::Auth || old_course.ran.iter().all(|(_, code)| decides(*code));
        if opens(accepted) && !opens(old) && all_decide {
            return of(Fault::Opens, accepted_course);
        }
        if opens(waived) && !opens(old) {
            return of(Fault::Opens, waived_course);
        }
        // Told of a failed first factor, our line refuses.
        let is_closed = !opens(accepted) || accepted_course.told == Told::Told;
        if opens(old) && is_closed && old_course.primary != Primary::Refused {
            return of(Fault::Closes, accepted_course);
        }
        if self.phase == Phase::Account && opens(old) && !opens(waived) {
            return of(Fault::Closes, waived_course);
        }
        Ok(())
    }

    /// Checks that libpam ran the lines that were expected and ended as expected.
    fn is_as_expected(&self, version: &Version<'_>, course: &Course, observed: &Observed) -> Result<(), Disagreement> {
        let differs = |fault| Err(self.disagreement(version, fault, course));
        if observed.start != 0 {
            return differs(Fault::GivenUp(observed.start));
        }
        let word = match self.phase {
            Phase::Auth => "auth=",
            Phase::Account | Phase::Session | Phase::Password => "acct=",
        };
        let said: Vec<&str> = observed.said.iter().filter_map(|said| said.strip_prefix(word)).collect();
        let running = |(at, _): &&(usize, Code)| version.lines.get(*at).is_some_and(|line| line.kind == Kind::Module);
        let expected: Vec<(usize, Code)> = course.ran.iter().filter(running).copied().collect();
        let unlike = (0..expected.len().max(said.len()))
            .find(|at| expected.get(*at).map(|(_, code)| code.name()) != said.get(*at).copied());
        let place = |at: usize| version.lines.get(at).map(|line| Place::of(line));
        if let Some(unlike) = unlike {
            // Where libpam went on, the line that it should have ended at.
            let line = expected.get(unlike).or(expected.last());
            if let Some(place) = line.and_then(|(at, _)| place(*at)) {
                let said = said.get(unlike).map(|said| (*said).to_owned());
                return differs(Fault::Course { place, said });
            }
        }
        let got = self.end(observed);
        let (is_as_expected, expected) = match course.so_far {
            SoFar::Success => (Code::of(got) == Some(Code::SUCCESS), "with success"),
            SoFar::NewPassword | SoFar::ExpiredPassword => {
                (Code::of(got) == Some(Code::NEW_AUTHTOK_REQD), "with an expired password")
            }
            SoFar::Nothing | SoFar::Tolerated | SoFar::Failure => {
                (Code::of(got) != Some(Code::SUCCESS), "without success")
            }
        };
        if is_as_expected && unlike.is_none() {
            return Ok(());
        }
        let last = course.ran.last().and_then(|(at, _)| place(*at));
        differs(Fault::End { place: last, expected, got })
    }

    fn end(&self, observed: &Observed) -> i32 {
        match self.phase {
            Phase::Auth => observed.auth,
            Phase::Account | Phase::Session | Phase::Password => observed.account,
        }
    }

    /// True when a login goes on. An application has an expired password changed, and goes on.
    fn opens(&self, observed: &Observed) -> bool {
        match Code::of(self.end(observed)) {
            Some(Code::SUCCESS) => true,
            Some(Code::NEW_AUTHTOK_REQD) => self.phase == Phase::Account,
            _ => false,
        }
    }

    /// True when a login that ends so must not be one when our line refuses.
    fn has_to_be_asked(&self, course: &Course) -> bool {
        match (self.phase, course.ours, course.primary) {
            // Whom nothing asks for a first factor is not asked for a second one.
            (Phase::Auth, Ours::NotRun, Primary::NotAsked) => false,
            // With another product's second factor, that is enough.
            (Phase::Auth, Ours::NotRun, Primary::Passed) => course.others != Others::Beside,
            // A locker without account lines of its own gets none of ours.
            (Phase::Account, _, _) => self.after.lines.iter().any(|line| line.is_ours()),
            _ => true,
        }
    }

    fn disagreement(&self, version: &Version<'_>, fault: Fault, course: &Course) -> Disagreement {
        let named = |(at, code): &(usize, Code)| Some((version.lines.get(*at)?.module.clone(), *code));
        Disagreement { phase: self.phase, fault, ran: course.ran.iter().filter_map(named).collect() }
    }
}

/// True when a module says yes or no.
fn decides(code: Code) -> bool {
    !matches!(code.outcome(), Outcome::Ignore | Outcome::Missing)
}

impl Disagreement {
    /// The line it is about, where it is about one.
    pub fn place(&self) -> Option<&Place> {
        match &self.fault {
            Fault::Course { place, .. } => Some(place),
            Fault::End { place, .. } => place.as_ref(),
            Fault::GivenUp(_) | Fault::Overruled | Fault::Opens | Fault::Closes => None,
        }
    }

    /// The results of the modules, in a line.
    pub fn results(&self) -> String {
        let each = self.ran.iter().map(|(module, code)| format!("{module} {}", code.name()));
        each.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = self.phase.word();
        match &self.fault {
            Fault::GivenUp(code) => {
                let name = Code::of(*code).map_or("an unknown error", Code::name);
                write!(formatter, "libpam gives the service up ({name})")
            }
            Fault::Course { place, said: Some(said) } => {
                write!(
                    formatter,
                    "libpam does not run the {phase} lines as expected at {place} ({}): {said} came",
                    place.text
                )
            }
            Fault::Course { place, said: None } => {
                write!(formatter, "libpam does not run {place} ({}) where it should", place.text)
            }
            Fault::End { place, expected, got } => {
                let got = Code::of(*got).map_or("an unknown code", Code::name);
                match place {
                    Some(place) => write!(
                        formatter,
                        "behind {place} ({}) libpam should end the {phase} phase {expected}, and returns {got}",
                        place.text
                    ),
                    None => write!(formatter, "libpam should end the {phase} phase {expected}, and returns {got}"),
                }
            }
            Fault::Overruled => {
                write!(formatter, "in libpam the {phase} phase succeeds although pam_twofactor refuses")
            }
            Fault::Opens => {
                write!(
                    formatter,
                    "in libpam the {phase} phase would succeed with pam_twofactor where it does not without"
                )
            }
            Fault::Closes => {
                write!(
                    formatter,
                    "in libpam the {phase} phase would no longer succeed where it does without pam_twofactor"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
