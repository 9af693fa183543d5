//! The plan for a service that is to ask for a second factor: its new text, proven and tried in libpam, and what that means.

use std::fs;

use twofactor_admin::checkup::module_file::flaw_of_another;
use twofactor_admin::checkup::people::Guarded;
use twofactor_admin::pam_editing::placing;
use twofactor_admin::pam_editing::placing::Answers;
use twofactor_core::host::trusted;
use twofactor_core::pam_service::findings::{Finding, Place};
use twofactor_core::pam_service::modules;
use twofactor_core::pam_service::{Absence, Kind, Line, Phase, Service};

use crate::error::{Failure, ServiceFailure};
use crate::host::Host;
use crate::program::own_header;

use super::change::{self, Change};
use super::plan::{Named, Text, folders};
use super::programs;
use super::records::{Listed, Origin, Record};
use super::rehearsal::{self, Rehearsed};

/// The fate of another second factor's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replaces {
    /// Ours takes their place.
    Yes,
    /// They stay.
    No,
}

/// Decides about the lines of a service that ours can replace.
pub(super) type Decides<'d> = dyn FnMut(&str, &[&Line]) -> Result<Replaces, Failure> + 'd;

/// The plan for one service.
pub(super) struct EnablePlan {
    pub(super) named: Named,
    pub(super) answers: Answers,
    /// `None` when there is nothing to do.
    pub(super) step: Option<Step>,
    /// True when it includes the file that tells our line of a failed first factor.
    pub(super) is_told: bool,
    /// The lines of other second factors whose place ours takes.
    pub(super) replaced: Vec<Line>,
}

/// The change to it.
pub(super) struct Step {
    pub(super) change: Change,
    pub(super) record: Record,
    /// The problems before.
    pub(super) wrong: Vec<Finding>,
    /// The service then.
    pub(super) service: Option<Service>,
    /// Its questions.
    pub(super) guarded: Option<Guarded>,
    /// The first factor behind whose refusal a code is asked for now.
    pub(super) goes_on_behind: Option<Place>,
    pub(super) rehearsed: Rehearsed,
}

/// The changes to a service. `decides` says whether ours takes the place of lines of another second factor.
pub(super) fn plan(named: Named, host: &Host, decides: &mut Decides<'_>) -> Result<EnablePlan, Failure> {
    let no_place = |error| {
        let error = Box::new(error);
        ServiceFailure::NoPlace { service: named.name.clone(), file: named.file.clone(), error }
    };
    if let Some(error) = placing::shared(&named.name) {
        return Err(no_place(error).into());
    }
    let there = change::read(&named.file)?;
    change::must_be_roots_alone(&named.file)?;
    let origin = if there.is_some() { Origin::There } else { Origin::Made };
    let content = match &there {
        Some(content) => content.clone(),
        None => named.of_package()?.ok_or_else(|| ServiceFailure::NoService(named.name.clone()))?,
    };
    let text = Text::of(&content);
    let answers = programs::answers(&named.name, host);
    let folders = folders();
    let target = named.target(&folders, answers);
    let read = Service::from_text(&named.name, &named.file, &content, &folders).ok();
    let replaced = replaced(&named, read.as_ref(), decides)?;
    let base = match &read {
        Some(service) if !replaced.is_empty() => placing::without_replaced(service, &text.text)
            .map_err(|error| ServiceFailure::NotReplaced { service: named.name.clone(), error: Box::new(error) })?,
        Some(_) | None => text.text.clone(),
    };
    let rest = Service::from_text(&named.name, &named.file, text.encoded(&base), &folders).ok();
    if let Some(error) = rest.as_ref().and_then(unloadable) {
        return Err(no_place(error).into());
    }
    let mut placed = placing::enabled(&target, &base).map_err(no_place)?;
    if placed.is_none() && !replaced.is_empty() {
        // Ours is in its place already.
        placed = Some(placing::unchanged(&base));
    }
    let is_told = placing::tells(placed.as_ref().map_or(&base, |placed| &placed.text));
    let stepped = |placed: placing::Placed| -> Result<Step, ServiceFailure> {
        let (without, after) = (text.encoded(&placed.without), text.encoded(&placed.text));
        let rehearsed = rehearsal::of(&target, &without, &after)?;
        // Lines that were replaced come back with it.
        let before = text.encoded(&placing::without(&text.text));
        let change = Change { file: named.file.clone(), before: there, after: Some(after.clone()) };
        let service = Service::planned(&named.name, &named.file, &after, &folders).ok();
        Ok(Step {
            change,
            guarded: service.as_ref().and_then(Guarded::of),
            service,
            record: Record { before, after, origin, drop_in: None, listed: Listed::No },
            wrong: placed.wrong,
            goes_on_behind: placed.goes_on_behind,
            rehearsed,
        })
    };
    let step = placed.map(stepped).transpose()?;
    Ok(EnablePlan { named, answers, step, is_told, replaced })
}

/// Lines of another second factor in the place of which ours stands.
fn replaced(named: &Named, service: Option<&Service>, decides: &mut Decides<'_>) -> Result<Vec<Line>, Failure> {
    let lines = service.map(placing::replaceable).unwrap_or_default();
    if lines.is_empty() || decides(&named.name, &lines)? == Replaces::No {
        return Ok(Vec::new());
    }
    Ok(lines.into_iter().cloned().collect())
}

/// The first module of another product that a login needs and whose file libpam cannot load. Those that are not there at all
/// are the business of placing.
fn unloadable(service: &Service) -> Option<placing::CannotPlace> {
    let own = own_header().ok()?;
    let matters = |line: &&Line| {
        matches!(line.phase, Phase::Auth | Phase::Account)
            && line.kind == Kind::Module
            && line.absence == Absence::Logged
    };
    for line in service.lines.iter().filter(matters).filter(|line| !line.runs(modules::OURS)) {
        let Some(file) = modules::file(line) else { continue };
        let because = match fs::read(&file) {
            Ok(content) => flaw_of_another(&content, &own).map(str::to_owned),
            Err(error) => Some(trusted::describe(&error)),
        };
        if let Some(because) = because {
            let because = format!("{}: {because}", file.display());
            return Some(placing::CannotPlace::ModuleDamaged { line: Place::of(line), because });
        }
    }
    None
}
