//! Acts after a backup that a restore may undo, out of the log of the host: resets, used recovery codes, tokens that were
//! lost, revoked or taken away.
//!
//! Invariants: of each user, key, token and series the last act of a kind is kept, and no more than 10,000 acts in all.

use std::collections::BTreeMap;

use twofactor_core::host::clock::UnixTime;
use twofactor_core::log::record::Event;

use crate::logbook::{Entry, Source};

/// The most acts that are kept.
pub(super) const MOST: usize = 10_000;

/// The events of which something may come back, and those that end what one of them has begun.
pub const EVENTS: [Event; 13] = [
    Event::Accepted,
    Event::Reset,
    Event::RecoveryReplaced,
    Event::InvitationRevoked,
    Event::SshKeyRemoved,
    Event::Assigned,
    Event::Unassigned,
    Event::Enabled,
    Event::Disabled,
    Event::Lost,
    Event::Revoked,
    Event::Deleted,
    Event::SeriesDeleted,
];

/// The subject of an act.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A user's account.
    User(String),
    /// An ssh key of a user, by its fingerprint.
    SshKey(String, String),
    /// A physical token, by its serial.
    Token(String),
    /// A series.
    Series(String),
}

/// An act after the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaterAct {
    /// Its time.
    pub at: UnixTime,
    /// Its subject.
    pub subject: Subject,
    /// Its kind. `accepted` is a login with a recovery code.
    pub event: Event,
    /// The owner of a token whom it names.
    pub owner: Option<String>,
    /// How often it was done.
    pub count: u64,
}

/// The acts, by their subjects.
#[derive(Debug, Default)]
pub struct LaterActs {
    acts: BTreeMap<(Subject, u8), LaterAct>,
    /// The number of acts for which there was no room.
    pub left_out: u64,
}

impl LaterActs {
    /// Takes an entry of the log. Entries come in the order of their times.
    pub fn take(&mut self, entry: &Entry) {
        // A user's process may have forged it.
        if entry.source == Source::Unproven {
            return;
        }
        let message = &entry.message;
        let value = |key: &str| message.value(key).map(str::to_owned);
        let user = || value("user").map(Subject::User);
        let token = || value("serial").map(Subject::Token);
        let (subject, kind) = match message.event {
            Event::Reset => (user(), 0),
            Event::Accepted if message.value("recovery_codes_left").is_some() => (user(), 1),
            Event::RecoveryReplaced => (user(), 2),
            Event::InvitationRevoked => (user(), 3),
            Event::SshKeyRemoved => {
                (value("user").zip(fingerprint(entry)).map(|(user, key)| Subject::SshKey(user, key)), 0)
            }
            Event::Enabled | Event::Disabled | Event::Lost | Event::Revoked | Event::Deleted => (token(), 0),
            Event::Assigned | Event::Unassigned => (token(), 1),
            Event::SeriesDeleted => (value("series").map(Subject::Series), 0),
            _ => return,
        };
        let Some(subject) = subject else { return };
        let key = (subject.clone(), kind);
        if self.acts.len() >= MOST && !self.acts.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        let count = self.acts.get(&key).map_or(0, |act| act.count) + 1;
        let owner = if matches!(subject, Subject::Token(_)) { value("user") } else { None };
        self.acts.insert(key, LaterAct { at: entry.at, subject, event: message.event, owner, count });
    }

    /// The acts, by their subjects.
    pub fn into_acts(self) -> impl Iterator<Item = LaterAct> {
        self.acts.into_values()
    }
}

/// The fingerprint of the key in a line of the tool or of the broker.
fn fingerprint(entry: &Entry) -> Option<String> {
    let of_the_broker = || entry.message.value("token")?.strip_prefix("ssh-key:");
    entry.message.value("key").or_else(of_the_broker).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logbook::Message;

    fn taken(lines: &[(&str, &str)]) -> Vec<(String, &'static str, u64)> {
        let mut acts = LaterActs::default();
        for (second, (identifier, text)) in (1..).zip(lines) {
            let message = Message::read(identifier, text).unwrap_or_else(|| panic!("{text}"));
            let at = UnixTime::from_seconds(second);
            acts.take(&Entry { at, source: Source::File, host: None, pid: None, message });
        }
        acts.into_acts().map(|act| (format!("{:?}", act.subject), act.event.word(), act.count)).collect()
    }

    fn owned(acts: &[(&str, &'static str, u64)]) -> Vec<(String, &'static str, u64)> {
        acts.iter().map(|(subject, event, count)| ((*subject).to_owned(), *event, *count)).collect()
    }

    #[test]
    fn of_each_subject_the_last_act_of_a_kind_is_kept() {
        let lines = [
            ("twofactor", "reset user=bob by=root"),
            ("twofactor", "lost serial=7 user=alice by=root"),
            ("twofactor", "enabled serial=7 user=alice by=root"),
            ("twofactor", "unassigned serial=7 user=alice by=root"),
            ("twofactor", "lost serial=8 by=root"),
            ("twofactor", "revoked serial=8 by=root"),
            ("twofactor", "series-deleted series=fobs tokens=3 by=root"),
            ("twofactor", "imported series=fobs new=3 unchanged=0 conflicts=0 rejected=0 by=root"),
        ];
        let expected = [
            ("User(\"bob\")", "reset", 1),
            ("Token(\"7\")", "enabled", 2),
            ("Token(\"7\")", "unassigned", 1),
            ("Token(\"8\")", "revoked", 2),
            ("Series(\"fobs\")", "series-deleted", 1),
        ];
        assert_eq!(taken(&lines), owned(&expected));
    }

    #[test]
    fn of_logins_those_with_recovery_codes_count_and_keys_are_named_by_either_program() {
        let accepted = "pam_twofactor(sshd:auth): accepted user=alice service=sshd rhost=192.0.2.7";
        let with_app = format!("{accepted} token=recovery drift=0");
        let recovery = format!("{accepted} token=recovery recovery_codes_left=9");
        let by_broker = "pam_twofactor(broker:auth): ssh-key-removed user=carol asked_by=1003 asked_by_process=27 \
                         token=ssh-key:SHA256:y label=hers by=carol";
        let lines = [
            ("sshd", with_app.as_str()),
            ("sshd", &recovery),
            ("sshd", &recovery),
            ("twofactor", "ssh-key-removed user=bob key=SHA256:x label=his by=root"),
            ("twofactord", by_broker),
        ];
        let expected = [
            ("User(\"alice\")", "accepted", 2),
            ("SshKey(\"bob\", \"SHA256:x\")", "ssh-key-removed", 1),
            ("SshKey(\"carol\", \"SHA256:y\")", "ssh-key-removed", 1),
        ];
        assert_eq!(taken(&lines), owned(&expected));
    }

    #[test]
    fn a_forged_line_counts_for_nothing_and_memory_is_bounded() {
        let mut acts = LaterActs::default();
        let entry = |user: &str, source| {
            let message = Message::read("twofactor", &format!("reset user={user} by=root")).unwrap();
            Entry { at: UnixTime::from_seconds(1), source, host: None, pid: None, message }
        };
        acts.take(&entry("alice", Source::Unproven));
        for number in 0..MOST + 5 {
            acts.take(&entry(&format!("u{number}"), Source::Journal));
        }
        assert_eq!(acts.left_out, 5);
        assert_eq!(acts.into_acts().count(), MOST);
    }
}
