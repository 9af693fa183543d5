//! Proves that a text does its job: every way that its phases can end is looked at.

use std::path::Path;

use crate::pam_editing::together::{self, Pair};
use twofactor_core::pam_service::control::Outcome;
use twofactor_core::pam_service::findings::{self, Finding, Place};
use twofactor_core::pam_service::first_factor;
use twofactor_core::pam_service::flow::{self, Assumed, Ending, Ours, Primary, SoFar, Tangled, Told};
use twofactor_core::pam_service::modules::Nature;
use twofactor_core::pam_service::{Line, Phase, Service};

/// True when something is wrong with our lines, as opposed to worth knowing.
pub(super) fn matters(finding: &Finding) -> bool {
    match finding {
        Finding::NoLine(_)
        | Finding::Skipped { .. }
        | Finding::Overruled { .. }
        | Finding::PrimaryOverruled { .. }
        | Finding::OnlyIgnores { .. }
        | Finding::AskedTwice { .. }
        | Finding::ToldWrongly { .. }
        | Finding::NeverTold { .. }
        | Finding::TooLate { .. }
        | Finding::Opens { .. }
        | Finding::Closes { .. }
        | Finding::NeverSucceeds(_)
        | Finding::Tangled(_) => true,
        Finding::SkippedWhenExpired { .. }
        | Finding::Unasked { .. }
        | Finding::Missing { .. }
        | Finding::Misnamed { .. }
        | Finding::Broken { .. }
        | Finding::UnknownControl(_) => false,
    }
}

/// True when a jump leaves out more than it did when a line is put before the line `at` of a phase.
pub(super) fn is_jumped_over(lines: &[&Line], at: usize) -> bool {
    flow::jumps(lines).into_iter().any(|(from, target)| from < at && at < target)
}

/// A service without our line: a right first factor lets in, a refused one never does.
pub(super) fn sound(service: &Service) -> Result<(), Finding> {
    let lines = service.phase(Phase::Auth);
    let endings = flow::endings(&lines, &|_| false).map_err(|Tangled| Finding::Tangled(Phase::Auth))?;
    let success = |with: Primary| endings.iter().find(|one| one.so_far == SoFar::Success && one.primary == with);
    if let Some(ending) = success(Primary::Refused) {
        let steps = ending.path.iter().rev().filter(|step| step.outcome == Outcome::Failure);
        let refused = steps.filter_map(|step| lines.get(step.line));
        let primary = refused.into_iter().find(|line| is_primary(line));
        return Err(Finding::PrimaryOverruled { primary: primary.map_or_else(nowhere, |line| Place::of(line)) });
    }
    match success(Primary::Passed) {
        Some(_) => Ok(()),
        None => Err(Finding::NeverSucceeds(Phase::Auth)),
    }
}

fn nowhere() -> Place {
    Place { file: "?".into(), number: 0, text: String::new() }
}

/// The auth phase with our line, compared with the same service without it.
///
/// Whatever the other modules return: with them returning the same, a login that was refused before is refused, and one that was
/// accepted without a refused first factor is accepted, given a right code.
pub(super) fn auth(before: &Service, after: &Service, is_missing: fn(&Line) -> bool) -> Result<(), Finding> {
    if let Some(finding) = wrong(after, Phase::Auth) {
        return Err(finding);
    }
    let (before, after) = (before.phase(Phase::Auth), after.phase(Phase::Auth));
    let tangled = |Tangled| Finding::Tangled(Phase::Auth);
    // Who had to be asked something still has to.
    let unasked = |endings: &[Ending]| {
        endings
            .iter()
            .any(|one| one.so_far == SoFar::Success && one.primary == Primary::NotAsked && one.ours == Ours::NotRun)
    };
    let all = flow::endings(&after, &|_| false).map_err(tangled)?;
    if unasked(&all) && !unasked(&flow::endings(&before, &|_| false).map_err(tangled)?) {
        return Err(Finding::NoLine(Phase::Auth));
    }
    // With a first factor that a module asks for, and a right code, the user gets in.
    for (number, primary) in before.iter().filter(|line| is_primary(line)).enumerate() {
        if opens(&before, number).map_err(tangled)? && !opens(&after, number).map_err(tangled)? {
            return Err(Finding::Closes { by: Place::of(primary) });
        }
    }
    let place = |by: Option<usize>| by.and_then(|at| before.get(at)).map_or_else(nowhere, |line| Place::of(line));
    for ours in [Outcome::Success, Outcome::Ignore] {
        let pairs = together::pairs(&before, &after, ours, &assuming(is_missing, Assumed::Nothing)).map_err(tangled)?;
        if let Some(pair) = pairs.iter().find(|pair| pair.after == SoFar::Success && pair.before != SoFar::Success) {
            return Err(Finding::Opens { by: place(pair.by) });
        }
        let closed = |pair: &&Pair| {
            let is_closed = pair.after != SoFar::Success || pair.told == Told::Told;
            pair.before == SoFar::Success && is_closed && pair.primary != Primary::Refused
        };
        if let Some(pair) = pairs.iter().find(closed).filter(|_| ours == Outcome::Success) {
            return Err(Finding::Closes { by: place(pair.by) });
        }
    }
    Ok(())
}

