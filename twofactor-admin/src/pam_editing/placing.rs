//! Our lines into the text of a service, and out of it.
//!
//! Pure: text in, text out. Invariants: a text is given back only when every way its phases can end was followed
//! (`proof`) and our lines do there what they are for; nothing but what has to change is changed, to the byte.
//!
//! Where our auth line goes, and what else has to change for it, is tried and proven, not looked up: behind the last line that
//! asks for a first factor, or as many lines later as jumps need; an `include` that ends the phase with success becomes a
//! `substack`, behind a substack our line is told of a failed first factor (`first_factor`), and a `sufficient` of the file itself jumps over the refusal behind it. Where password and code come in one
//! answer, the auth line goes before the first line that asks for a first factor.

mod proof;
mod replacing;
mod sheet;
mod sufficient;

use std::path::Path;

use thiserror::Error;

use twofactor_core::pam_service::control::{self, Action, Outcome};
use twofactor_core::pam_service::findings::{self, Finding, Place};
use twofactor_core::pam_service::first_factor;
use twofactor_core::pam_service::letters::{Letter, is_unfit};
use twofactor_core::pam_service::modules::{self, Nature, OURS};
use twofactor_core::pam_service::{Absence, Kind, Line, OTHER, Phase, Reading, Service, ServiceError};

pub use replacing::{CannotReplace, replaceable, without_replaced};

use sheet::{Entry, Sheet};

/// Files that other services include: a line in one changes them all.
const SHARED: [&str; 12] = [
    "system-auth",
    "password-auth",
    "postlogin",
    "fingerprint-auth",
    "smartcard-auth",
    "system-login",
    "system-local-login",
    "system-remote-login",
    "system-services",
    "config-util",
    first_factor::NAME,
    OTHER,
];

/// A service whose text is changed.
#[derive(Debug, Clone, Copy)]
pub struct Target<'t> {
    /// Its name.
    pub name: &'t str,
    /// Its file, which need not be there yet.
    pub file: &'t Path,
    /// The folders in which included services are looked for.
    pub folders: &'t [&'t Path],
    /// The way in which the code comes.
    pub answers: Answers,
    /// True when the module of a line is not on this host.
    pub is_missing: fn(&Line) -> bool,
}

/// The way in which users of a service type the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// As an answer of its own, when the password was right.
    Apart,
    /// Behind the password, in one answer (`[prompt] combined`): our line takes it off before others see it.
    InOne,
}

/// A new text for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The text with our lines.
    pub text: String,
    /// The text without any of them, which is what it goes back to.
    pub without: String,
    /// The problems of lines of ours that were there already.
    pub wrong: Vec<Finding>,
    /// The line that asks for a first factor and whose refusal ended the login before our line was put in, and no longer does:
    /// the code is asked for, and wrong ones count.
    pub goes_on_behind: Option<Place>,
}

/// Why our lines cannot be put into a service.
#[derive(Debug, Error)]
pub enum CannotPlace {
    /// It is no service but what others include.
    #[error("{0} is included by other services: a line there changes all of them")]
    Shared(String),
    /// It is `other`.
    #[error(
        "it stands for every program without a file of its own: those that cannot ask for a code would refuse every login"
    )]
    Fallback,
    /// It cannot be understood.
    #[error(transparent)]
    Service(ServiceError),
    /// A letter in it looks like a blank, and is none to libpam.
    #[error("{}:{} has {}, which libpam takes for a part of a word", .0.file.display(), .0.number, .0)]
    Letter(Letter),
    /// Nothing in it asks for a first factor.
    #[error("no auth line of {0} asks for a password or another first factor")]
    NoPrimary(String),
    /// It leaves the account phase to `other`.
    #[error("{0} has no account lines of its own, so those of the service \"other\" hold")]
    NoAccountLines(String),
    /// A line that is meant to run our module names none that is there.
    #[error("{0} ({text}) names no module that is there: ours is {OURS}", text = .0.text.escape_debug())]
    Misnamed(Place),
    /// A module that it runs is not on this host.
    #[error("{0} ({text}) runs a module that is not there", text = .0.text)]
    ModuleMissing(Place),
    /// A module that it runs is there, and libpam cannot load it.
    #[error("{line} ({text}) runs a module that libpam cannot load: {because}", text = .line.text)]
    ModuleDamaged {
        /// Its line.
        line: Place,
        /// Why.
        because: String,
    },
    /// Our line comes from a file that it includes, and something is wrong with that.
    #[error("it runs pam_twofactor through a file that it includes, and {0}")]
    Elsewhere(Finding),
    /// It was not as it should be before.
    #[error("without pam_twofactor already, {0}")]
    Unsound(Finding),
    /// No place was found where our line does what it is for.
    #[error("no place was found for the {} line: {finding}", phase.word())]
    NoPlace {
        /// Auth or account.
        phase: Phase,
        /// The problem in the most likely one.
        finding: Finding,
    },
}

