//! The combinations of modules' results that a phase is run with.
//!
//! All combinations where they are few. Else so many that libpam takes every turn that the lines can lead it to: each result of
//! each line in every state that libpam can come to it in. How many there are has a bound.

use crate::pam_editing::course::{Course, course};
use std::collections::BTreeSet;

use super::version::{OURS_RETURNS, Version};
use crate::pam_editing::course::{Turn, Turns};
use twofactor_core::pam_service::control::{Code, Outcome};
use twofactor_core::pam_service::flow::{Assumed, possible};
use twofactor_core::pam_service::{Kind, Line};

/// The most combinations of a phase.
pub(super) const MOST: usize = 128;
/// The most situations of a phase that are looked at. A stack of a real host has some hundred.
const MOST_SITUATIONS: usize = 4000;

/// The results of a phase's modules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Combination {
    /// For each line of the earlier version. Where no module runs it means nothing.
    pub(super) codes: Vec<Code>,
    /// The chance that modules of this nature return that together.
    pub(super) likelihood: Likelihood,
}

/// The chance of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likelihood {
    /// As far as is known.
    Possible,
    /// Only a stub does, such as a `pam_deny.so` that accepts.
    Odd,
}

/// The combinations for a phase in two versions.
pub(super) fn of(before: &Version<'_>, after: &Version<'_>, is_missing: fn(&Line) -> bool) -> Vec<Combination> {
    let slots: Vec<Slot> =
        before.lines.iter().enumerate().map(|(at, line)| Slot::of(at, line, after, is_missing)).collect();
    let choices = slots.iter().map(|slot| slot.groups.len().max(1));
    let all = choices.clone().try_fold(1_usize, usize::checked_mul).filter(|all| *all <= MOST);
    match all {
        Some(all) => (0..all).map(|number| every(number, &slots)).collect(),
        None => Search { before, after, slots: &slots, taken: BTreeSet::new(), found: Vec::new() }.found(),
    }
}

/// The possible results of a line's module, in groups of codes that both versions treat the same.
struct Slot {
    groups: Vec<Group>,
}

struct Group {
    codes: Vec<Code>,
    likelihood: Likelihood,
}

impl Slot {
    fn of(at: usize, line: &Line, after: &Version<'_>, is_missing: fn(&Line) -> bool) -> Self {
        let assumed = if is_missing(line) { Assumed::Missing } else { Assumed::Nothing };
        let known: Vec<Outcome> = possible(line, assumed).into_iter().map(|(outcome, _)| outcome).collect();
        let twin = after.line_of(at).unwrap_or(line);
        let mut groups: Vec<(_, Group)> = Vec::new();
        for code in Code::all() {
            let treated = (code.outcome(), line.actions.action(code), twin.actions.action(code));
            match groups.iter_mut().find(|(known, _)| *known == treated) {
                Some((_, group)) => group.codes.push(code),
                None => {
                    let likelihood =
                        if known.contains(&code.outcome()) { Likelihood::Possible } else { Likelihood::Odd };
                    groups.push((treated, Group { codes: vec![code], likelihood }));
                }
            }
        }
        // The likely ones first: they are what is filled up with.
        groups.sort_by_key(|(_, group)| group.likelihood);
        if !matches!(line.kind, Kind::Module) {
            groups.truncate(1);
        }
        Self { groups: groups.into_iter().map(|(_, group)| group).collect() }
    }

    /// A code of a group; which, changes with the number.
    pub(super) fn code(&self, group: usize, number: usize) -> (Code, Likelihood) {
        match self.groups.get(group) {
            Some(group) => {
                let code = group.codes.get(number % group.codes.len().max(1)).copied();
                (code.unwrap_or(Code::PERM_DENIED), group.likelihood)
            }
            None => (Code::PERM_DENIED, Likelihood::Odd),
        }
    }

    /// The chance of a code here.
    fn likelihood(&self, code: Code) -> Likelihood {
        let group = self.groups.iter().find(|group| group.codes.contains(&code));
        group.map_or(Likelihood::Odd, |group| group.likelihood)
    }

