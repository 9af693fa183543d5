//! Every way a phase can end.
//!
//! Each module may return what a module of its [`Nature`] may; what follows from that is worked out as libpam does
//! (libpam/pam_dispatch.c: `_pam_dispatch_aux`): the impression so far, jumps within a stack, `done` and `die` that end a
//! substack and no more, `reset`. Ways that are the same from some line on are followed once, so the effort grows with
//! the number of lines and not with that of ways.

pub(super) mod course;
pub(super) mod together;

use std::collections::BTreeMap;

use thiserror::Error;

use super::control::{Action, Outcome};
use super::first_factor::FirstFactor;
use super::modules::{self, Nature};
use super::{Kind, Line, Phase};

/// The most situations that are looked at. A stack of a real host has some hundred.
const MOST: usize = 200_000;

/// What libpam thinks of a phase so far: its impression and its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SoFar {
    /// Nothing that counts was returned. At the end: permission denied.
    Nothing,
    /// Success.
    Success,
    /// Success, but the password has expired.
    NewPassword,
    /// A failure that was said to be ok. At the end: that failure.
    Tolerated,
    /// A failure whose code says that the password has expired. At the end of an account phase applications have it changed and
    /// go on, whatever refused behind it.
    ExpiredPassword,
    /// Any other failure.
    Failure,
}

impl SoFar {
    /// Whether an application lets in at such an end of the account phase; an expired password is changed on the way.
    pub(super) fn lets_in(self) -> bool {
        match self {
            Self::Success | Self::NewPassword | Self::ExpiredPassword => true,
            Self::Nothing | Self::Tolerated | Self::Failure => false,
        }
    }

    /// What libpam thinks once a module has returned what counts as a failure: its code is the phase's, unless there was another
    /// failure before.
    fn refused(self, outcome: Outcome) -> Self {
        match (self, outcome) {
            (Self::ExpiredPassword | Self::Failure, _) => self,
            (_, Outcome::NewPassword) => Self::ExpiredPassword,
            _ => Self::Failure,
        }
    }
}

/// What became of the first factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Primary {
    /// No module asked for one.
    NotAsked,
    /// No module is known to have asked for one, but one that nobody knows accepted something.
    Perhaps,
    /// Some module did, and none accepted it.
    Refused,
    /// Some module accepted it.
    Passed,
}

/// What became of our own line; of several, the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ours {
    /// It did not run.
    NotRun,
    /// It accepted.
    Passed,
    /// It had nothing to say.
    Ignored,
    /// It refused.
    Refused,
}

/// What became of second factors of other products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Others {
    /// None accepted.
    None,
    /// One did, and nothing else: it stands for a first factor.
    Alone,
    /// One did, and so did a first factor.
    Beside,
}

/// How many of our own lines accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Accepted {
    /// None.
    None,
    /// One.
    Once,
    /// Several: each of them asked.
    Repeatedly,
}

/// What our line is told of a failed first factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Told {
    /// Nothing.
    Nothing,
    /// A failure was noted, and our line has not run since.
    Noted,
    /// Our line ran with the note. It refuses then, although it is followed here as if it asked: what it would let in is known
    /// that way.
    Told,
}

/// A line that ran, what it returned, and what was done with that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Which line, by its place in the phase.
    pub line: usize,
    /// What it returned.
    pub outcome: Outcome,
    /// What libpam did.
    pub action: Action,
    /// The line that ran next, or would have: as many as there are at the end.
    pub next: usize,
}

/// A way a phase can end, and a shortest path to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub so_far: SoFar,
    /// With which first factor.
    pub primary: Primary,
    /// With which answer of ours.
    pub ours: Ours,
    /// With which second factor of another product.
    pub others: Others,
    /// How many of our lines accepted.
    pub accepted: Accepted,
    /// What our line was told.
    pub told: Told,
    /// What ran, in its order.
    pub path: Vec<Step>,
}

/// A phase has too many ways to follow.
#[derive(Debug, Error)]
#[error("its lines jump and reset in too many ways to follow")]
pub struct Tangled;

/// What is taken for granted about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assumed {
    /// Nothing: it does what a module of its nature may do.
    Nothing,
    /// Its module is not there.
    Missing,
    /// It accepts.
    Passes,
    /// It refuses.
    Refuses,
    /// It has something to say.
    Decides,
    /// It has nothing to say.
    Abstains,
}

/// Every way in which `lines`, those of one phase, can end. `is_missing` says of a line whether its module is not there.
pub fn endings(lines: &[&Line], is_missing: &dyn Fn(&Line) -> bool) -> Result<Vec<Ending>, Tangled> {
    endings_assuming(lines, &|_, line| if is_missing(line) { Assumed::Missing } else { Assumed::Nothing })
}

