//! The new files run in this host's libpam first: they are laid out in a folder of their own, and a process without
//! rights has libpam run them (`rehearsing.rs`). `twofactor_admin::pam_editing` says what is run and judges the result.
//!
//! Invariants: no module of the host is loaded but the stub; the folder is gone afterwards; a libpam that crashes or does not come
//! to an end is a refusal, and one that cannot be asked is said to be so.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::unistd::mkdtemp;
use twofactor_admin::pam_editing::placing::Target;
use twofactor_admin::pam_editing::rehearsal::{Observed, Rehearsal, STUB, Staged};
use twofactor_core::host::trusted::describe;
use twofactor_core::pam_service::SERVICE;

use crate::error::ServiceFailure;
use crate::program;
use crate::rehearsing;

/// The number of runs, or the reason for which there were none.
pub(super) type Rehearsed = Result<usize, String>;

/// The folders for it: the first that is in memory, else the first that there is.
const PLACES: [&str; 3] = ["/run", "/dev/shm", "/tmp"];
/// The folder of files that are the same in every run.
const SHARED: &str = "shared";
/// Proves that stubs are what they should be.
const PROBE: &str = "auth required pam_debug.so auth=success\nauth required pam_debug.so auth=auth_err\n\
                     account required pam_debug.so acct=acct_expired\n";

/// Has libpam run a change to a service.
pub(super) fn of(target: &Target<'_>, before: &[u8], after: &[u8]) -> Result<Rehearsed, ServiceFailure> {
    let rehearsal = match Rehearsal::new(target, before, after) {
        Ok(rehearsal) => rehearsal,
        Err(unplayable) => return Ok(Err(unplayable.to_string())),
    };
    let output = match performed(&rehearsal) {
        Ok(output) => output,
        Err(error) => return Ok(Err(describe(&error))),
    };
    let died = |how: String| {
        let (service, file) = (target.name.to_owned(), target.file.to_owned());
        Err(ServiceFailure::RehearsalDied { service, file, how })
    };
    match output.status.signal().map(Signal::try_from) {
        Some(Ok(Signal::SIGALRM | Signal::SIGXCPU | Signal::SIGKILL)) => {
            return died("does not come to an end".to_owned());
        }
        Some(Ok(signal)) => return died(format!("crashes ({signal})")),
        Some(Err(_)) => return died("crashes".to_owned()),
        None => {}
    }
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Ok(Err(said.lines().next().unwrap_or("it cannot be asked").to_owned()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut observed = text.lines().filter_map(observed);
    if !observed.next().is_some_and(|probe| is_a_stub(&probe)) {
        return Ok(Err(format!("{STUB}, which stands for the modules, is not there or does not do what it is told")));
    }
    let observed: Vec<Observed> = observed.collect();
    if observed.len() != rehearsal.runs() {
        return died("ends the process that asks it".to_owned());
    }
    match rehearsal.judge(&observed) {
        Ok(()) => Ok(Ok(observed.len())),
        Err(disagreement) => Err(ServiceFailure::Rehearsal {
            service: target.name.to_owned(),
            file: target.file.to_owned(),
            disagreement: Box::new(disagreement),
        }),
    }
}

fn is_a_stub(probe: &Observed) -> bool {
    let said = ["auth=success", "auth=auth_err", "acct=acct_expired"];
    (probe.start, probe.auth, probe.account) == (0, 7, 13) && probe.said == said
}

/// Lays everything out and has it run: the probe, then the runs.
fn performed(rehearsal: &Rehearsal) -> io::Result<Output> {
    let stage = Stage::new()?;
    let readable = Umask::readable();
    let text = |(name, text)| (name, Staged::Text(text));
    stage.put("0", vec![(SERVICE.to_owned(), Staged::Text(PROBE.into()))])?;
    let shared = stage.folder.join(SHARED);
    stage.put(SHARED, rehearsal.shared(&shared).into_iter().map(text).collect())?;
    for run in 0..rehearsal.runs() {
        let name = (run + 1).to_string();
        stage.put(&name, rehearsal.files(run, &stage.folder.join(&name), &shared))?;
    }
    drop(readable);
    let mut command = Command::new("/proc/self/exe");
    command.arg0(rehearsing::NAME).arg(&stage.folder).arg((rehearsal.runs() + 1).to_string());
    program::output(command.env_clear().current_dir("/").stdin(Stdio::null()))
}

/// The meaning of a line of that process.
fn observed(line: &str) -> Option<Observed> {
    let mut words = line.split(' ');
    let mut number = || words.next()?.parse().ok();
    let (start, auth, account) = (number()?, number()?, number()?);
    Some(Observed { start, auth, account, said: words.map(str::to_owned).collect() })
}

/// A folder that only root writes and that process reads. It goes when it is dropped.
struct Stage {
    folder: PathBuf,
}

impl Stage {
    fn new() -> io::Result<Self> {
        let is_in_memory = |place: &&str| statfs(*place).is_ok_and(|about| about.filesystem_type() == TMPFS_MAGIC);
        let places = PLACES.into_iter().filter(is_in_memory).chain(PLACES);
        let made = places.into_iter().find_map(|place| mkdtemp(&Path::new(place).join("twofactor-XXXXXX")).ok());
        let stage = Self { folder: made.ok_or_else(|| io::Error::other("no folder can be made in /run or /tmp"))? };
        chown(&stage.folder, None, Some(rehearsing::NOBODY))?;
        fs::set_permissions(&stage.folder, fs::Permissions::from_mode(0o710))?;
        Ok(stage)
    }

    /// Makes a folder in it.
    fn put(&self, name: &str, files: Vec<(String, Staged)>) -> io::Result<()> {
        let folder = self.folder.join(name);
        fs::create_dir(&folder)?;
        for (name, file) in files {
            match file {
                Staged::Text(text) => fs::write(folder.join(name), text)?,
                Staged::Link(target) => symlink(target, folder.join(name))?,
            }
        }
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Best effort: a left-over is text without secrets, in a private folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Files are made for others to read, whatever root's habits; the folder above lets only one in.
struct Umask(Mode);

impl Umask {
    fn readable() -> Self {
        Self(umask(Mode::from_bits_truncate(0o022)))
    }
}

impl Drop for Umask {
    fn drop(&mut self) {
        umask(self.0);
    }
}
