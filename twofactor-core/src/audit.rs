//! What is written to the log, as `event key=value …`.
//!
//! What always holds: a value that is anything but printable ASCII without spaces is quoted and escaped, so a user name
//! cannot forge a line or move a terminal's cursor. Codes, secrets and passwords have no way in: a record is built from
//! names, words and numbers only.

use std::fmt::{self, Write as _};

use crate::reason::{Blame, Reason};

/// The first word of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The code was right and is burned.
    Accepted,
    /// Somebody did not prove who he is.
    Denied,
    /// The policy did not ask.
    Skipped,
    /// Somebody has shown codes of a new second factor at login. It is stored, and `enrolled` or `registered` written, when
    /// the rest of the login is right too.
    Confirmed,
    /// A user got an authenticator app.
    Enrolled,
    /// A user registered a physical token.
    Registered,
    /// A user's app and recovery codes were forgotten, or their confirmation was taken back.
    Reset,
    /// A user got new recovery codes; the old ones are void.
    RecoveryReplaced,
    /// A user's counted failures were forgotten.
    Unlocked,
    /// A user may enroll at login with a code.
    Invited,
    /// That code was taken back.
    InvitationRevoked,
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
    /// The module was put into a PAM service.
    ServiceEnabled,
    /// The module was taken out of a PAM service.
    ServiceDisabled,
    /// Something on the host has to be mended.
    Error,
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Accepted => "accepted",
            Self::Denied => "denied",
            Self::Skipped => "skipped",
            Self::Confirmed => "confirmed",
            Self::Enrolled => "enrolled",
            Self::Registered => "registered",
            Self::Reset => "reset",
            Self::RecoveryReplaced => "recovery-replaced",
            Self::Unlocked => "unlocked",
            Self::Invited => "invited",
            Self::InvitationRevoked => "invitation-revoked",
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
            Self::ServiceEnabled => "service-enabled",
            Self::ServiceDisabled => "service-disabled",
            Self::Error => "error",
        })
    }
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    event: Event,
    line: String,
}

/// Values longer than this are cut: a 5 KB host name must not push the reason out of the line.
const LONGEST_VALUE: usize = 256;

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
        let value = value.to_string();
        let _ = write!(self.line, " {key}={}", quoted(&value));
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

    /// What kind of line it is.
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

/// A value as it stands in the log: bare when it is printable ASCII without spaces, else quoted and escaped.
fn quoted(value: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    if !value.is_empty() && value.len() <= LONGEST_VALUE && value.bytes().all(bare) {
        return value.to_owned();
    }
    let mut text = String::with_capacity(value.len().min(LONGEST_VALUE) + 2);
    text.push('"');
    for (position, character) in value.char_indices() {
        if position >= LONGEST_VALUE {
            text.push_str("...");
            break;
        }
        match character {
            '"' | '\\' => {
                text.push('\\');
                text.push(character);
            }
            ' '..='~' => text.push(character),
            _ => {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(text, "\\x{byte:02x}");
                }
            }
        }
    }
    text.push('"');
    text
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
        assert_eq!(record.event(), Event::Denied);
    }

    #[test]
    fn what_an_attacker_wrote_cannot_forge_a_line() {
        assert_eq!(quoted("x reason=accepted"), "\"x reason=accepted\"");
        assert_eq!(quoted("a\nb\u{1b}[2J"), "\"a\\x0ab\\x1b[2J\"");
        assert_eq!(quoted("ü\"\\"), "\"\\xc3\\xbc\\\"\\\\\"");
        assert_eq!(quoted(""), "\"\"");
        assert_eq!(quoted(&"h".repeat(5000)).len(), LONGEST_VALUE + 5);
    }
}