/// The same under assumptions about lines, which are told by their place in the phase.
pub fn endings_assuming(lines: &[&Line], assumed: &dyn Fn(usize, &Line) -> Assumed) -> Result<Vec<Ending>, Tangled> {
    let walk = Walk {
        lines,
        steps: lines.iter().enumerate().map(|(at, line)| possible(line, assumed(at, line))).collect(),
        remembers: lines.iter().any(|line| line.actions.has(Action::Reset)),
    };
    walk.endings()
}

/// Where each jump of `lines` can lead: from which line, and the line that runs next.
pub(super) fn jumps(lines: &[&Line]) -> Vec<(usize, usize)> {
    let walk = Walk { lines, steps: Vec::new(), remembers: false };
    lines.iter().enumerate().flat_map(|(at, line)| walk.jumps_of(at, line)).collect()
}

/// What a line may return, and what is done with it.
pub(super) fn possible(line: &Line, assumed: Assumed) -> Vec<(Outcome, Action)> {
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

/// Where a way has come to. From equal situations on, everything is equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Situation {
    line: usize,
    so_far: SoFar,
    primary: Primary,
    ours: Ours,
    others: Others,
    accepted: Accepted,
    told: Told,
    /// What was so far when each substack was entered; empty where nothing is ever reset to it.
    entered: Vec<SoFar>,
}

struct Walk<'l> {
    lines: &'l [&'l Line],
    steps: Vec<Vec<(Outcome, Action)>>,
    remembers: bool,
}

