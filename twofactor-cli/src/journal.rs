//! What a sysadmin did, to syslog (authpriv), in the form of the module's lines: `enrolled user=alice token=app by=root`.
//!
//! Best effort: a host without a syslog daemon can still be administered. Straight to the daemon's socket, because libc's
//! syslog(3) is not to be had without `unsafe`.

use std::io;
use std::os::unix::net::UnixDatagram;

use nix::unistd::{Uid, User};
use twofactor_core::audit::{Event, Record};
use twofactor_core::user::UserName;

/// Begins a line about `user`.
pub(crate) fn about(event: Event, user: &UserName) -> Record {
    Record::new(event).with("user", user)
}

/// Writes the line, with who did it.
pub(crate) fn write(record: Record) {
    let line = record.with_some("by", actor());
    let _ = send(&format!("<{PRIORITY}>twofactor[{}]: {line}", std::process::id()));
}

/// Facility authpriv, severity notice (RFC 3164 §4.1.1).
const PRIORITY: u8 = 10 * 8 + 5;

/// Without a time: the daemon's own clock is what it writes down for a message of its host.
fn send(message: &str) -> io::Result<usize> {
    let socket = UnixDatagram::unbound()?;
    // A daemon that hangs must not hang us.
    socket.set_nonblocking(true)?;
    socket.send_to(message.as_bytes(), "/dev/log")
}

/// Who became root to do this: the login's user as the kernel keeps it, which nobody can forge; else what sudo says.
fn actor() -> Option<String> {
    let login = std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse().ok());
    // The kernel's "never set" is -1.
    let login = login.filter(|uid| *uid != u32::MAX);
    login.map(name_of).or_else(|| std::env::var("SUDO_USER").ok())
}

fn name_of(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => uid.to_string(),
    }
}
