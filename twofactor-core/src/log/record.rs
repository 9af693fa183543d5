//! Records of the log, as `event key=value …`.
//!
//! Invariants: a value that is anything but printable ASCII without spaces is quoted and escaped, so a user name
//! cannot forge a line or move a terminal's cursor. Codes, secrets and passwords have no way in: a record is built from
//! names, words and numbers only.

use std::fmt;

use crate::log::reason::{Blame, Reason};
use crate::text::pairs::{self, Pairs};

/// The first word of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The code was right and is burned.
    Accepted,
    /// A user did not prove who he is.
    Denied,
    /// The policy did not ask.
    Skipped,
    /// A user has shown codes of a new second factor at login. It is stored, and `enrolled` or `registered` written, when
    /// the rest of the login is right too.
    Confirmed,
    /// The helpdesk has looked at a user's second factor.
    Viewed,
    /// The helpdesk has tried a code of a user, which is used up when it is right.
    Checked,
    /// A user got an authenticator app.
    Enrolled,
    /// A user registered a physical token.
    Registered,
    /// A user's app and recovery codes were forgotten, or their confirmation was taken back.
    Reset,
    /// The secret of an app that no code has confirmed was shown again.
    SecretShown,
    /// The secret of an app or physical token was shown, to be taken to another system.
    SecretExported,
    /// A user got new recovery codes; the old ones are void.
    RecoveryReplaced,
    /// A user's counted failures were forgotten.
    Unlocked,
    /// A user may enroll at login with a code.
    Invited,
    /// That code was taken back.
    InvitationRevoked,
    /// A user was given a temporary code.
    CodeGiven,
    /// A temporary code was taken back.
    CodeRevoked,
    /// A security key of ssh was enrolled for a user.
    SshKeyAdded,
    /// The maker's word about a security key of ssh that a user has was checked.
    SshKeyAttested,
    /// A security key of ssh was taken from a user.
    SshKeyRemoved,
    /// A vendor's seed file was taken in.
    Imported,
    /// A physical token got an owner.
    Assigned,
    /// A physical token was taken from its owner.
    Unassigned,
    /// A physical token opens sessions again.
    Enabled,
    /// A physical token was put aside.
    Disabled,
    /// A physical token was reported lost.
    Lost,
    /// A physical token was ended for good.
    Revoked,
    /// A physical token was forgotten.
    Deleted,
    /// Two consecutive codes have set a token right.
    Resynced,
    /// A series was forgotten with all its tokens.
    SeriesDeleted,
    /// All tokens of a series got other parameters.
    SeriesMended,
    /// `doctor --fix` has mended something in the state.
    Repaired,
    /// The state that is there was made the one of this host.
    StateAdopted,
    /// A backup of the store was written.
    BackedUp,
    /// The store was made of a backup.
    Restored,
    /// An account has come to belong to the uid that its user has now.
    UidAdopted,
    /// An account has come to stand under another name of its user.
    AccountRenamed,
    /// A host was added to a fleet, and may join.
    HostAdded,
    /// A host of a fleet was revoked.
    HostRevoked,
    /// This host has joined a fleet.
    FleetJoined,
    /// A host of a fleet has renewed its certificate.
    CertificateRenewed,
    /// The keys that seal the central store of a fleet were changed.
    KeysChanged,
    /// The module was put into a PAM service.
    ServiceEnabled,
    /// The module was taken out of a PAM service.
    ServiceDisabled,
    /// Something on the host has to be mended.
    Error,
}

impl Event {
    /// Every event, in the order of the manual.
    pub const ALL: [Self; 45] = [
        Self::Accepted,
        Self::Denied,
        Self::Skipped,
        Self::Confirmed,
        Self::Viewed,
        Self::Checked,
        Self::Enrolled,
        Self::Registered,
        Self::Reset,
        Self::SecretShown,
        Self::SecretExported,
        Self::RecoveryReplaced,
        Self::Unlocked,
        Self::Invited,
        Self::InvitationRevoked,
        Self::CodeGiven,
        Self::CodeRevoked,
        Self::SshKeyAdded,
        Self::SshKeyAttested,
        Self::SshKeyRemoved,
        Self::Imported,
        Self::Assigned,
        Self::Unassigned,
        Self::Enabled,
        Self::Disabled,
        Self::Lost,
        Self::Revoked,
        Self::Deleted,
        Self::Resynced,
        Self::SeriesDeleted,
        Self::SeriesMended,
        Self::Repaired,
        Self::StateAdopted,
        Self::BackedUp,
        Self::Restored,
        Self::UidAdopted,
        Self::AccountRenamed,
        Self::HostAdded,
        Self::HostRevoked,
        Self::FleetJoined,
        Self::CertificateRenewed,
        Self::KeysChanged,
        Self::ServiceEnabled,
        Self::ServiceDisabled,
        Self::Error,
    ];