impl From<ServiceError> for CannotPlace {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Letter(letter) => Self::Letter(letter),
            error => Self::Service(error),
        }
    }
}

/// True when a name is that of a file which services include.
pub fn is_shared(name: &str) -> bool {
    SHARED.contains(&name) || name.starts_with("common-")
}

/// Why a service is no place for a line of ours, whatever its text says.
pub fn shared(name: &str) -> Option<CannotPlace> {
    match name {
        OTHER => Some(CannotPlace::Fallback),
        name => is_shared(name).then(|| CannotPlace::Shared(name.to_owned())),
    }
}

/// The text with our lines in their places; `None` when they are there already.
pub fn enabled(target: &Target<'_>, text: &str) -> Result<Option<Placed>, CannotPlace> {
    if let Some(error) = shared(target.name) {
        return Err(error);
    }
    let service = target.read(text)?;
    if let Some(letter) = unfit(&service, text) {
        return Err(CannotPlace::Letter(letter));
    }
    if let Some(line) = service.lines.iter().find(|line| is_misnamed(line, target.is_missing)) {
        return Err(CannotPlace::Misnamed(Place::of(line)));
    }
    if let Some(line) = service.lines.iter().find(|line| lacks_module(line, target.is_missing)) {
        return Err(CannotPlace::ModuleMissing(Place::of(line)));
    }
    let late = findings::too_late(&service).filter(|_| target.answers == Answers::InOne);
    let wrong: Vec<Finding> =
        findings::of(&service, &|_| false).into_iter().filter(proof::matters).chain(late).collect();
    let lacking = |phase: Phase| {
        let about = |finding: &&Finding| finding.phase() == Some(phase);
        wrong.iter().find(about).cloned()
    };
    let mut placed = text.to_owned();
    // A locker's file may hold nothing but auth lines (i3lock in Debian), because it never calls the account phase. A line of ours
    // would be the only one there.
    let calls_account = target.answers == Answers::Apart || has_own(&service, Phase::Account);
    let phases =
        [(Phase::Auth, lacking(Phase::Auth)), (Phase::Account, lacking(Phase::Account).filter(|_| calls_account))];
    for (phase, finding) in phases {
        if let Some(finding) = finding {
            placed = target.placed(&placed, phase, finding)?;
        }
    }
    if placed == text {
        return Ok(None);
    }
    let without = without(text);
    target
        .read(&without)
        .map_err(CannotPlace::from)
        .and_then(|base| proof::sound(&base).map_err(CannotPlace::Unsound))?;
    let wrong = wrong.into_iter().filter(|finding| !matches!(finding, Finding::NoLine(_))).collect();
    let goes_on_behind = proof::goes_on_behind(&target.read(&without)?, &target.read(&placed)?);
    Ok(Some(Placed { text: placed, without, wrong, goes_on_behind }))
}

/// A text in which our lines stand already, to be written because other lines of it went.
pub fn unchanged(text: &str) -> Placed {
    Placed { text: text.to_owned(), without: without(text), wrong: Vec::new(), goes_on_behind: None }
}

