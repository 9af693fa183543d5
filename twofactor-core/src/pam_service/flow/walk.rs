//! The walk through a phase, as libpam dispatches it.

use super::super::control::{Action, Outcome};
use super::super::first_factor::FirstFactor;
use super::super::line::{Kind, Line, Phase};
use super::super::modules::{self, Nature};
use super::situation::Situation;
use super::situation::{Accepted, Assumed, Ending, Others, Ours, Primary, SoFar, Step, Tangled, Told};
use std::collections::BTreeMap;

/// The most situations that are looked at. A stack of a real host has some hundred.
pub const MOST: usize = 200_000;

/// The results that a line may return, and the action on each.
pub fn possible(line: &Line, assumed: Assumed) -> Vec<(Outcome, Action)> {
    let outcomes: &[Outcome] = match (&line.kind, Nature::of(line), assumed) {
        (Kind::Substack, ..) => &[],
        (Kind::Module, Nature::Noting, Assumed::Missing) => &[Outcome::Missing],
        (Kind::Module, Nature::Noting, _) => &[Outcome::Ignore],
        (Kind::Broken(_), ..) | (Kind::Module, Nature::Deny, _) | (Kind::Module, _, Assumed::Refuses) => {
            &[Outcome::Failure]
        }
        (Kind::Module, _, Assumed::Missing) => &[Outcome::Missing],
        (Kind::Module, Nature::Permit, _) | (Kind::Module, _, Assumed::Passes) => &[Outcome::Success],
        (Kind::Module, Nature::Primary, Assumed::Nothing) if modules::always_decides(line) => {
            &[Outcome::Success, Outcome::Failure]
        }
        (Kind::Module, _, Assumed::Abstains) => &[Outcome::Ignore],
        // Passwords and their age are the business of none of these.
        (Kind::Module, Nature::Ours | Nature::Silent, Assumed::Nothing) => {
            &[Outcome::Success, Outcome::Ignore, Outcome::Failure]
        }
        (Kind::Module, Nature::Ours | Nature::Silent, Assumed::Decides) => &[Outcome::Success, Outcome::Failure],
        (Kind::Module, Nature::Primary | Nature::Unknown, Assumed::Nothing) => match line.phase {
            Phase::Account => &[Outcome::Success, Outcome::Ignore, Outcome::NewPassword, Outcome::Failure],
            Phase::Auth | Phase::Session | Phase::Password => &[Outcome::Success, Outcome::Ignore, Outcome::Failure],
        },
        (Kind::Module, _, Assumed::Decides) => match line.phase {
            Phase::Account => &[Outcome::Success, Outcome::NewPassword, Outcome::Failure],
            Phase::Auth | Phase::Session | Phase::Password => &[Outcome::Success, Outcome::Failure],
        },
    };
    let actions = |outcome: &Outcome| {
        let outcome = *outcome;
        line.actions.actions(outcome).into_iter().map(move |action| (outcome, action))
    };
    outcomes.iter().flat_map(actions).collect()
}

/// A phase that is walked through.
pub struct Walk<'l> {
    /// Its lines.
    pub lines: &'l [&'l Line],
    /// The results that each line may return, and the action on each. Empty where the caller chooses at every line.
    pub steps: Vec<Vec<(Outcome, Action)>>,
    /// True when a situation keeps the view from before its substacks: `reset` needs that.
    pub remembers: bool,
}

