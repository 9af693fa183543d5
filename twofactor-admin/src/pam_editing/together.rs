//! Two versions of a phase, run together: every module returns the same in both.
//!
//! For each combination of results it is known how the one and the other end. The lines are the same in their order; controls may
//! differ, an include may have become a substack, and the later version has lines more: ours, and `pam_permit.so` beside them.

use std::collections::BTreeSet;
use std::path::Path;

use twofactor_core::pam_service::control::{Action, Outcome};
use twofactor_core::pam_service::first_factor;
use twofactor_core::pam_service::flow::situation::{
    Accepted, Assumed, Others, Ours, Primary, Situation, SoFar, Tangled, Told,
};
use twofactor_core::pam_service::flow::walk::{MOST, Walk, possible};
use twofactor_core::pam_service::modules::Nature;
use twofactor_core::pam_service::{Kind, Line};

/// The ends of the two when every module returns the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pam_editing) struct Pair {
    /// Without our line.
    pub(in crate::pam_editing) before: SoFar,
    /// With it.
    pub(in crate::pam_editing) after: SoFar,
    /// The fate of the first factor in the earlier version.
    pub(in crate::pam_editing) primary: Primary,
    /// The line of the earlier version that led away from the others, or that ran last.
    pub(in crate::pam_editing) by: Option<usize>,
    /// The word that our line got in the later version.
    pub(in crate::pam_editing) told: Told,
}

/// Every pair of endings when our line returns `ours`, under assumptions about the others.
pub(in crate::pam_editing) fn pairs(
    before: &[&Line],
    after: &[&Line],
    ours: Outcome,
    assumed: &dyn Fn(&Line) -> Assumed,
) -> Result<Vec<Pair>, Tangled> {
    let walk = |lines| Walk { lines, steps: Vec::new(), remembers: true };
    let together = Together {
        twins: twins(before, after).ok_or(Tangled)?,
        before: walk(before),
        after: walk(after),
        ours,
        assumed,
    };
    together.pairs()
}

/// For each line of `after` that of `before` that it is. `None` when a line is gone.
pub(in crate::pam_editing) fn twins(before: &[&Line], after: &[&Line]) -> Option<Vec<Option<usize>>> {
    let mut at = 0;
    let runs = |line: &&Line| line.kind != Kind::Substack;
    let skip = |mut at: usize| {
        while before.get(at).is_some_and(|line| !runs(line)) {
            at += 1;
        }
        at
    };
    let mut twins = Vec::new();
    for line in after {
        at = skip(at);
        let is_twin = |other: &&&Line| (&other.module, &other.arguments) == (&line.module, &line.arguments);
        let is_new = line.file == Path::new(first_factor::FILE);
        let twin = before.get(at).filter(|_| runs(line) && !is_new).filter(is_twin).map(|_| at);
        at += usize::from(twin.is_some());
        twins.push(twin);
    }
    (skip(at) == before.len()).then_some(twins)
}

struct Together<'l> {
    before: Walk<'l>,
    after: Walk<'l>,
    twins: Vec<Option<usize>>,
    ours: Outcome,
    assumed: &'l dyn Fn(&Line) -> Assumed,
}

/// The situations that both have come to, and the line that led there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct CommonSituations {
    before: Situation,
    after: Situation,
    by: Option<(usize, Led)>,
}

/// The way in which a line led on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Led {
    Away,
    On,
}

