//! Several sources become one list, by time and without duplicates.
//!
//! A line stands in the journal and in a file, with times that differ by a moment: the same process said the same. What a
//! sysadmin did to a physical token, and all that a helpdesk did, stands in the registry and, as soon as it was done, in the log:
//! the same event about the same serial, series or user. Each copy is taken out once for each source, so two equal events stay two.
//!
//! Invariants: at most [`MOST_HELD`] entries are held, for `JITTER` seconds of the log, and at most
//! [`MOST_REMEMBERED`] deeds are remembered, for `DELAY` seconds; all else passes through.

use std::collections::{HashMap, VecDeque};
use std::iter::Peekable;

use crate::logbook::entry::{Entry, Message, Source, Writer};
use twofactor_core::host::clock::UnixTime;

/// Sources may be at odds by so many seconds about when a line was written.
const JITTER: u64 = 3;

/// So long may a change of the registry wait for another one, in seconds, before the log hears of it.
const DELAY: u64 = 600;

/// So many entries are held at the most. A log that has more within `JITTER` seconds may show some of them twice.
pub const MOST_HELD: usize = 4096;

/// So many deeds are remembered at the most. When more are done within `DELAY` seconds, some may be shown twice.
pub const MOST_REMEMBERED: usize = 100_000;

/// The outcome of an act of the helpdesk that the registry does not know.
const UNKNOWN: &str = "unknown";

/// The entries of all sources, by time.
pub struct Merge<'s> {
    sources: Vec<Peekable<Box<dyn Iterator<Item = Entry> + 's>>>,
    held: VecDeque<Held>,
    /// For each source, how many of the held entries it has not told. Nothing is searched for in vain.
    untold: Vec<usize>,
    remembered: Memory,
}

/// An entry that waits for its copies.
struct Held {
    entry: Entry,
    in_sources: Sources,
}

/// The registry's entries, for when the log tells them again.
#[derive(Default)]
struct Memory {
    deeds: HashMap<Deed, VecDeque<(UnixTime, Sources)>>,
    order: VecDeque<(UnixTime, Deed)>,
}

/// A deed, its object, the uid for which the broker has done it, and why it was refused.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Deed {
    event: &'static str,
    about: [Option<String>; 6],
}

impl Deed {
    fn of(message: &Message) -> Self {
        let about = ["serial", "series", "user", "member", "asked_by", "reason"]
            .map(|key| message.value(key).map(str::to_owned));
        Self { event: message.event.word(), about }
    }
}

impl Memory {
    fn add(&mut self, entry: &Entry, source: usize) {
        let deed = Deed::of(&entry.message);
        self.deeds.entry(deed.clone()).or_default().push_back((entry.at, Sources::only(source)));
        self.order.push_back((entry.at, deed));
    }

    /// True when the registry has told this; once for each source. Times are whole seconds, and the log comes second.
    fn knows(&mut self, entry: &Entry, source: usize) -> bool {
        let same = self.deeds.get_mut(&Deed::of(&entry.message)).into_iter().flatten();
        let mut earlier = same.filter(|(at, _)| at.seconds() <= entry.at.seconds() + 1);
        earlier.any(|(_, sources)| sources.add(source))
    }

    fn forget_before(&mut self, now: UnixTime) {
        while let Some((at, deed)) = self.order.front()
            && (now.seconds() > at.seconds() + DELAY || self.order.len() > MOST_REMEMBERED)
        {
            if let Some(same) = self.deeds.get_mut(deed) {
                same.pop_front();
                if same.is_empty() {
                    self.deeds.remove(deed);
                }
            }
            self.order.pop_front();
        }
    }
}

/// The sources in which something stands, a bit each.
#[derive(Clone, Copy)]
struct Sources(u64);

impl Sources {
    fn only(source: usize) -> Self {
        Self(1 << (source % 64))
    }

    fn has(self, source: usize) -> bool {
        self.0 & Self::only(source).0 != 0
    }

    /// Adds a source; whether it was new.
    fn add(&mut self, source: usize) -> bool {
        let is_new = !self.has(source);
        self.0 |= Self::only(source).0;
        is_new
    }
}

impl<'s> Merge<'s> {
    /// Merges sources, each of them by time. Of two copies the one from the earlier source stays.
    pub fn new(sources: Vec<Box<dyn Iterator<Item = Entry> + 's>>) -> Self {
        let sources: Vec<_> = sources.into_iter().map(Iterator::peekable).collect();
        let untold = vec![0; sources.len()];
        Self { sources, held: VecDeque::new(), untold, remembered: Memory::default() }
    }

    /// The time and source of the next entry.
    fn next_in_line(&mut self) -> Option<(UnixTime, usize)> {
        let heads = self.sources.iter_mut().enumerate();
        heads.filter_map(|(index, source)| Some((source.peek()?.at, index))).min()
    }

