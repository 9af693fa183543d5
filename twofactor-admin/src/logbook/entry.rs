//! Entries of the log, and which of them are asked for.

use twofactor_core::host::clock::UnixTime;
use twofactor_core::log::record::{self, Event};
use twofactor_core::store::administration::PastChange;
use twofactor_core::text::pairs::Pairs;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its time.
    pub at: UnixTime,
    /// Its source.
    pub source: Source,
    /// The host that wrote it, where the source says it.
    pub host: Option<String>,
    /// The process that wrote it, where the source says it.
    pub pid: Option<u32>,
    /// Its writer and content.
    pub message: Message,
}

/// The source of an entry, the one that is hardest to forge first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The history of the registry, which only root can write.
    Registry,
    /// The journal, which knows that root wrote the line.
    Journal,
    /// The journal, and a user's process wrote the line: it is of a program with root's rights, like su, or forged.
    Unproven,
    /// A file of a syslog daemon, which does not.
    File,
}

impl Source {
    /// As a report names it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Journal | Self::Unproven => "journal",
            Self::File => "file",
        }
    }
}

/// A line of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The program of ours that wrote it.
    pub writer: Writer,
    /// The event.
    pub event: Event,
    /// To whom, from where, why.
    pub pairs: Pairs,
}

/// A program of ours that wrote a line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Writer {
    /// The module, as a guest of an application.
    Module {
        /// `auth` or `account`.
        phase: String,
    },
    /// The command-line tool.
    Tool,
}

impl Entry {
    /// An event that the registry remembers, or the central store of a fleet. There a login is by no sysadmin.
    pub fn remembered(past: PastChange) -> Self {
        let mut pairs = past.pairs;
        if !past.who.is_empty() {
            pairs.push(("by".to_owned(), past.who));
        }
        let message = Message { writer: Writer::Tool, event: past.event, pairs };
        Self { at: past.at, source: Source::Registry, host: None, pid: None, message }
    }
}

impl Message {
    /// Reads what a program that calls itself `identifier` wrote to syslog; `None` when it is not ours.
    pub fn read(identifier: &str, text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("pam_twofactor(") {
            let (call, line) = rest.split_once("): ")?;
            let (_, phase) = call.rsplit_once(':')?;
            let (event, pairs) = record::read(line)?;
            let phase = phase.to_owned();
            let is_of_the_broker = identifier == "twofactord" && call == "broker:auth";
            let may_write = match writers(event) {
                Writers::Module | Writers::Both => true,
                Writers::ToolAndBroker | Writers::Broker => is_of_the_broker,
                Writers::Tool => false,
            };
            return may_write.then_some(Self { writer: Writer::Module { phase }, event, pairs });
        }
        if identifier != "twofactor" {
            return None;
        }
        let (event, pairs) = record::read(text)?;
        Some(Self { writer: Writer::Tool, event, pairs })
            .filter(|_| !matches!(writers(event), Writers::Module | Writers::Broker))
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// The programs of ours that write an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writers {
    Module,
    Tool,
    Both,
    /// The tool for root, and the broker for users about themselves and for the helpdesk.
    ToolAndBroker,
    /// The broker for the helpdesk.
    Broker,
}

pub(super) fn writers(event: Event) -> Writers {
    match event {
        Event::Accepted | Event::Denied | Event::Skipped | Event::Confirmed | Event::Registered | Event::Error => {
            Writers::Module
        }
        Event::Viewed | Event::Checked => Writers::Broker,
        Event::Enrolled | Event::Resynced => Writers::Both,
        Event::Reset
        | Event::RecoveryReplaced
        | Event::Unlocked
        | Event::CodeGiven
        | Event::CodeRevoked
        | Event::SshKeyAdded
        | Event::SshKeyRemoved
        | Event::Assigned => Writers::ToolAndBroker,
        Event::SecretShown
        | Event::SecretExported
        | Event::SshKeyAttested
        | Event::StateAdopted
        | Event::BackedUp
        | Event::Restored
        | Event::UidAdopted
        | Event::AccountRenamed
        | Event::HostAdded
        | Event::HostRevoked
        | Event::FleetJoined
        | Event::CertificateRenewed
        | Event::KeysChanged
        | Event::Invited
        | Event::InvitationRevoked
        | Event::Imported
        | Event::Unassigned
        | Event::Enabled
        | Event::Disabled
        | Event::Lost
        | Event::Revoked
        | Event::Deleted
        | Event::SeriesDeleted
        | Event::SeriesMended
        | Event::Repaired
        | Event::ServiceEnabled
        | Event::ServiceDisabled => Writers::Tool,
    }
}

/// The entries asked for: those that meet every condition.
#[derive(Debug, Default, Clone)]
pub struct Wanted {
    /// About this user, also as the name was typed.
    pub user: Vec<String>,
    /// Names that the user had before, each with the time of the rename.
    pub former: Vec<(String, UnixTime)>,
    /// Not before this moment.
    pub since: Option<UnixTime>,
    /// Before this moment.
    pub until: Option<UnixTime>,
    /// One of these; any, when there is none.
    pub events: Vec<Event>,
    /// At this PAM service.
    pub service: Option<String>,
}

impl Wanted {
    /// True when the entry is asked for.
    pub fn includes(&self, entry: &Entry) -> bool {
        let message = &entry.message;
        // Of a rename, both names are the user's.
        let names = [message.value("user"), message.value("typed"), message.value("user_before")];
        let is_user = |name: &String| names.contains(&Some(name.as_str()));
        let was_user = |(name, until): &(String, UnixTime)| entry.at <= *until && is_user(name);
        self.includes_time(entry.at)
            && (self.events.is_empty() || self.events.contains(&message.event))
            && (self.user.is_empty() || self.user.iter().any(is_user) || self.former.iter().any(was_user))
            && self.service.as_deref().is_none_or(|service| message.value("service") == Some(service))
    }