/// True when a phase has lines of the service, and not only those of `other`.
fn has_own(service: &Service, phase: Phase) -> bool {
    service.phase(phase).iter().any(|line| is_of(line, service))
}

/// True when a line that matters to a login is meant to run our module, by a name or a path that leads to none.
fn is_misnamed(line: &Line, is_missing: fn(&Line) -> bool) -> bool {
    let is_elsewhere = line.runs(OURS) && line.module != OURS;
    matches!(line.phase, Phase::Auth | Phase::Account)
        && (is_elsewhere || modules::names_ours_wrongly(line))
        && (line.kind != Kind::Module || is_missing(line))
}

/// True when a line that matters to a login runs a module that is not there, and says nowhere that this is meant (`-`).
fn lacks_module(line: &Line, is_missing: fn(&Line) -> bool) -> bool {
    matches!(line.phase, Phase::Auth | Phase::Account)
        && line.kind == Kind::Module
        && line.absence == Absence::Logged
        && !line.runs(OURS)
        && is_missing(line)
}

/// The text without our lines.
pub fn without(text: &str) -> String {
    stripped(text, None)
}

/// True when lines of the text itself are ours, as any version of libpam reads it.
pub fn is_in(text: &str) -> bool {
    let sheet = Sheet::of(text);
    [Reading::Old, Reading::New]
        .into_iter()
        .any(|reading| sheet.entries_by(reading).iter().any(|entry| entry.runs(OURS) || entry.tells()))
}

/// True when lines of the text itself include the file of [`first_factor`], as any version of libpam reads it.
pub fn tells(text: &str) -> bool {
    let sheet = Sheet::of(text);
    [Reading::Old, Reading::New].into_iter().any(|reading| sheet.entries_by(reading).iter().any(Entry::tells))
}

/// Makes sure that a text that names our module is cut into the same lines by every version of libpam. What is cut differently
/// cannot be edited.
pub fn is_read_alike(file: &Path, text: &str) -> Result<(), CannotPlace> {
    let sheet = Sheet::of(text);
    let (old, new) = (sheet.entries_by(Reading::Old), sheet.entries_by(Reading::New));
    let at = (0..old.len().max(new.len())).find(|at| match (old.get(*at), new.get(*at)) {
        (Some(old), Some(new)) => !old.says_what(new),
        (old, new) => old.is_some() != new.is_some(),
    });
    let names_ours = text.contains(OURS) || text.contains(first_factor::FILE);
    match at.and_then(|at| old.get(at).or(new.get(at))).filter(|_| names_ours) {
        Some(entry) => Err(ServiceError::ReadDifferently { path: file.to_owned(), number: entry.first }.into()),
        None => Ok(()),
    }
}

/// The text without our lines and with what was changed for them changed back, as far as that is recognised. `before` and
/// `after` are the texts that [`enabled`] began and ended with.
pub fn undone(text: &str, before: &str, after: &str) -> String {
    if text == after {
        return before.to_owned();
    }
    let (then, since) = (Sheet::of(before), Sheet::of(&without(after)));
    let mut sheet = Sheet::of(&without(text));
    if then.lines().len() == since.lines().len() {
        for (original, changed) in then.lines().iter().zip(since.lines()) {
            if original != changed {
                sheet.put_back(changed, original);
            }
        }
    }
    sheet.text()
}

/// Makes sure that a service without our lines lets no user in with a refused first factor, and some with a right one.
pub fn is_sound(target: &Target<'_>, text: &str) -> Result<(), CannotPlace> {
    proof::sound(&target.read(text)?).map_err(CannotPlace::Unsound)
}

/// The text without our lines of a phase, or of all.
fn stripped(text: &str, phase: Option<Phase>) -> String {
    let mut sheet = Sheet::of(text);
    for entry in sheet.entries().iter().rev() {
        // Debian's @include has no phase; what it takes in here are auth lines.
        let of = entry.phase().unwrap_or(Phase::Auth);
        if (entry.runs(OURS) || entry.tells()) && phase.is_none_or(|phase| phase == of) {
            sheet.remove(entry);
        }
    }
    sheet.text()
}