/// The account phase with our line, compared with the same service without it.
///
/// Our line accepts when what the auth phase began is stored. Where others refuse, and that leads on, it must not be the only yes.
/// Each of the others is taken to say yes or no. Where one has nothing to say, as `pam_sss` of a local user, a service without
/// another yes keeps no user out on purpose.
pub(super) fn account(before: &Service, after: &Service, is_missing: fn(&Line) -> bool) -> Result<(), Finding> {
    if let Some(finding) = wrong(after, Phase::Account) {
        return Err(finding);
    }
    let found = findings::of(after, &|_| false).into_iter();
    found.into_iter().find(|one| matches!(one, Finding::SkippedWhenExpired { .. })).map_or(Ok(()), Err)?;
    let (before, after) = (before.phase(Phase::Account), after.phase(Phase::Account));
    let pairs = together::pairs(&before, &after, Outcome::Success, &assuming(is_missing, Assumed::Decides))
        .map_err(|Tangled| Finding::Tangled(Phase::Account))?;
    let opened = |pair: &&Pair| pair.after.lets_in() && !pair.before.lets_in();
    match pairs.iter().find(opened) {
        Some(pair) => {
            let by = pair.by.and_then(|at| before.get(at)).map_or_else(nowhere, |line| Place::of(line));
            Err(Finding::Opens { by })
        }
        None => Ok(()),
    }
}

/// The assumption about a line: its module is not there, or else `there`.
fn assuming(is_missing: fn(&Line) -> bool, there: Assumed) -> impl Fn(&Line) -> Assumed {
    move |line| if is_missing(line) { Assumed::Missing } else { there }
}

/// True when the account phase does what it is for, and lets in whom it let in.
pub(super) fn keeps_account(before: &Service, after: &Service, is_missing: fn(&Line) -> bool) -> bool {
    let (old, new) = (before.phase(Phase::Account), after.phase(Phase::Account));
    account(before, after, is_missing).is_ok()
        && together::pairs(&old, &new, Outcome::Ignore, &assuming(is_missing, Assumed::Nothing))
            .is_ok_and(|pairs| pairs.iter().all(|pair| pair.before.lets_in() == pair.after.lets_in()))
}

/// The first factor behind whose refusal our line runs, in a service whose other lines had to change for ours.
pub(super) fn goes_on_behind(before: &Service, after: &Service) -> Option<Place> {
    let (old, new) = (before.phase(Phase::Auth), after.phase(Phase::Auth));
    let is_changed = |line: &&&Line| {
        !old.iter()
            .any(|other| other.actions == line.actions && other.module == line.module && other.depth == line.depth)
    };
    let is_of_others = |line: &&&Line| Nature::of(line) != Nature::Ours && !is_telling(line);
    new.iter().filter(is_of_others).find(is_changed)?;
    refused_untold(&new).first().map(|line| Place::of(line))
}

/// True when our line runs behind a first factor that a substack has refused, and is not told of it.
pub(super) fn goes_on_behind_substack(service: &Service) -> bool {
    refused_untold(&service.phase(Phase::Auth)).iter().any(|line| line.depth > 0)
}

/// The first factors behind whose refusal our line runs untold, of each way to it the first.
fn refused_untold<'l>(lines: &[&'l Line]) -> Vec<&'l Line> {
    let Ok(endings) = flow::endings(lines, &|_| false) else { return Vec::new() };
    let untold = |one: &&Ending| one.primary == Primary::Refused && one.ours != Ours::NotRun && one.told != Told::Told;
    let refused = |one: &Ending| {
        let refused = one.path.iter().filter(|step| step.outcome == Outcome::Failure);
        refused.filter_map(|step| lines.get(step.line).copied()).find(|line| is_primary(line))
    };
    endings.iter().filter(untold).filter_map(refused).collect()
}

/// True when a line comes from the file that tells our line of a failed first factor, or includes it.
fn is_telling(line: &Line) -> bool {
    line.file == Path::new(first_factor::FILE) || line.module == first_factor::FILE
}

fn wrong(service: &Service, phase: Phase) -> Option<Finding> {
    let found = findings::of(service, &|_| false);
    found.into_iter().find(|finding| matters(finding) && finding.phase() == Some(phase))
}

/// Tells if the first factor of that number alone, with our line's yes, is a way in.
fn opens(lines: &[&Line], number: usize) -> Result<bool, Tangled> {
    let primaries: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| is_primary(line)).map(|(at, _)| at).collect();
    let endings = flow::endings_assuming(lines, &|at, line| match Nature::of(line) {
        Nature::Primary if primaries.get(number) == Some(&at) => Assumed::Passes,
        Nature::Primary => Assumed::Refuses,
        Nature::Ours => Assumed::Passes,
        Nature::Noting | Nature::Deny | Nature::Permit | Nature::Silent | Nature::Unknown => Assumed::Nothing,
    })?;
    Ok(endings.iter().any(|one| one.so_far == SoFar::Success && one.primary == Primary::Passed))
}

fn is_primary(line: &Line) -> bool {
    Nature::of(line) == Nature::Primary
}
