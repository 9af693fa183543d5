//! Lines to the host's syslog daemon (authpriv), for programs that are no guest of libpam.
//!
//! Best effort: a host without a syslog daemon can still be administered. Straight to the daemon's socket, because libc's
//! syslog(3) is not to be had without `unsafe`.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// The socket of the host's syslog daemon.
const SOCKET: &str = "/dev/log";

/// Facility authpriv, severity notice (RFC 3164 §4.1.1).
const PRIORITY: u8 = 10 * 8 + 5;

/// The time that a daemon may take for a line when many come at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes lines in the name of `program`, which is the process `pid`. Stops at one that the daemon does not take in time: it must not hang us.
pub fn write(program: &str, pid: u32, lines: impl IntoIterator<Item = String>) {
    let _ = write_all(program, pid, lines);
}

/// The same, for what must not happen unlogged: an error where the daemon has not taken every line.
pub fn write_all(program: &str, pid: u32, lines: impl IntoIterator<Item = String>) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    for line in lines {
        // Without a time: the daemon's own clock is what it writes down for a message of its host.
        socket.send_to(format!("<{PRIORITY}>{program}[{pid}]: {line}").as_bytes(), SOCKET)?;
    }
    Ok(())
}