impl Target<'_> {
    fn read(&self, text: &str) -> Result<Service, ServiceError> {
        Service::planned(self.name, self.file, text, self.folders)
    }

    /// The text with our line of one phase, which lacks it or has it in a way that `finding` is about.
    fn placed(&self, text: &str, phase: Phase, finding: Finding) -> Result<String, CannotPlace> {
        let arguments = Sheet::of(text).entries().iter().find(|entry| entry.is_ours(phase)).map(Entry::arguments);
        let base = stripped(text, Some(phase));
        let service = self.read(&base)?;
        if service.phase(phase).iter().any(|line| line.is_ours()) {
            return Err(CannotPlace::Elsewhere(finding));
        }
        let module = [OURS.to_owned()].into_iter().chain(arguments.unwrap_or_default()).collect::<Vec<_>>().join(" ");
        match phase {
            Phase::Auth if self.answers == Answers::InOne => self.auth_in_front(&base, &service, &module),
            Phase::Auth => self.auth(&base, &service, &module),
            Phase::Account | Phase::Session | Phase::Password => self.account(&base, &service, &module),
        }
    }

    fn auth(&self, base: &str, service: &Service, module: &str) -> Result<String, CannotPlace> {
        let own: Vec<&Line> = service.phase(Phase::Auth).into_iter().filter(|line| is_of(line, service)).collect();
        let is_primary = |line: &&&Line| Nature::of(line) == Nature::Primary;
        if !own.iter().any(|line| is_primary(&line)) {
            return Err(CannotPlace::NoPrimary(self.name.to_owned()));
        }
        proof::sound(service).map_err(CannotPlace::Unsound)?;
        let mut plan = Plan { base: base.to_owned(), permit: Permit::No };
        // Each change mends a line, so there are no more than lines.
        for _ in 0..own.len() + 2 {
            let current = self.read(&plan.base)?;
            let lines = current.phase(Phase::Auth);
            let last = lines.iter().filter(|line| is_primary(line)).map(|line| line.origin).max();
            let mut likely = None;
            let sheet = Sheet::of(&plan.base);
            let entries = sheet.entries();
            let places = entries.iter().filter(|entry| Some(entry.first) >= last && entry.has(Phase::Auth, &lines));
            for entry in places {
                if proof::is_jumped_over(&lines, lines.iter().filter(|line| line.origin <= entry.first).count()) {
                    continue;
                }
                let candidate = plan.with(entry, module);
                match proof::auth(service, &self.read(&candidate)?, self.is_missing) {
                    Ok(()) => return self.told(service, candidate, &plan.telling(entry, module)),
                    Err(finding) => likely = likely.or(Some(finding)),
                }
            }
            let finding = likely.unwrap_or(Finding::NeverSucceeds(Phase::Auth));
            plan = plan.mended(&finding, &current).ok_or(CannotPlace::NoPlace { phase: Phase::Auth, finding })?;
        }
        Err(CannotPlace::NoPlace { phase: Phase::Auth, finding: Finding::Tangled(Phase::Auth) })
    }

    /// The text in which our line is told of a failed first factor, where it would ask behind one that a substack has refused, or whose
    /// refusal ended the login before. Where that opens or closes a way, the text without it. Below `required` in the file itself a
    /// code is asked for in any case: that is for the sysadmin to choose.
    fn told(&self, before: &Service, placed: String, telling: &str) -> Result<String, CannotPlace> {
        let after = self.read(&placed)?;
        if !proof::goes_on_behind_substack(&after) && proof::goes_on_behind(before, &after).is_none() {
            return Ok(placed);
        }
        let is_sound = proof::auth(before, &self.read(telling)?, self.is_missing).is_ok();
        Ok(if is_sound { telling.to_owned() } else { placed })
    }

    /// Before the first line that asks for a first factor, or as many lines earlier as jumps need.
    fn auth_in_front(&self, base: &str, service: &Service, module: &str) -> Result<String, CannotPlace> {
        let lines = service.phase(Phase::Auth);
        let first = lines.iter().find(|line| is_of(line, service) && Nature::of(line) == Nature::Primary);
        let first = first.map(|line| line.origin).ok_or_else(|| CannotPlace::NoPrimary(self.name.to_owned()))?;
        proof::sound(service).map_err(CannotPlace::Unsound)?;
        let sheet = Sheet::of(base);
        let line = sheet.styled(Phase::Auth, "required", module);
        let mut likely = None;
        let entries = sheet.entries().into_iter().rev();
        for entry in entries.filter(|entry| entry.first <= first && entry.has(Phase::Auth, &lines)) {
            if proof::is_jumped_over(&lines, lines.iter().filter(|line| line.origin < entry.first).count()) {
                continue;
            }
            let mut candidate = Sheet::of(base);
            candidate.insert_before(&entry, &line);
            let candidate = candidate.text();
            match proof::auth(service, &self.read(&candidate)?, self.is_missing) {
                Ok(()) => return Ok(candidate),
                Err(finding) => likely = likely.or(Some(finding)),
            }
        }
        let finding = likely.unwrap_or(Finding::NeverSucceeds(Phase::Auth));
        Err(CannotPlace::NoPlace { phase: Phase::Auth, finding })
    }

    fn account(&self, base: &str, service: &Service, module: &str) -> Result<String, CannotPlace> {
        let lines = service.phase(Phase::Account);
        if !has_own(service, Phase::Account) {
            return Err(CannotPlace::NoAccountLines(self.name.to_owned()));
        }
        let ends = |line: &&&Line| {
            let actions = [Outcome::Success, Outcome::NewPassword].map(|outcome| line.actions.actions(outcome));
            line.depth == 0
                && line.kind == Kind::Module
                && actions.iter().flatten().any(|action| *action == Action::Done)
        };
        let first = lines.iter().find(|line| ends(line)).map(|line| line.origin);
        let sheet = Sheet::of(base);
        let entries: Vec<Entry> =
            sheet.entries().into_iter().filter(|entry| entry.has(Phase::Account, &lines)).collect();
        // Before the first line that can end the phase, else behind the last one; then wherever nothing jumps over it.
        let wanted =
            first.and_then(|first| entries.iter().position(|entry| entry.first == first)).unwrap_or(entries.len());
        let others = (0..wanted).rev().chain(wanted + 1..=entries.len());
        let mut likely = None;
        for at in std::iter::once(wanted).chain(others) {
            let before = entries.get(at).map_or(usize::MAX, |entry| entry.first);
            if proof::is_jumped_over(&lines, lines.iter().filter(|line| line.origin < before).count()) {
                continue;
            }
            let line = sheet.styled(Phase::Account, "required", module);
            let mut candidate = Sheet::of(base);
            match (entries.get(at), entries.last()) {
                (Some(next), _) => candidate.insert_before(next, &line),
                (None, Some(last)) => candidate.insert_after(last, &line),
                (None, None) => {}
            }
            let candidate = candidate.text();
            match proof::account(service, &self.read(&candidate)?, self.is_missing) {
                Ok(()) => return self.ending_at_refusals(service, candidate),
                Err(finding) => likely = likely.or(Some(finding)),
            }
        }
        let finding = likely.unwrap_or(Finding::NeverSucceeds(Phase::Account));
        Err(CannotPlace::NoPlace { phase: Phase::Account, finding })
    }

    /// With refusals above our account line that end the phase: who is refused there is not asked to store anything by ours.
    /// A line whose refusal a later one forgets, or that an include brings, stays as it is.
    fn ending_at_refusals(&self, before: &Service, mut placed: String) -> Result<String, CannotPlace> {
        let entries = Sheet::of(&placed).entries();
        let above = entries.iter().take_while(|entry| !entry.is_ours(Phase::Account));
        for entry in above.filter(|entry| entry.phase() == Some(Phase::Account) && !entry.is_include()) {
            let Some(control) = control::ending(entry.control()) else { continue };
            let mut sheet = Sheet::of(&placed);
            sheet.replace_control(entry, &control);
            let ending = sheet.text();
            if proof::keeps_account(before, &self.read(&ending)?, self.is_missing) {
                placed = ending;
            }
        }
        Ok(placed)
    }
}