impl Together<'_> {
    fn pairs(&self) -> Result<Vec<Pair>, Tangled> {
        let (so_far, primary, ours) = (SoFar::Nothing, Primary::NotAsked, Ours::NotRun);
        let (others, accepted, told) = (Others::None, Accepted::None, Told::Nothing);
        let start = Situation { line: 0, so_far, primary, ours, others, accepted, told, entered: Vec::new() };
        let start = CommonSituations { before: start.clone(), after: start, by: None };
        let mut known = BTreeSet::from([start.clone()]);
        let mut waiting = vec![start];
        let mut pairs: Vec<Pair> = Vec::new();
        while let Some(both) = waiting.pop() {
            let onwards = self.onwards(&both);
            if onwards.is_empty() {
                let (before, after) = (both.before.so_far, both.after.so_far);
                let by = both.by.map(|(line, _)| line);
                let pair = Pair { before, after, primary: both.before.primary, by, told: both.after.told };
                if !pairs.contains(&pair) {
                    pairs.push(pair);
                }
            }
            for next in onwards {
                if known.insert(next.clone()) {
                    waiting.push(next);
                }
            }
            if known.len() > MOST {
                return Err(Tangled);
            }
        }
        Ok(pairs)
    }

    /// One line further: the first that either of the two runs next. Empty at the end of both.
    fn onwards(&self, both: &CommonSituations) -> Vec<CommonSituations> {
        let (old, new) = (self.before.lines.get(both.before.line), self.after.lines.get(both.after.line));
        if old.is_some_and(|line| line.kind == Kind::Substack) {
            let entered = self.before.onwards(&both.before).into_iter();
            return entered.map(|(before, _)| CommonSituations { before, ..both.clone() }).collect();
        }
        if new.is_some_and(|line| line.kind == Kind::Substack) {
            let entered = self.after.onwards(&both.after).into_iter();
            return entered.map(|(after, _)| CommonSituations { after, ..both.clone() }).collect();
        }
        let twin = self.twins.get(both.after.line).copied().flatten();
        if let (Some(line), None) = (new, twin) {
            let outcome = match Nature::of(line) {
                Nature::Ours => self.ours,
                Nature::Noting => Outcome::Ignore,
                // A `pam_permit.so` beside them.
                _ => Outcome::Success,
            };
            let actions = line.actions.actions(outcome).into_iter();
            let after = actions.map(|action| self.after.after(&both.after, line, outcome, action).0);
            return after.map(|after| CommonSituations { after, ..both.clone() }).collect();
        }
        let end = self.before.lines.len();
        let at = both.before.line.min(end).min(twin.unwrap_or(end));
        let Some(line) = self.before.lines.get(at) else { return Vec::new() };
        let new = new.filter(|_| twin == Some(at));
        let returned: Vec<Outcome> =
            possible(line, (self.assumed)(line)).into_iter().map(|(outcome, _)| outcome).collect();
        let results = line.actions.beside(&new.unwrap_or(line).actions).into_iter();
        let results = results.filter(|(outcome, ..)| returned.contains(outcome));
        results
            .map(|(outcome, then, now)| {
                let runs = both.before.line == at;
                let before =
                    if runs { self.before.after(&both.before, line, outcome, then).0 } else { both.before.clone() };
                let after = match new {
                    Some(new) => self.after.after(&both.after, new, outcome, now).0,
                    None => both.after.clone(),
                };
                let led = match now {
                    Action::Jump(_) | Action::Done => Led::Away,
                    _ => Led::On,
                };
                let by = match both.by {
                    Some((_, Led::Away)) if led == Led::On => both.by,
                    _ => Some((at, led)),
                };
                CommonSituations { before, after, by }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    use super::*;
    use twofactor_core::pam_service::flow::endings_assuming;
    use twofactor_core::pam_service::modules::OURS;
    use twofactor_core::pam_service::{Phase, Service};

    fn service(text: &str) -> Service {
        Service::from_text("s", Path::new("/nonexistent/s"), text, &[]).unwrap()
    }

    /// The end of a phase in which exactly the lines of `passing`, counted without ours, accept; ours does.
    fn end(lines: &[&Line], passing: u32) -> SoFar {
        let foreign = |at: usize| lines.iter().take(at).filter(|line| !line.runs(OURS)).count();
        let assumed = |at: usize, line: &Line| {
            let passes = line.runs(OURS) || passing & (1 << foreign(at)) != 0;
            if passes { Assumed::Passes } else { Assumed::Refuses }
        };
        endings_assuming(lines, &assumed).unwrap()[0].so_far
    }

    fn control() -> impl Strategy<Value = String> {
        let action = prop::sample::select(vec!["ok", "done", "bad", "die", "reset", "ignore", "1", "2", "3"]);
        let words = prop::sample::select(vec!["required", "requisite", "sufficient", "optional"]);
        let brackets = (action.clone(), action).prop_map(|(good, bad)| format!("[success={good} default={bad}]"));
        prop_oneof![words.prop_map(str::to_owned), brackets]
    }

    proptest! {
        #[test]
        fn every_combination_of_results_is_met_and_no_other(
            controls in prop::collection::vec(control(), 1..6),
            at in 0_usize..7,
        ) {
            let foreign: Vec<String> = controls.iter().map(|control| format!("auth {control} pam_unix.so\n")).collect();
            let mut with_ours = foreign.clone();
            with_ours.insert(at.min(foreign.len()), "auth required pam_twofactor.so\n".to_owned());
            let (before, after) = (service(&foreign.concat()), service(&with_ours.concat()));
            let (before, after) = (before.phase(Phase::Auth), after.phase(Phase::Auth));
            let one_by_one: BTreeSet<_> = (0..1 << foreign.len())
                .map(|passing| (end(&before, passing), end(&after, passing)))
                .collect();
            let pairs = pairs(&before, &after, Outcome::Success, &|_| Assumed::Nothing).unwrap();
            let together: BTreeSet<_> = pairs.iter().map(|pair| (pair.before, pair.after)).collect();
            prop_assert_eq!(together, one_by_one);
        }
    }

    #[test]
    fn an_include_and_the_substack_that_it_becomes_are_the_same_lines() {
        let folder = tempfile::tempdir().unwrap();
        let inner = "auth sufficient pam_unix.so\nauth required pam_deny.so\n";
        std::fs::write(folder.path().join("inner"), inner).unwrap();
        let read = |text: &str| Service::from_text("s", &folder.path().join("s"), text, &[folder.path()]).unwrap();
        let before = read("auth include inner\n");
        let after = read("auth substack inner\nauth required pam_twofactor.so\n");
        let pairs =
            pairs(&before.phase(Phase::Auth), &after.phase(Phase::Auth), Outcome::Success, &|_| Assumed::Nothing)
                .unwrap();
        assert!(
            pairs.iter().all(|pair| (pair.before == SoFar::Success) == (pair.after == SoFar::Success)),
            "{pairs:?}"
        );
        assert_eq!(pairs.len(), 2, "{pairs:?}");
    }
}