    fn likely(&self) -> usize {
        self.groups.iter().filter(|group| group.likelihood == Likelihood::Possible).count().max(1)
    }
}

/// One of all combinations, by its number.
fn every(number: usize, slots: &[Slot]) -> Combination {
    let mut rest = number;
    let mut combination = Combination { codes: Vec::new(), likelihood: Likelihood::Possible };
    for (at, slot) in slots.iter().enumerate() {
        let count = slot.groups.len().max(1);
        let (code, likelihood) = slot.code(rest % count, number + at * 5);
        rest /= count;
        combination.codes.push(code);
        combination.likelihood = combination.likelihood.max(likelihood);
    }
    combination
}

/// Looks for combinations that together take every turn.
struct Search<'s> {
    before: &'s Version<'s>,
    after: &'s Version<'s>,
    slots: &'s [Slot],
    taken: BTreeSet<(Which, Turn)>,
    found: Vec<Combination>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    Before,
    After,
}

impl Search<'_> {
    fn found(mut self) -> Vec<Combination> {
        let old = Turns::of(&self.before.lines, &|at| self.choices(Some(at)), MOST_SITUATIONS);
        let new = Turns::of(&self.after.lines, &|at| self.choices_after(at), MOST_SITUATIONS);
        let new_ones = new.all.iter().map(|one| (Which::After, &new, one));
        let old_ones = old.all.iter().map(|one| (Which::Before, &old, one));
        let mut wanted: Vec<_> = new_ones.chain(old_ones).collect();
        // What modules do first, what only stubs do afterwards.
        wanted.sort_by_key(|(which, _, (_, _, own))| self.likelihood(&self.in_slots(*which, &[*own])));
        for (number, (which, turns, (turn, situation, own))) in wanted.into_iter().enumerate() {
            if self.found.len() == MOST {
                break;
            }
            if !self.taken.contains(&(which, turn.clone())) {
                self.take(number, &self.in_slots(which, &turns.path(*situation, *own)));
            }
        }
        let mut number = self.found.len();
        // The rest by chance, the same at every run.
        while self.found.len() < MOST {
            self.take(number, &[]);
            number += 1;
        }
        self.found
    }

    /// With the codes of a path, and what chance says behind it.
    fn take(&mut self, number: usize, path: &[(usize, Code)]) {
        let code = |(at, slot): (usize, &Slot)| {
            let given = path.iter().find(|(line, _)| *line == at).map(|(_, code)| *code);
            given.unwrap_or_else(|| slot.code(mixed(number, at) % slot.likely(), number + at * 5).0)
        };
        let codes: Vec<Code> = self.slots.iter().enumerate().map(code).collect();
        let all: Vec<(usize, Code)> = codes.iter().copied().enumerate().collect();
        let combination = Combination { likelihood: self.likelihood(&all), codes };
        let old = self.before.course(&combination, Code::SUCCESS);
        self.taken.extend(old.steps.into_iter().map(|turn| (Which::Before, turn)));
        for ours in OURS_RETURNS {
            let new = self.after.course(&combination, ours);
            self.taken.extend(new.steps.into_iter().map(|turn| (Which::After, turn)));
        }
        self.found.push(combination);
    }

    /// One code of each group of a line; of ours and what else was put in, what those return.
    fn choices(&self, slot: Option<usize>) -> Vec<Code> {
        match slot.and_then(|at| self.slots.get(at)) {
            Some(slot) => slot.groups.iter().filter_map(|group| group.codes.first().copied()).collect(),
            None => OURS_RETURNS.to_vec(),
        }
    }

    fn choices_after(&self, at: usize) -> Vec<Code> {
        match self.after.slot(at) {
            None if !self.after.is_ours(at) => vec![self.after.added(at)],
            slot => self.choices(slot),
        }
    }

    /// The codes of lines, under the numbers of the earlier version.
    fn in_slots(&self, which: Which, codes: &[(usize, Code)]) -> Vec<(usize, Code)> {
        match which {
            Which::Before => codes.to_vec(),
            Which::After => codes.iter().filter_map(|(at, code)| Some((self.after.slot(*at)?, *code))).collect(),
        }
    }

    fn likelihood(&self, codes: &[(usize, Code)]) -> Likelihood {
        let each = codes.iter().filter_map(|(at, code)| Some(self.slots.get(*at)?.likelihood(*code)));
        each.max().unwrap_or(Likelihood::Possible)
    }
}

