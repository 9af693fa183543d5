//! A phase in which it is given what each module returns: it can go one way only.

use std::collections::BTreeSet;

use twofactor_core::pam_service::control::{Action, Code, Outcome};
use twofactor_core::pam_service::flow::situation::{Accepted, Others, Ours, Primary, Situation, SoFar, Told};
use twofactor_core::pam_service::flow::walk::Walk;
use twofactor_core::pam_service::{Kind, Line};

/// The way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pam_editing) struct Course {
    /// The lines that ran, by their places in the phase, with what they returned.
    pub(in crate::pam_editing) ran: Vec<(usize, Code)>,
    /// Its end.
    pub(in crate::pam_editing) so_far: SoFar,
    /// With which first factor.
    pub(in crate::pam_editing) primary: Primary,
    /// With which answer of ours.
    pub(in crate::pam_editing) ours: Ours,
    /// With which second factor of another product.
    pub(in crate::pam_editing) others: Others,
    /// The word that our line got.
    pub(in crate::pam_editing) told: Told,
    /// The steps that it consists of.
    pub(in crate::pam_editing) steps: Vec<Turn>,
}

/// libpam's immediate action on the result of a line: as much as its next steps depend on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::pam_editing) struct Turn {
    situation: Situation,
    outcome: Outcome,
    action: Action,
}

/// The way when each line, told by its place, returns what `returned` says.
pub(in crate::pam_editing) fn course(lines: &[&Line], returned: &dyn Fn(usize) -> Code) -> Course {
    let walk = Walk { lines, steps: Vec::new(), remembers: true };
    let (mut now, mut ran, mut steps) = (start(), Vec::new(), Vec::new());
    // Every step leads to a later line.
    while let Some(line) = lines.get(now.line) {
        if line.kind == Kind::Substack {
            let Some((entered, _)) = walk.onwards(&now).pop() else { break };
            now = entered;
            continue;
        }
        let code = returned_by(line, now.line, returned);
        let (outcome, action) = (code.outcome(), line.actions.action(code));
        ran.push((now.line, code));
        steps.push(Turn { situation: bare(&now), outcome, action });
        now = walk.after(&now, line, outcome, action).0;
    }
    let Situation { so_far, primary, ours, others, told, .. } = now;
    Course { ran, so_far, primary, ours, others, told, steps }
}

/// The result that libpam takes a line to have: one that it cannot run has no say.
fn returned_by(line: &Line, at: usize, returned: &dyn Fn(usize) -> Code) -> Code {
    if line.kind == Kind::Module { returned(at) } else { Code::PERM_DENIED }
}

/// Every turn that a phase can take, and what leads to each.
pub(in crate::pam_editing) struct Turns {
    /// The situations in which they are taken.
    met: Vec<Met>,
    /// Each with the number of its situation, its line and its code.
    pub(in crate::pam_editing) all: Vec<(Turn, usize, (usize, Code))>,
}

/// A situation, and what led to it.
#[derive(Debug, Clone)]
struct Met {
    situation: Situation,
    /// The one before.
    before: Option<usize>,
    /// The line that led on, with its code; entering a substack takes none.
    by: Option<(usize, Code)>,
}

impl Turns {
    /// `choices` says which codes a line may return. Of a phase with more situations than `most`, those that are found first.
    pub(in crate::pam_editing) fn of(lines: &[&Line], choices: &dyn Fn(usize) -> Vec<Code>, most: usize) -> Self {
        let walk = Walk { lines, steps: Vec::new(), remembers: true };
        let mut turns = Self { met: vec![Met { situation: start(), before: None, by: None }], all: Vec::new() };
        let mut known = BTreeSet::from([start()]);
        let mut at = 0;
        while let Some(now) = turns.met.get(at).map(|met| met.situation.clone()) {
            let Some(line) = lines.get(now.line) else {
                at += 1;
                continue;
            };
            let mut onwards: Vec<(Situation, Option<(usize, Code)>)> = Vec::new();
            if line.kind == Kind::Substack {
                onwards.extend(walk.onwards(&now).into_iter().map(|(next, _)| (next, None)));
            } else {
                let mut here = BTreeSet::new();
                for code in choices(now.line) {
                    let code = returned_by(line, now.line, &|_| code);
                    let (outcome, action) = (code.outcome(), line.actions.action(code));
                    if here.insert((outcome, action)) {
                        turns.all.push((Turn { situation: now.clone(), outcome, action }, at, (now.line, code)));
                        onwards.push((walk.after(&now, line, outcome, action).0, Some((now.line, code))));
                    }
                }
            }
            for (next, by) in onwards {
                let next = bare(&next);
                if turns.met.len() < most && known.insert(next.clone()) {
                    turns.met.push(Met { situation: next, before: Some(at), by });
                }
            }
            at += 1;
        }
        turns
    }