impl Walk<'_> {
    fn endings(&self) -> Result<Vec<Ending>, Tangled> {
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

    /// Where a line leads. Entering a substack is no step.
    fn onwards(&self, situation: &Situation) -> Vec<(Situation, Option<Step>)> {
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

    fn after(&self, now: &Situation, line: &Line, outcome: Outcome, action: Action) -> (Situation, Option<Step>) {
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

    /// What libpam thinks then, and the line it goes on with.
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

    fn jumps_of(&self, at: usize, line: &Line) -> Vec<(usize, usize)> {
        let over = line.actions.jumps().into_iter();
        over.map(|over| (at, self.target(at, line.depth, over).unwrap_or_else(|short| short))).collect()
    }

    /// The first line behind the stack that `line` is in.
    fn behind(&self, line: usize, depth: usize) -> usize {
        let rest = self.lines.iter().enumerate().skip(line + 1);
        rest.into_iter().find(|(_, other)| other.depth < depth).map_or(self.lines.len(), |(at, _)| at)
    }

    /// Where a jump over so many modules leads; a substack counts as one. `Err` when there are not that many: where it
    /// ends then.
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
fn path(met: &[(Situation, Option<(usize, Step)>)], end: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut at = end;
    while let Some((_, Some((before, step)))) = met.get(at) {
        steps.push(*step);
        at = *before;
    }
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pam_service::Service;

    const OURS: &str = "auth required pam_twofactor.so\n";

    fn ways(phase: Phase, text: &str, inner: &str) -> Vec<(SoFar, Primary, Ours)> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("inner"), inner).unwrap();
        let file = folder.path().join("service");
        let service = Service::from_text("service", &file, text, &[folder.path()]).unwrap();
        let endings = endings(&service.phase(phase), &|_| false).unwrap();
        let mut ways: Vec<_> = endings.iter().map(|ending| (ending.so_far, ending.primary, ending.ours)).collect();
        ways.sort_unstable();
        ways.dedup();
        ways
    }

    /// With which first factor and which answer of ours a login is a success.
    fn successes(text: &str, inner: &str) -> Vec<(Primary, Ours)> {
        let ways = ways(Phase::Auth, text, inner).into_iter();
        ways.filter(|way| way.0 == SoFar::Success).map(|way| (way.1, way.2)).collect()
    }

    #[test]
    fn behind_what_is_required_everything_counts() {
        let stack = format!("auth required pam_unix.so\n{OURS}");
        let passed = [(Primary::Passed, Ours::Passed), (Primary::Passed, Ours::Ignored)];
        assert_eq!(successes(&stack, ""), passed);
        let may_ignore = format!("auth required pam_krb5.so minimum_uid=1000\n{OURS}");
        assert_eq!(successes(&may_ignore, ""), [&[(Primary::NotAsked, Ours::Passed)], &passed[..]].concat());
    }

    #[test]
    fn sufficient_ends_the_stack_only_where_nothing_has_failed() {
        let inner = "auth sufficient pam_unix.so\nauth required pam_deny.so\n";
        assert_eq!(successes(&format!("auth include inner\n{OURS}"), inner), [(Primary::Passed, Ours::NotRun)]);
        let before = format!("{OURS}auth include inner\n");
        assert_eq!(
            successes(&before, inner),
            [(Primary::Passed, Ours::Passed), (Primary::Passed, Ours::Ignored)],
            "our refusal stays"
        );
    }

    #[test]
    fn in_a_substack_done_and_die_end_the_substack() {
        let stack = format!("auth substack inner\n{OURS}");
        let passed = [(Primary::Passed, Ours::Passed), (Primary::Passed, Ours::Ignored)];
        assert_eq!(successes(&stack, "auth sufficient pam_unix.so\nauth required pam_deny.so\n"), passed);
        let ways = ways(Phase::Auth, &stack, "auth requisite pam_unix.so\nauth required pam_permit.so\n");
        let failures: Vec<_> = ways.iter().filter(|way| way.1 == Primary::Refused).collect();
        assert_eq!(failures.len(), 3, "ours runs behind a wrong password: {failures:?}");
        assert!(failures.iter().all(|way| way.0 == SoFar::Failure && way.2 != Ours::NotRun), "{failures:?}");
    }

    #[test]
    fn jumps_count_a_substack_as_one_and_stay_in_their_own() {
        let jump = format!("auth [success=1 default=ignore] pam_unix.so\nauth substack inner\n{OURS}");
        let inner = "auth required pam_a.so\nauth requisite pam_deny.so\n";
        assert_eq!(successes(&jump, inner), [(Primary::Passed, Ours::Passed)]);
        let within = format!("auth required pam_permit.so\nauth substack inner\n{OURS}");
        let inside = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n";
        assert_eq!(
            successes(&within, inside),
            [(Primary::Passed, Ours::Passed), (Primary::Passed, Ours::Ignored)],
            "it lands behind the substack"
        );
        assert_eq!(successes(&format!("auth [success=3 default=bad] pam_unix.so\n{OURS}"), ""), [], "too far");
    }

    #[test]
    fn our_line_is_told_of_a_failure_behind_one_alone() {
        let file = std::path::Path::new("/nonexistent/service");
        let folder = tempfile::tempdir().unwrap();
        let inner = "auth sufficient pam_unix.so\nauth required pam_deny.so\n";
        std::fs::write(folder.path().join("inner"), inner).unwrap();
        let teller = crate::pam_service::first_factor::FILE;
        let told = |lines: &str| {
            let text = format!("auth substack inner\n{lines}");
            let service = Service::planned("service", file, text, &[folder.path()]).unwrap();
            let endings = endings(&service.phase(Phase::Auth), &|_| false).unwrap();
            let mut told: Vec<_> = endings.iter().map(|one| (one.primary, one.told)).collect();
            told.sort_unstable();
            told.dedup();
            told
        };
        let right = told(&format!("auth substack {teller}\n{OURS}"));
        assert_eq!(right, [(Primary::Refused, Told::Told), (Primary::Passed, Told::Nothing)]);
        let above = told(&format!("{OURS}auth substack {teller}\n"));
        let ours_refused = (Primary::Passed, Told::Noted);
        assert_eq!(above, [(Primary::Refused, Told::Noted), (Primary::Passed, Told::Nothing), ours_refused]);
        let always = told(&format!("auth optional pam_twofactor.so first_factor=failed\n{OURS}"));
        assert_eq!(always, [(Primary::Refused, Told::Told), (Primary::Passed, Told::Told)]);
        let forgotten =
            told(&format!("auth substack {teller}\nauth optional pam_twofactor.so first_factor=unknown\n{OURS}"));
        assert_eq!(forgotten, [(Primary::Refused, Told::Nothing), (Primary::Passed, Told::Nothing)]);
    }

    #[test]
    fn a_jump_alone_is_no_success() {
        assert_eq!(
            successes("auth [success=1 default=die] pam_unix.so\nauth requisite pam_deny.so\n", ""),
            [],
            "nobody said that it is"
        );
    }

    #[test]
    fn reset_forgets_what_was_in_its_stack() {
        let stack = format!("{OURS}auth [success=reset default=ignore] pam_a.so\nauth sufficient pam_unix.so\n");
        assert!(successes(&stack, "").contains(&(Primary::Passed, Ours::Refused)));
        let inner = "auth [success=reset default=ignore] pam_a.so\nauth required pam_unix.so\n";
        let before = format!("{OURS}auth substack inner\n");
        assert!(!successes(&before, inner).iter().any(|way| way.1 == Ours::Refused), "only to where it began");
    }

    #[test]
    fn a_failure_that_is_said_to_be_ok_is_no_success() {
        let ways = ways(Phase::Auth, "auth [default=ok] pam_unix.so\nauth sufficient pam_permit.so\n", "");
        assert!(ways.contains(&(SoFar::Tolerated, Primary::Refused, Ours::NotRun)), "{ways:?}");
        assert!(!ways.contains(&(SoFar::Success, Primary::Refused, Ours::NotRun)), "{ways:?}");
    }

    #[test]
    fn an_expired_password_ends_an_account_phase_of_debian() {
        let stack = "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\naccount requisite pam_deny.so\n\
                     account required pam_permit.so\naccount required pam_twofactor.so\n";
        let ways = ways(Phase::Account, stack, "");
        assert!(ways.contains(&(SoFar::NewPassword, Primary::NotAsked, Ours::NotRun)), "{ways:?}");
        assert!(!ways.iter().any(|way| way.0 == SoFar::Success && way.2 == Ours::NotRun), "{ways:?}");
    }

    /// The first failure gives a phase its code (libpam/pam_dispatch.c). Where that is PAM_NEW_AUTHTOK_REQD, sshd, login and su have
    /// the password changed and go on.
    #[test]
    fn a_refusal_that_says_that_the_password_has_expired_outweighs_later_ones() {
        let ours = "account required pam_twofactor.so\n";
        for control in ["[success=ok default=bad]", "[default=bad success=ok user_unknown=ignore]"] {
            let ways = ways(Phase::Account, &format!("account {control} pam_sss.so\n{ours}"), "");
            assert!(ways.contains(&(SoFar::ExpiredPassword, Primary::NotAsked, Ours::Refused)), "{ways:?}");
            let before = self::ways(Phase::Account, &format!("{ours}account {control} pam_sss.so\n"), "");
            assert!(!before.iter().any(|way| way.0 != SoFar::Failure && way.2 == Ours::Refused), "{before:?}");
        }
        let dies = ways(Phase::Account, &format!("account [success=ok default=die] pam_unix.so\n{ours}"), "");
        assert!(dies.contains(&(SoFar::ExpiredPassword, Primary::NotAsked, Ours::NotRun)), "{dies:?}");
        let silent = ways(Phase::Account, &format!("account [success=ok default=die] pam_access.so\n{ours}"), "");
        assert!(!silent.iter().any(|way| way.0 == SoFar::ExpiredPassword), "it knows no passwords: {silent:?}");
    }

    #[test]
    fn a_module_that_is_missing_fails_unless_its_control_says_otherwise() {
        let file = std::path::Path::new("/nonexistent/service");
        let ways = |text: &str| {
            let service = Service::from_text("service", file, text, &[]).unwrap();
            let endings = endings(&service.phase(Phase::Auth), &|line| line.module == "pam_gone.so").unwrap();
            endings.iter().any(|ending| ending.so_far == SoFar::Success)
        };
        assert!(!ways("-auth required pam_gone.so\nauth required pam_permit.so\n"));
        assert!(ways("-auth optional pam_gone.so\nauth required pam_permit.so\n"));
        assert!(ways("auth [module_unknown=ignore default=bad] pam_gone.so\nauth required pam_permit.so\n"));
    }

    #[test]
    fn thousands_of_lines_are_followed_and_a_tangle_is_given_up() {
        let file = std::path::Path::new("/nonexistent/service");
        let long = "auth [success=2 auth_err=1 default=bad] pam_a.so\n".repeat(2000);
        let service = Service::from_text("service", file, &long, &[]).unwrap();
        assert!(endings(&service.phase(Phase::Auth), &|_| false).is_ok());
        let folder = tempfile::tempdir().unwrap();
        for level in 0..14 {
            let text =
                "auth [success=reset new_authtok_reqd=ok auth_err=ok default=bad ignore=ignore] pam_a.so\n".repeat(20);
            let text = format!("{text}auth substack s{}\n{text}", level + 1);
            std::fs::write(folder.path().join(format!("s{level}")), text).unwrap();
        }
        std::fs::write(folder.path().join("s14"), "auth required pam_unix.so\n").unwrap();
        let tangle = Service::read("s0", &[folder.path()]).unwrap();
        // Either answer is right; that there is one in bounded time is the point.
        drop(endings(&tangle.phase(Phase::Auth), &|_| false));
    }
}