/// Two numbers, well mixed (the end of splitmix64).
fn mixed(one: usize, other: usize) -> usize {
    let mut mixed = (one as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(other as u64 + 1);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap_or_default()
}

impl Version<'_> {
    /// The result of a line.
    pub(super) fn code(&self, at: usize, combination: &Combination, ours: Code) -> Code {
        match self.slot(at) {
            Some(slot) => combination.codes.get(slot).copied().unwrap_or(Code::SUCCESS),
            None if self.is_ours(at) => ours,
            None => self.added(at),
        }
    }

    /// The way that the phase goes then.
    pub(super) fn course(&self, combination: &Combination, ours: Code) -> Course {
        course(&self.lines, &|at| self.code(at, combination, ours))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::pam_editing::together;
    use twofactor_core::pam_service::{Phase, Service};

    /// The combinations for a text and the same with our line at its end, and how many turns they leave out.
    fn combinations(text: &str) -> (Vec<Combination>, usize) {
        let read = |text: &str| Service::from_text("s", Path::new("/nonexistent/s"), text, &[]).unwrap();
        let (old, new) = (read(text), read(&format!("{text}auth required pam_twofactor.so\n")));
        let (before, after) = (old.phase(Phase::Auth), new.phase(Phase::Auth));
        let twins = together::twins(&before, &after).unwrap();
        let before = Version::first(before);
        let after = Version { lines: after, slots: twins };
        let found = of(&before, &after, |_| false);
        let codes = |at: usize| match after.slot(at) {
            None => OURS_RETURNS.to_vec(),
            Some(_) => Code::all().collect(),
        };
        let mut left: BTreeSet<Turn> =
            Turns::of(&after.lines, &codes, MOST_SITUATIONS).all.into_iter().map(|(turn, ..)| turn).collect();
        for combination in &found {
            for ours in OURS_RETURNS {
                for turn in after.course(combination, ours).steps {
                    left.remove(&turn);
                }
            }
        }
        (found, left.len())
    }

    #[test]
    fn few_combinations_are_all_taken() {
        let text = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n";
        let (found, left) = combinations(text);
        // Five of pam_unix and five of pam_deny: accepted, expired, nothing to say, not there, refused.
        assert_eq!((found.len(), left), (25, 0));
        let distinct: BTreeSet<_> =
            found.iter().map(|one| one.codes.iter().map(|code| code.outcome()).collect::<Vec<_>>()).collect();
        assert_eq!(distinct.len(), 25);
        let possible = found.iter().filter(|one| one.likelihood == Likelihood::Possible).count();
        assert_eq!(possible, 2, "pam_unix accepts or refuses, pam_deny refuses");
    }

    #[test]
    fn of_many_combinations_every_turn_is_taken() {
        let text = "auth required pam_env.so\nauth required pam_faildelay.so\n\
                    auth [default=1 ignore=ignore success=ok] pam_usertype.so\n\
                    auth [default=1 ignore=ignore success=ok] pam_localuser.so\nauth sufficient pam_unix.so\n\
                    auth [default=1 ignore=ignore success=ok] pam_usertype.so\nauth sufficient pam_sss.so\n\
                    auth required pam_deny.so\nauth [success=reset default=ignore] pam_krb5.so\n";
        let (found, left) = combinations(text);
        assert_eq!((found.len(), left), (MOST, 0));
        assert!(found.iter().filter(|one| one.likelihood == Likelihood::Possible).count() > MOST / 5);
    }

    #[test]
    fn a_tangle_has_no_more_than_any_other() {
        let text = "auth [success=3 auth_err=2 ignore=1 perm_denied=reset default=bad] pam_a.so\n".repeat(100);
        assert_eq!(combinations(&text).0.len(), MOST);
    }
}
