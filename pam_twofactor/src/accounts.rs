//! Tells closed accounts: by the shadow entry, and by pam_unix's helper where this process may not read it.
//!
//! The helper is run as pam_unix runs it, with its arguments and with the real user id 0, and without the application's
//! environment, standard streams and open files. It only ever runs in the account phase, when a second factor is about to be stored, and no
//! lock is held meanwhile. An application that ignores SIGCHLD learns of no child's end: nothing is stored then.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::expiry::{self, Expired, File, KnownExpiry, Said, Shadow};
use twofactor_core::host::user::{LookupError, UserName};
use twofactor_core::login::Accounts;

use crate::child;

/// The paths at which distributions install the helper.
const HELPERS: [&str; 4] =
    ["/usr/sbin/unix_chkpwd", "/sbin/unix_chkpwd", "/usr/bin/unix_chkpwd", "/run/wrappers/bin/unix_chkpwd"];

/// The accounts of the host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemAccounts;

impl Accounts for SystemAccounts {
    fn expired(&self, user: &UserName, now: UnixTime) -> Result<Option<Expired>, LookupError> {
        let shadow = Shadow::of_host();
        match shadow.known(user, now)? {
            KnownExpiry::All(known) => Ok(known),
            KnownExpiry::AskHelper(file) => asked(user, file, &shadow),
        }
    }
}

/// The helper's answer about a user.
///
/// "No entry" is also what it says when it may not read the file either, because it got no rights of its own (SELinux): then it
/// does not find that of a witness.
fn asked(user: &UserName, file: File, shadow: &Shadow) -> Result<Option<Expired>, LookupError> {
    match (run(user)?, file) {
        (Said::All(said), _) => Ok(said),
        (Said::NoEntry, File::HasNoEntry) => Ok(None),
        (Said::NoEntry, File::Unread) => {
            let witness = shadow.witness()?;
            match run(&witness)? {
                Said::All(_) => Ok(None),
                Said::NoEntry => Err(LookupError(format!("unix_chkpwd finds no shadow entry, not even of {witness}"))),
            }
        }
    }
}

/// Runs the helper. A process whose real user id is not 0, which a setuid program has, would be told nothing about other users.
fn run(user: &UserName) -> Result<Said, LookupError> {
    let Some(helper) = HELPERS.into_iter().find(|helper| Path::new(helper).exists()) else {
        return Err(LookupError("there is no unix_chkpwd, which could look for a shadow entry".to_owned()));
    };
    let mut command = Command::new(helper);
    command.args([user.as_str(), "chkexpiry"]).env_clear().uid(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    child::gets_no_files(&mut command);
    let status = command.status().map_err(|error| match error.raw_os_error() {
        Some(libc::ECHILD) => LookupError(format!("{helper}: {}", expiry::END_UNKNOWN)),
        _ => LookupError(format!("{helper}: {error}")),
    })?;
    let said = status.code().and_then(expiry::said_by_helper);
    said.ok_or_else(|| LookupError(format!("{helper}: {status}")))
}