    /// The word in the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Denied => "denied",
            Self::Skipped => "skipped",
            Self::Confirmed => "confirmed",
            Self::Viewed => "viewed",
            Self::Checked => "checked",
            Self::Enrolled => "enrolled",
            Self::Registered => "registered",
            Self::Reset => "reset",
            Self::SecretShown => "secret-shown",
            Self::SecretExported => "secret-exported",
            Self::RecoveryReplaced => "recovery-replaced",
            Self::Unlocked => "unlocked",
            Self::Invited => "invited",
            Self::InvitationRevoked => "invitation-revoked",
            Self::CodeGiven => "code-given",
            Self::CodeRevoked => "code-revoked",
            Self::SshKeyAdded => "ssh-key-added",
            Self::SshKeyAttested => "ssh-key-attested",
            Self::SshKeyRemoved => "ssh-key-removed",
            Self::Imported => "imported",
            Self::Assigned => "assigned",
            Self::Unassigned => "unassigned",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Lost => "lost",
            Self::Revoked => "revoked",
            Self::Deleted => "deleted",
            Self::Resynced => "resynced",
            Self::SeriesDeleted => "series-deleted",
            Self::SeriesMended => "series-mended",
            Self::Repaired => "repaired",
            Self::StateAdopted => "state-adopted",
            Self::BackedUp => "backed-up",
            Self::Restored => "restored",
            Self::UidAdopted => "uid-adopted",
            Self::AccountRenamed => "account-renamed",
            Self::HostAdded => "host-added",
            Self::HostRevoked => "host-revoked",
            Self::FleetJoined => "fleet-joined",
            Self::CertificateRenewed => "certificate-renewed",
            Self::KeysChanged => "keys-changed",
            Self::ServiceEnabled => "service-enabled",
            Self::ServiceDisabled => "service-disabled",
            Self::Error => "error",
        }
    }

    /// The event with that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.word() == word)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    event: Event,
    line: String,
}

impl Record {
    /// A line that begins with `event`.
    pub fn new(event: Event) -> Self {
        Self { event, line: event.to_string() }
    }

    /// A line for `reason`: `denied` or `error`, by whose fault it is.
    pub fn refused(reason: Reason) -> Self {
        Self::new(match reason.blame() {
            Blame::Login => Event::Denied,
            Blame::Host => Event::Error,
        })
    }

    /// Appends ` key=value`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        pairs::write(&mut self.line, key, value);
        self
    }

    /// Appends ` key=value` when there is a value.
    #[must_use]
    pub fn with_some(self, key: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// The pairs, as they stand behind the event.
    pub fn pairs(&self) -> &str {
        self.line.strip_prefix(self.event.word()).unwrap_or_default()
    }

    /// The kind of line.
    pub fn event(&self) -> Event {
        self.event
    }
}

impl fmt::Display for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.line)
    }
}

/// Takes the lines of a story.
pub trait Audit {
    /// Writes a line.
    fn record(&mut self, record: &Record);

    /// Writes a line when the sysadmin asked for `debug`. Never holds a secret, a code or a password.
    fn debug(&mut self, message: &str);
}

/// Reads a line as [`Record`] writes it; `None` when it is something else.
pub fn read(line: &str) -> Option<(Event, Pairs)> {
    let end = line.find(' ').unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    Some((Event::from_word(word)?, pairs::read(rest)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_event_and_pairs() {
        let record = Record::refused(Reason::Replayed)
            .with("user", "alice")
            .with_some("rhost", Some("192.0.2.7"))
            .with_some("tty", None::<&str>)
            .with("reason", Reason::Replayed);
        assert_eq!(record.to_string(), "denied user=alice rhost=192.0.2.7 reason=replayed");
        assert_eq!((record.event(), record.pairs()), (Event::Denied, " user=alice rhost=192.0.2.7 reason=replayed"));
    }

    #[test]
    fn every_event_is_known_by_its_word() {
        for (place, event) in Event::ALL.into_iter().enumerate() {
            assert_eq!(Event::from_word(event.word()), Some(event));
            assert_eq!(event as usize, place, "{event} is not in its place");
        }
        assert_eq!(Event::ALL.len(), Event::Error as usize + 1, "the last one is error, and none is missing");
        assert_eq!(Event::from_word("Accepted"), None);
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let record = Record::new(Event::Denied).with("user", "x reason=accepted").with("reason", Reason::WrongCode);
        let pairs = [("user", "x reason=accepted"), ("reason", "wrong-code")];
        let pairs: Pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        assert_eq!(read(&record.to_string()), Some((Event::Denied, pairs)));
        assert_eq!(read("unlocked"), Some((Event::Unlocked, Vec::new())));
        assert_eq!(read("policy: required (rule 1)"), None);
        assert_eq!(read("accepted password for alice from 192.0.2.7"), None);
    }
}