impl Walk<'_> {
    /// Every way it can end.
    pub fn endings(&self) -> Result<Vec<Ending>, Tangled> {
        let (so_far, primary, ours) = (SoFar::Nothing, Primary::NotAsked, Ours::NotRun);
        let (others, accepted, told) = (Others::None, Accepted::None, Told::Nothing);
        let start = Situation { line: 0, so_far, primary, ours, others, accepted, told, entered: Vec::new() };
        // No hash map: the standard library gets random keys for it, and panics where the kernel gives none.
        let mut known = BTreeMap::from([(start.clone(), 0)]);
        // Where each situation was first met, and by which step: the path back to the beginning.
        let mut met: Vec<(Situation, Option<(usize, Step)>)> = vec![(start, None)];
        let mut endings: Vec<Ending> = Vec::new();
        let mut at = 0;
        while let Some((situation, _)) = met.get(at).cloned() {
            if situation.line >= self.lines.len() {
                let Situation { so_far, primary, ours, others, accepted, told, .. } = situation;
                let same = |known: &Ending| {
                    (known.so_far, known.primary, known.ours, known.others, known.accepted, known.told)
                        == (so_far, primary, ours, others, accepted, told)
                };
                if !endings.iter().any(same) {
                    endings.push(Ending { so_far, primary, ours, others, accepted, told, path: path(&met, at) });
                }
            }
            for (next, step) in self.onwards(&situation) {
                if !known.contains_key(&next) {
                    known.insert(next.clone(), met.len());
                    met.push((next, step.map(|step| (at, step)).or(met.get(at).and_then(|(_, back)| *back))));
                }
            }
            if met.len() > MOST {
                return Err(Tangled);
            }
            at += 1;
        }
        Ok(endings)
    }

    /// The situations that a line leads to. Entering a substack is no step.
    pub fn onwards(&self, situation: &Situation) -> Vec<(Situation, Option<Step>)> {
        let Some(line) = self.lines.get(situation.line) else { return Vec::new() };
        if line.kind == Kind::Substack {
            let mut entered = situation.entered.clone();
            if self.remembers {
                entered.resize(line.depth, SoFar::Nothing);
                entered.push(situation.so_far);
            }
            return vec![(Situation { line: situation.line + 1, entered, ..situation.clone() }, None)];
        }
        let steps = self.steps.get(situation.line).map(Vec::as_slice).unwrap_or_default();
        steps.iter().map(|(outcome, action)| self.after(situation, line, *outcome, *action)).collect()
    }

    /// The situation that one result of a line leads to.
    pub fn after(&self, now: &Situation, line: &Line, outcome: Outcome, action: Action) -> (Situation, Option<Step>) {
        let (so_far, next) = self.dispatch(now, line, outcome, action);
        let nature = Nature::of(line);
        let primary = match (nature, outcome) {
            (Nature::Primary, Outcome::Success) => Primary::Passed,
            (Nature::Primary, Outcome::Failure) => now.primary.max(Primary::Refused),
            (Nature::Unknown, Outcome::Success) => now.primary.max(Primary::Perhaps),
            _ => now.primary,
        };
        let ours = match (nature, outcome) {
            (Nature::Ours, Outcome::Success | Outcome::NewPassword) => now.ours.max(Ours::Passed),
            (Nature::Ours, Outcome::Ignore) => now.ours.max(Ours::Ignored),
            (Nature::Ours, Outcome::Failure | Outcome::Missing) => Ours::Refused,
            _ => now.ours,
        };
        let others = match (modules::is_other_second_factor(line), nature, outcome) {
            (true, _, Outcome::Success) if now.primary == Primary::Passed => Others::Beside,
            (true, _, Outcome::Success) => now.others.max(Others::Alone),
            (false, Nature::Primary, Outcome::Success) if now.others == Others::Alone => Others::Beside,
            _ => now.others,
        };
        let accepted = match (nature, outcome, now.accepted) {
            (Nature::Ours, Outcome::Success, Accepted::None) => Accepted::Once,
            (Nature::Ours, Outcome::Success, Accepted::Once | Accepted::Repeatedly) => Accepted::Repeatedly,
            (_, _, accepted) => accepted,
        };
        let told = match (nature, line.notes(), now.told) {
            (_, _, Told::Told) | (Nature::Ours, _, Told::Noted) => Told::Told,
            (Nature::Noting, Some(FirstFactor::Failed), _) if outcome == Outcome::Ignore => Told::Noted,
            (Nature::Noting, Some(FirstFactor::Unknown), _) if outcome == Outcome::Ignore => Told::Nothing,
            (_, _, told) => told,
        };
        let mut entered = now.entered.clone();
        entered.truncate(self.lines.get(next).map_or(0, |line| line.depth));
        let situation = Situation { line: next, so_far, primary, ours, others, accepted, told, entered };
        (situation, Some(Step { line: now.line, outcome, action, next }))
    }

    /// libpam's view then, and the line it goes on with.
    fn dispatch(&self, now: &Situation, line: &Line, outcome: Outcome, action: Action) -> (SoFar, usize) {
        let following = now.line + 1;
        let so_far = now.so_far;
        match action {
            Action::Ignore => (so_far, following),
            Action::Ok | Action::Done => {
                let so_far = match (so_far, outcome) {
                    (SoFar::Nothing | SoFar::Success, Outcome::Success) => SoFar::Success,
                    (SoFar::Nothing | SoFar::Success, Outcome::NewPassword) => SoFar::NewPassword,
                    (SoFar::Nothing | SoFar::Success, _) => SoFar::Tolerated,
                    (SoFar::NewPassword | SoFar::Tolerated | SoFar::ExpiredPassword | SoFar::Failure, _) => so_far,
                };
                let has_failed = matches!(so_far, SoFar::ExpiredPassword | SoFar::Failure);
                let ends = action == Action::Done && !has_failed;
                (so_far, if ends { self.behind(now.line, line.depth) } else { following })
            }
            Action::Bad => (so_far.refused(outcome), following),
            Action::Die => (so_far.refused(outcome), self.behind(now.line, line.depth)),
            // Outside of every substack that is how it began.
            Action::Reset => match line.depth.checked_sub(1) {
                Some(level) => (now.entered.get(level).copied().unwrap_or(SoFar::Nothing), following),
                None => (SoFar::Nothing, following),
            },
            Action::Jump(over) => match self.target(now.line, line.depth, over) {
                Ok(target) => (so_far, target),
                Err(short) => (SoFar::Failure, short),
            },
        }
    }

    /// The jumps of a line: the line, and the one that runs next.
    pub fn jumps_of(&self, at: usize, line: &Line) -> Vec<(usize, usize)> {
        let over = line.actions.jumps().into_iter();
        over.map(|over| (at, self.target(at, line.depth, over).unwrap_or_else(|short| short))).collect()
    }

    /// The first line behind the stack that `line` is in.
    fn behind(&self, line: usize, depth: usize) -> usize {
        let rest = self.lines.iter().enumerate().skip(line + 1);
        rest.into_iter().find(|(_, other)| other.depth < depth).map_or(self.lines.len(), |(at, _)| at)
    }

    /// The line behind a jump over so many modules; a substack counts as one. `Err` when there are not that many: the place
    /// where it ends then.
    fn target(&self, line: usize, depth: usize, over: usize) -> Result<usize, usize> {
        let depth_of = |at: usize| self.lines.get(at).map(|line| line.depth);
        let mut last = line;
        for _ in 0..over {
            if depth_of(last + 1).is_none_or(|next| next < depth) {
                return Err(last + 1);
            }
            last += 1;
            while depth_of(last + 1).is_some_and(|next| next > depth) {
                last += 1;
            }
        }
        Ok(last + 1)
    }
}

/// The steps that led to a situation.
pub fn path(met: &[(Situation, Option<(usize, Step)>)], end: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut at = end;
    while let Some((_, Some((before, step)))) = met.get(at) {
        steps.push(*step);
        at = *before;
    }
    steps.reverse();
    steps
}
