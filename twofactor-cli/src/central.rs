//! The machine with the central store of a fleet: what is about accounts there is done by `twofactor-server administer`, which has the
//! same commands and PostgreSQL. This program has no network code.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process;

use nix::unistd::geteuid;
use twofactor_core::config::DEFAULT_PATH;
use twofactor_core::host::clock::SystemClock;
use twofactor_core::store::administration::RenameError;
use twofactor_core::store::{self, Presence, Store as _};

use crate::args::{Command, Typed};
use crate::error::{Failure, FleetFailure, LeavingFailure};
use crate::host;

/// The program.
const SERVER: &str = "twofactor-server";

/// Its folder where it does not stand beside this program.
const FOLDER: &str = "/usr/sbin";

/// Runs `twofactor-server` in the place of this program if the command is about accounts and the configuration has `[store]`. It returns
/// for every other command, and leaves it to the command to report a configuration that is not valid.
pub(crate) fn hand_over(typed: &Typed, words: &[OsString]) -> Result<(), Failure> {
    if host::administers_central() || !is_about_accounts(&typed.command) || !geteuid().is_root() {
        return Ok(());
    }
    let named = typed.global.config.as_deref();
    if host::configuration(named).map_or(true, |config| config.central_store.is_none()) {
        return Ok(());
    }
    let config = named.unwrap_or(Path::new(DEFAULT_PATH));
    let program = beside_this_one(SERVER);
    let mut command = process::Command::new(&program);
    command.arg("--config").arg(config).arg("administer").arg("--").args(words.iter().skip(1));
    // It returns only where it has failed.
    let error = command.exec();
    Err(FleetFailure::NoServer(program, error).into())
}

/// The failure of a command about a user without an account, in words for a machine of a fleet: on a host the account may be the fleet's, and
/// on the central machine one of that machine alone.
pub(crate) fn elsewhere(failure: Failure, named: Option<&Path>) -> Failure {
    let (Failure::NotEnrolled(user) | Failure::Leaving(LeavingFailure::Rename(RenameError::NoAccount(user)))) =
        &failure
    else {
        return failure;
    };
    let Ok(config) = host::configuration(named) else { return failure };
    if geteuid().is_root() && host::asks_a_fleet(&config) {
        return FleetFailure::NotLocal(user.clone()).into();
    }
    let is_here = || matches!(store::open(&config, SystemClock).presence(user), Ok(Presence::Enrolled));
    if host::administers_central() && is_here() {
        return FleetFailure::LocalAlone(user.clone()).into();
    }
    failure
}

/// A program of the same package or folder.
pub(crate) fn beside_this_one(name: &str) -> PathBuf {
    let folder = std::fs::read_link("/proc/self/exe").ok().and_then(|this| Some(this.parent()?.to_owned()));
    let beside = folder.map(|folder| folder.join(name)).filter(|program| program.is_file());
    beside.unwrap_or_else(|| Path::new(FOLDER).join(OsStr::new(name)))
}

/// True for commands about accounts, tokens or their log; false for those about this machine alone.
fn is_about_accounts(command: &Command) -> bool {
    match command {
        // Root's way in while no server answers.
        Command::Enroll(arguments) => !arguments.is_local(),
        Command::Status(_)
        | Command::Verify(_)
        | Command::ShowQr(_)
        | Command::Reset(_)
        | Command::Recovery(_)
        | Command::Unlock(_)
        | Command::Invite(_)
        | Command::Code(_)
        | Command::Token(_)
        | Command::Series(_)
        | Command::Import(_)
        | Command::SshKey(_)
        | Command::FleetHost(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Rename(_)
        | Command::Export(_)
        | Command::Log(_)
        | Command::Complete(_) => true,
        // A login here, and the files of this machine, which has accounts of its own as any: no login asks [store].
        Command::Explain(_)
        | Command::State(_)
        | Command::Migrate(_)
        | Command::Own(_)
        | Command::Fleet(_)
        | Command::Service(_)
        | Command::Doctor(_)
        | Command::Config(_)
        | Command::Completions(_)
        | Command::Help(_)
        | Command::Version => false,
    }
}