    /// True when the moment is asked for.
    pub fn includes_time(&self, at: UnixTime) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENIED: &str = "pam_twofactor(sshd:auth): denied user=alice service=sshd rhost=192.0.2.7 reason=wrong-code";

    fn entry(identifier: &str, text: &str) -> Entry {
        let message = Message::read(identifier, text).unwrap();
        Entry { at: UnixTime::from_seconds(100), source: Source::File, host: None, pid: None, message }
    }

    #[test]
    fn a_line_of_the_module_is_known_whatever_the_application_calls_itself() {
        let message = Message::read("sshd-session", DENIED).unwrap();
        assert_eq!(message.writer, Writer::Module { phase: "auth".to_owned() });
        assert_eq!((message.event, message.value("reason")), (Event::Denied, Some("wrong-code")));
        assert_eq!(message.value("typed"), None);
    }

    #[test]
    fn what_only_resembles_a_line_of_ours_is_not_one() {
        for (identifier, text) in [
            // Somebody else quotes us: the name that a stranger typed stands in the line of another program.
            ("sshd", &*format!("Invalid user {DENIED} from 192.0.2.9")),
            ("sshd", "pam_unix(sshd:auth): authentication failure; user=pam_twofactor(sshd:auth): accepted user=root"),
            // Ours at the beginning, and something else behind.
            ("sshd", "pam_twofactor(sshd:auth): accepted user=alice from 192.0.2.7"),
            ("sshd", "pam_twofactor(sshd:auth) accepted user=alice"),
            ("sshd", "pam_twofactor(sshd): accepted user=alice"),
            // Not the business of who says it.
            ("sshd", "pam_twofactor(sshd:auth): unlocked user=alice"),
            ("twofactor", "accepted user=root service=sshd"),
            ("logger", "unlocked user=alice by=root"),
        ] {
            assert_eq!(Message::read(identifier, text), None, "{identifier}: {text}");
        }
    }

    #[test]
    fn what_users_change_by_themselves_is_known_as_the_brokers() {
        let line = |application: &str, event: &str| {
            format!("pam_twofactor({application}:auth): {event} user=alice asked_by=1001 asked_by_process=27 by=alice")
        };
        let events = ["enrolled", "recovery-replaced", "reset", "unlocked", "code-given", "viewed", "checked"];
        for event in events.into_iter().chain(["ssh-key-added", "ssh-key-removed"]) {
            let message = Message::read("twofactord", &line("broker", event)).unwrap();
            assert_eq!((message.event.word(), message.value("asked_by")), (event, Some("1001")));
        }
        assert_eq!(Message::read("sshd", &line("broker", "reset")), None);
        assert_eq!(Message::read("sshd", &line("sshd", "ssh-key-added")), None);
        let attested = "ssh-key-attested user=alice key=SHA256:x label=hers by=root";
        assert_eq!(Message::read("twofactor", attested).map(|message| message.event), Some(Event::SshKeyAttested));
        assert_eq!(Message::read("twofactord", &line("broker", "ssh-key-attested")), None, "root's tool alone");
        assert_eq!(Message::read("twofactord", &line("sshd", "reset")), None);
        assert_eq!(Message::read("twofactord", &line("broker", "revoked")), None);
        assert_eq!(Message::read("sshd", &line("sshd", "checked")), None);
        assert_eq!(Message::read("twofactor", "viewed user=alice by=hanna"), None);
    }

    #[test]
    fn conditions_hold_together() {
        let entry = entry("sshd", DENIED);
        let wants = |wanted: Wanted| wanted.includes(&entry);
        assert!(wants(Wanted::default()));
        assert!(wants(Wanted { user: vec!["alice".to_owned()], events: vec![Event::Denied], ..Wanted::default() }));
        assert!(!wants(Wanted { user: vec!["alice".to_owned()], events: vec![Event::Accepted], ..Wanted::default() }));
        assert!(!wants(Wanted { user: vec!["bob".to_owned()], ..Wanted::default() }));
        assert!(!wants(Wanted { service: Some("su".to_owned()), ..Wanted::default() }));
        let at = |seconds| Some(UnixTime::from_seconds(seconds));
        assert!(wants(Wanted { since: at(100), until: at(101), ..Wanted::default() }));
        assert!(!wants(Wanted { since: at(101), ..Wanted::default() }));
        assert!(!wants(Wanted { until: at(100), ..Wanted::default() }));
    }

    #[test]
    fn a_user_is_found_by_a_former_name_until_the_rename() {
        let wanted = |former| Wanted {
            user: vec!["alice2".to_owned()],
            former: vec![("alice".to_owned(), UnixTime::from_seconds(former))],
            ..Wanted::default()
        };
        let entry = entry("sshd", DENIED);
        assert!(wanted(100).includes(&entry) && !wanted(99).includes(&entry), "the name is another person's now");
        let renamed = Message::read("twofactor", "account-renamed user=alice2 user_before=alice uid=1001").unwrap();
        let renamed = Entry { message: renamed, ..entry };
        let of_the_name = Wanted { user: vec!["alice".to_owned()], ..Wanted::default() };
        assert!(wanted(0).includes(&renamed) && of_the_name.includes(&renamed));
    }

    #[test]
    fn a_user_is_found_by_the_name_that_was_typed() {
        let text = "pam_twofactor(sshd:auth): accepted user=alice typed=ALICE@corp service=sshd token=app drift=0";
        let wanted = Wanted { user: vec!["ALICE@corp".to_owned()], ..Wanted::default() };
        assert!(wanted.includes(&entry("sshd", text)));
    }
}