/// True when a line comes from the service's own file, itself or through includes, and not from `other`.
fn is_of(line: &Line, service: &Service) -> bool {
    line.top == service.file
}

/// The line before ours: one that says "so far so good", or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Permit {
    Yes,
    No,
}

/// A text on its way.
struct Plan {
    base: String,
    permit: Permit,
}

impl Plan {
    /// With our line behind an entry.
    fn with(&self, entry: &Entry, module: &str) -> String {
        self.with_lines(entry, &[("required", module)])
    }

    /// The same, with the file above it that tells it of a failed first factor.
    fn telling(&self, entry: &Entry, module: &str) -> String {
        self.with_lines(entry, &[("substack", first_factor::FILE), ("required", module)])
    }

    fn with_lines(&self, entry: &Entry, lines: &[(&str, &str)]) -> String {
        let mut sheet = Sheet::of(&self.base);
        for (control, module) in lines.iter().rev() {
            sheet.insert_after(entry, &sheet.styled(Phase::Auth, control, module));
        }
        if self.permit == Permit::Yes {
            sheet.insert_after(entry, &sheet.styled(Phase::Auth, "required", "pam_permit.so"));
        }
        sheet.text()
    }

    /// With one change that takes away what was found. `None` when none is known.
    fn mended(&self, finding: &Finding, service: &Service) -> Option<Self> {
        let mut sheet = Sheet::of(&self.base);
        let lines = service.phase(Phase::Auth);
        match finding {
            Finding::OnlyIgnores { .. } if self.permit == Permit::No && self.base.contains("success=") => {
                return Some(Self { base: self.base.clone(), permit: Permit::Yes });
            }
            Finding::Skipped { by, .. } => {
                // Our line may have moved it by one or two; its text and file have not changed.
                let culprit = lines.iter().find(|line| {
                    let place = Place::of(line);
                    place.file == by.file && place.text == by.text && line.actions.has(Action::Done)
                })?;
                let entries = sheet.entries();
                let entry = entries.iter().find(|entry| entry.first == culprit.origin)?;
                if let Some(name) = entry.included_by_debian() {
                    // `substack` takes the auth lines only: the others would be lost.
                    let whole = service.lines.iter().filter(|line| is_of(line, service) && line.origin == entry.first);
                    if whole.into_iter().any(|line| line.phase != Phase::Auth) {
                        return None;
                    }
                    sheet.replace(entry, &sheet.styled(Phase::Auth, "substack", name));
                } else if entry.is_include() {
                    sheet.replace_control(entry, "substack");
                } else if sufficient::rewritten(&mut sheet, &entries, &lines)? == sufficient::Over::FirstFactor {
                    return Some(Self { base: sheet.text(), permit: Permit::Yes });
                }
            }
            _ => return None,
        }
        Some(Self { base: sheet.text(), permit: self.permit })
    }
}

/// The first such letter in a service: of `text`, which is its own file's, or of what it includes. A carriage return counts in a
/// comment too: what wrote one writes more.
fn unfit(service: &Service, text: &str) -> Option<Letter> {
    let own = text.split('\n').zip(1..).find_map(|(line, number)| {
        let read = line.split('#').next().unwrap_or_default();
        let letter =
            line.chars().find(|letter| *letter == '\r').or_else(|| read.chars().find(|letter| is_unfit(*letter)))?;
        Some(Letter { file: service.file.clone(), number, letter })
    });
    own.or_else(|| {
        service.lines.iter().find_map(|line| {
            let words = [&line.control, &line.module].into_iter().chain(&line.arguments);
            let letter = words.into_iter().flat_map(|word| word.chars()).find(|letter| is_unfit(*letter))?;
            Some(Letter { file: line.file.clone(), number: line.number, letter })
        })
    })
}

#[cfg(test)]
mod tests;