    fn take(&mut self, entry: Entry, source: usize) {
        self.remembered.forget_before(entry.at);
        if entry.source == Source::Registry {
            // Of an act whose outcome the registry does not know, the log may know it.
            if entry.message.value("outcome") != Some(UNKNOWN) {
                self.remembered.add(&entry, source);
            }
        } else if self.is_told(&entry, source) || self.is_held(&entry, source) {
            return;
        }
        self.hold(Held { entry, in_sources: Sources::only(source) });
    }

    /// Sources are nearly in order, so its place is near the end.
    fn hold(&mut self, held: Held) {
        self.count_untold(held.in_sources, |count| count + 1);
        let at = held.entry.at;
        let place = self.held.iter().rposition(|other| other.entry.at <= at).map_or(0, |index| index + 1);
        self.held.insert(place, held);
    }

    /// True when the registry has told it. The registry knows the second, the log also what happened before in that second.
    fn is_told(&mut self, entry: &Entry, source: usize) -> bool {
        // The broker writes what it has done to a token for the helpdesk.
        let may_be_told = entry.message.writer == Writer::Tool || entry.message.value("asked_by").is_some();
        let is_told = may_be_told && self.remembered.knows(entry, source);
        if is_told {
            let same = |held: &Held| held.entry.source == Source::Registry && same_deed(&held.entry, entry);
            if let Some(held) = self.held.iter().position(same).and_then(|place| self.held.remove(place)) {
                self.count_untold(held.in_sources, |count| count - 1);
                self.hold(held);
            }
        }
        is_told
    }

    /// True when another source has told it, and it is still here.
    fn is_held(&mut self, entry: &Entry, source: usize) -> bool {
        let Some(untold) = self.untold.get_mut(source).filter(|untold| **untold > 0) else { return false };
        let mut copies = self.held.iter_mut().filter(|held| same_line(&held.entry, entry));
        let Some(held) = copies.find_map(|held| held.in_sources.add(source).then_some(held)) else { return false };
        *untold -= 1;
        if entry.source < held.entry.source {
            held.entry.source = entry.source;
        }
        true
    }

    /// Changes the count of every source that has not told an entry.
    fn count_untold(&mut self, in_sources: Sources, change: impl Fn(usize) -> usize) {
        for (source, untold) in self.untold.iter_mut().enumerate() {
            if !in_sources.has(source) {
                *untold = change(*untold);
            }
        }
    }
}

impl Iterator for Merge<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        while let Some((next, source)) = self.next_in_line() {
            let is_due = |held: &Held| next.seconds() > held.entry.at.seconds() + JITTER;
            if self.held.len() >= MOST_HELD || self.held.front().is_some_and(is_due) {
                break;
            }
            if let Some(entry) = self.sources.get_mut(source).and_then(Iterator::next) {
                self.take(entry, source);
            }
        }
        let held = self.held.pop_front()?;
        self.count_untold(held.in_sources, |count| count - 1);
        Some(held.entry)
    }
}

/// True when two sources have the same line.
fn same_line(one: &Entry, other: &Entry) -> bool {
    let same_process = match (one.pid, other.pid) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    let near = one.at.seconds().abs_diff(other.at.seconds()) <= JITTER;
    same_process && near && one.source != Source::Registry && one.message == other.message
}

