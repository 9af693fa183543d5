//! The deeds of a sysadmin, to syslog (authpriv), in the form of the module's lines: `enrolled user=alice token=app by=root`.

use std::io;
use std::path::Path;

use nix::unistd::{Uid, User};
use twofactor_core::codes::token::Serial;
use twofactor_core::host::syslog;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::{Event, Record};

/// Begins a line about `user`.
pub(crate) fn about(event: Event, user: &UserName) -> Record {
    Record::new(event).with("user", user)
}

/// Begins a line about a physical token.
pub(crate) fn about_token(event: Event, serial: &Serial) -> Record {
    Record::new(event).with("serial", serial)
}

/// Begins a line about a series.
pub(crate) fn about_series(event: Event, series: &str) -> Record {
    Record::new(event).with("series", series)
}

/// A line about what was set aside beside the registry, with its new name.
pub(crate) fn about_set_aside(path: &Path) -> Record {
    Record::new(Event::Repaired).with("set_aside", path.display())
}

/// Writes the line, with who did it.
pub(crate) fn write(record: Record) {
    write_all([record]);
}

/// Writes the lines, with who did it.
pub(crate) fn write_all(records: impl IntoIterator<Item = Record>) {
    let _ = write_surely(records);
}

/// The same, for what must not happen unlogged.
pub(crate) fn write_surely(records: impl IntoIterator<Item = Record>) -> io::Result<()> {
    let actor = actor();
    let lines = records.into_iter().map(|record| record.with_some("by", actor.as_deref()).to_string());
    syslog::write_all("twofactor", std::process::id(), lines)
}

/// The actor, for the registry's own history and the audit of a central store.
pub fn actor_or_root() -> String {
    actor().unwrap_or_else(|| "root".to_owned())
}

/// The user who became root to do this: the login's user as the kernel keeps it, which cannot be forged; else what sudo says.
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