    /// The codes of the lines that lead to a turn, and of its own.
    pub(in crate::pam_editing) fn path(&self, situation: usize, own: (usize, Code)) -> Vec<(usize, Code)> {
        let mut path = vec![own];
        let mut at = Some(situation);
        while let Some(met) = at.and_then(|at| self.met.get(at)) {
            path.extend(met.by);
            at = met.before;
        }
        path.reverse();
        path
    }
}

fn start() -> Situation {
    Situation {
        line: 0,
        so_far: SoFar::Nothing,
        primary: Primary::NotAsked,
        ours: Ours::NotRun,
        others: Others::None,
        accepted: Accepted::None,
        told: Told::Nothing,
        entered: Vec::new(),
    }
}

/// Without what libpam does not know.
fn bare(now: &Situation) -> Situation {
    Situation { line: now.line, so_far: now.so_far, entered: now.entered.clone(), ..start() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twofactor_core::pam_service::{Phase, Service};

    fn with<T>(text: &str, inner: &str, look: impl FnOnce(&[&Line]) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("inner"), inner).unwrap();
        let service = Service::from_text("s", &folder.path().join("s"), text, &[folder.path()]).unwrap();
        look(&service.phase(Phase::Auth))
    }

    #[test]
    fn what_each_line_returns_says_which_run_and_how_it_ends() {
        let text = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth substack inner\n\
                    auth required pam_twofactor.so\n";
        let inner = "auth sufficient pam_a.so\nauth required pam_b.so\n";
        let run = |unix: Code, a: Code| {
            let codes = [(0, unix), (3, a)];
            let given = |at: usize| codes.iter().find(|(line, _)| *line == at).map_or(Code::SUCCESS, |(_, code)| *code);
            with(text, inner, |lines| course(lines, &given))
        };
        let places = |course: &Course| course.ran.iter().map(|(line, _)| *line).collect::<Vec<_>>();
        let right = run(Code::SUCCESS, Code::SUCCESS);
        assert_eq!((places(&right), right.so_far, right.primary), (vec![0, 3, 5], SoFar::Success, Primary::Passed));
        let longer = run(Code::SUCCESS, Code::IGNORE);
        assert_eq!((places(&longer), longer.so_far), (vec![0, 3, 4, 5], SoFar::Success));
        let wrong = run(Code::PERM_DENIED, Code::SUCCESS);
        assert_eq!((places(&wrong), wrong.ours), (vec![0, 1, 3, 5], Ours::Passed));
    }

    #[test]
    fn every_turn_is_reached_by_the_codes_that_lead_to_it() {
        let text = "auth sufficient pam_a.so\nauth substack inner\nauth [success=reset default=bad] pam_b.so\n";
        let inner = "auth [success=1 default=die] pam_c.so\nauth required pam_d.so\nauth required pam_e.so\n";
        with(text, inner, |lines| {
            let codes = || vec![Code::SUCCESS, Code::IGNORE, Code::PERM_DENIED];
            let turns = Turns::of(lines, &|_| codes(), 1000);
            assert!(turns.all.len() > 15, "{}", turns.all.len());
            for (turn, situation, own) in &turns.all {
                let path = turns.path(*situation, *own);
                let given =
                    |at: usize| path.iter().find(|(line, _)| *line == at).map_or(Code::SUCCESS, |(_, code)| *code);
                let course = course(lines, &given);
                assert_eq!(course.ran[..path.len()], path[..]);
                assert_eq!(course.steps[path.len() - 1], *turn);
            }
        });
    }
}