/// True when both are about the same deed, whenever it was done.
fn same_deed(one: &Entry, other: &Entry) -> bool {
    Deed::of(&one.message) == Deed::of(&other.message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn logged(source: Source, at: u64, pid: u32, text: &str) -> Entry {
        let identifier = match text.split_once('(') {
            Some((_, rest)) if rest.starts_with("broker:") => "twofactord",
            Some(("pam_twofactor", _)) => "sshd",
            _ => "twofactor",
        };
        let message = Message::read(identifier, text).unwrap();
        Entry { at: UnixTime::from_seconds(at), source, host: None, pid: Some(pid), message }
    }

    fn denied(source: Source, at: u64, pid: u32) -> Entry {
        logged(source, at, pid, "pam_twofactor(sshd:auth): denied user=alice service=sshd reason=wrong-code")
    }

    fn assigned(source: Source, at: u64, serial: &str) -> Entry {
        let entry = logged(source, at, 1, &format!("assigned serial={serial} user=alice by=root"));
        if source == Source::Registry { Entry { pid: None, ..entry } } else { entry }
    }

    fn merged(sources: Vec<Vec<Entry>>) -> Vec<(u64, Source)> {
        let sources = sources.into_iter().map(|source| Box::new(source.into_iter()) as Box<dyn Iterator<Item = _>>);
        Merge::new(sources.collect()).map(|entry| (entry.at.seconds(), entry.source)).collect()
    }

    #[test]
    fn a_line_that_stands_in_the_journal_and_in_a_file_is_one() {
        let journal = vec![denied(Source::Journal, 101, 7), denied(Source::Journal, 200, 7)];
        let file = vec![denied(Source::File, 100, 7), denied(Source::File, 200, 7), denied(Source::File, 300, 7)];
        let all = merged(vec![journal, file]);
        assert_eq!(all, [(100, Source::Journal), (200, Source::Journal), (300, Source::File)]);
    }

    #[test]
    fn two_equal_lines_stay_two_and_another_process_is_another_line() {
        let twice = |source| vec![denied(source, 100, 7), denied(source, 100, 7)];
        assert_eq!(merged(vec![twice(Source::Journal), twice(Source::File)]).len(), 2);
        assert_eq!(merged(vec![vec![denied(Source::Journal, 100, 7)], vec![denied(Source::File, 100, 8)]]).len(), 2);
    }

    #[test]
    fn what_was_done_is_told_once_however_long_the_registry_was_busy() {
        let registry = vec![assigned(Source::Registry, 100, "1"), assigned(Source::Registry, 110, "2")];
        let journal = vec![assigned(Source::Journal, 400, "1"), assigned(Source::Journal, 400, "2")];
        let file = vec![assigned(Source::File, 400, "1"), assigned(Source::File, 400, "2")];
        assert_eq!(merged(vec![registry, journal, file]), [(100, Source::Registry), (110, Source::Registry)]);
    }

    #[test]
    fn what_was_done_in_the_same_second_is_told_where_the_log_tells_it() {
        let registry = vec![assigned(Source::Registry, 100, "1")];
        let journal = vec![denied(Source::Journal, 100, 7), assigned(Source::Journal, 100, "1")];
        assert_eq!(merged(vec![registry, journal]), [(100, Source::Journal), (100, Source::Registry)]);
    }

    #[test]
    fn the_same_deed_on_another_day_is_another_one() {
        let registry = vec![assigned(Source::Registry, 100, "1")];
        let journal = vec![assigned(Source::Journal, 100, "1"), assigned(Source::Journal, 90_000, "1")];
        assert_eq!(merged(vec![registry, journal]), [(100, Source::Registry), (90_000, Source::Journal)]);
        let before = vec![assigned(Source::Journal, 50, "1")];
        assert_eq!(merged(vec![vec![assigned(Source::Registry, 100, "1")], before]).len(), 2);
    }

    /// An act of the helpdesk in the registry, and in the log.
    fn unlocked(source: Source, at: u64, rest: &str) -> Entry {
        if source == Source::Registry {
            let entry = logged(source, at, 1, &format!("unlocked user=alice {rest}"));
            return Entry { pid: None, ..entry };
        }
        logged(source, at, 1, &format!("pam_twofactor(broker:auth): unlocked user=alice {rest}"))
    }

    #[test]
    fn an_act_of_the_helpdesk_is_told_once_and_hides_no_other() {
        let hanna = "asked_by=1005 failures=7 by=hanna";
        let registry = || vec![unlocked(Source::Registry, 100, hanna)];
        let logged_by_root = || logged(Source::Journal, 101, 9, "unlocked user=alice failures=7 by=root");
        let journal = vec![unlocked(Source::Journal, 101, "asked_by=1005 asked_by_process=7 failures=7 by=hanna")];
        assert_eq!(merged(vec![registry(), journal]), [(100, Source::Registry)]);
        // The log has lost hanna's line, and has others of the same kind.
        let others = vec![unlocked(Source::Journal, 101, "asked_by=1006 failures=7 by=otto"), logged_by_root()];
        let all = [(100, Source::Registry), (101, Source::Journal), (101, Source::Journal)];
        assert_eq!(merged(vec![registry(), others]), all);
        // The registry does not know if it was done, and the log does.
        let unknown = vec![unlocked(Source::Registry, 100, "asked_by=1005 outcome=unknown by=hanna")];
        let journal = vec![unlocked(Source::Journal, 101, hanna)];
        assert_eq!(merged(vec![unknown, journal]), [(100, Source::Registry), (101, Source::Journal)]);
    }

    #[test]
    fn a_flood_is_not_held() {
        let flood = (0..20_000).map(|pid| denied(Source::File, 100, pid));
        let mut merge = Merge::new(vec![Box::new(flood)]);
        let mut count = 0;
        while merge.next().is_some() {
            assert!(merge.held.len() <= MOST_HELD);
            count += 1;
        }
        assert_eq!(count, 20_000);
    }

    proptest! {
        #[test]
        fn whatever_stands_in_several_sources_is_told_once_and_by_time(
            mut times in prop::collection::vec((0_u64..600, 0_u64..=1, 0_u64..60), 0..60)
        ) {
            times.sort_unstable();
            let (mut registry, mut journal, mut file) = (Vec::new(), Vec::new(), Vec::new());
            for (number, (at, jitter, delay)) in times.iter().enumerate() {
                if number % 2 == 0 {
                    let pid = u32::try_from(number % 3).unwrap();
                    journal.push(denied(Source::Journal, *at, pid));
                    file.push(denied(Source::File, at + jitter, pid));
                } else {
                    let serial = (number % 5).to_string();
                    registry.push(assigned(Source::Registry, *at, &serial));
                    journal.push(assigned(Source::Journal, at + delay, &serial));
                }
            }
            journal.sort_by_key(|entry| entry.at);
            file.sort_by_key(|entry| entry.at);
            let all = merged(vec![registry, journal, file]);
            prop_assert_eq!(all.len(), times.len());
            prop_assert!(all.is_sorted_by_key(|(at, _)| *at));
        }
    }
}
