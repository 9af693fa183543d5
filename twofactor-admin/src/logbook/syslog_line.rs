//! A line of a syslog daemon's file: when, which host, which program, what it said.
//!
//! Invariants: the program is what stands in its place, before the first `: ` behind the host. What a message says
//! about itself does not count.

use crate::logbook::timestamp::Stamp;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogLine<'l> {
    /// The time at which the daemon had it.
    pub stamp: Stamp,
    /// The host that wrote it.
    pub host: &'l str,
    /// The program's name for itself.
    pub identifier: &'l str,
    /// Its process, if it said so.
    pub pid: Option<u32>,
    /// The message.
    pub message: &'l str,
}

impl<'l> SyslogLine<'l> {
    /// Reads a line as rsyslog, syslog-ng, sysklogd and busybox write it.
    pub fn read(line: &'l str) -> Option<Self> {
        let (stamp, rest) = Stamp::read(line)?;
        let (host, rest) = rest.split_once(' ')?;
        let (first, behind) = rest.split_once(' ')?;
        // busybox puts facility and severity in front of the program.
        let (tag, message) = match first.strip_suffix(':') {
            Some(tag) => (tag, behind),
            None => {
                first.split_once('.').filter(|(facility, _)| facility.bytes().all(|byte| byte.is_ascii_lowercase()))?;
                let (second, behind) = behind.split_once(' ')?;
                (second.strip_suffix(':')?, behind)
            }
        };
        let (identifier, pid) = match tag.strip_suffix(']').and_then(|tag| tag.split_once('[')) {
            Some((identifier, pid)) => (identifier, Some(pid.parse().ok()?)),
            None => (tag, None),
        };
        Some(Self { stamp, host, identifier, pid, message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twofactor_core::host::clock::UnixTime;

    #[test]
    fn lines_of_every_daemon_are_read() {
        let exact = Stamp::Exact(UnixTime::from_rfc3339("2026-11-21T21:27:54Z").unwrap());
        let yearless = Stamp::read("Nov 21 22:27:54 x").unwrap().0;
        for (line, stamp, pid) in [
            ("2026-11-21T22:27:54.123456+01:00 host sshd[123]: hello there", &exact, Some(123)),
            ("Nov 21 22:27:54 host sshd[123]: hello there", &yearless, Some(123)),
            ("Nov 21 22:27:54 host sshd: hello there", &yearless, None),
            ("Nov 21 22:27:54 host authpriv.notice sshd[123]: hello there", &yearless, Some(123)),
        ] {
            let read = SyslogLine::read(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((&read.stamp, read.pid, read.host), (stamp, pid, "host"), "{line}");
            assert_eq!((read.identifier, read.message), ("sshd", "hello there"), "{line}");
        }
    }

    #[test]
    fn what_is_no_such_line_is_not_read() {
        for line in [
            "",
            "Nov 21 22:27:54",
            "Nov 21 22:27:54 host",
            "Nov 21 22:27:54 host last message repeated 2 times",
            "Nov 41 22:27:54 host sshd: x",
            "2026-11-21 22:27:54 host sshd: x",
            "   continued",
        ] {
            assert_eq!(SyslogLine::read(line), None, "{line}");
        }
    }

    #[test]
    fn the_program_is_not_what_its_message_says() {
        let line = "Nov 21 22:27:54 host sshd[9]: Invalid user twofactor[1]: unlocked user=alice from 192.0.2.9";
        assert_eq!(SyslogLine::read(line).unwrap().identifier, "sshd");
    }
}
