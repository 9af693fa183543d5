//! The process in which libpam runs a change to a service: this program by another name.
//!
//! `service enable` starts it (`commands/service/rehearsal.rs`), so that a libpam that crashes or never ends takes nothing with
//! it. It has no rights of root's: whatever a module does harms no user; the kernel takes no audit records from it, and it
//! writes nothing to syslog.

use std::ffi::CString;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::ExitCode;

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, alarm, geteuid, setgid, setgroups, setuid};
use twofactor_core::pam_service::SERVICE;
use twofactor_rehearsal::{Done, Libpam, silence_syslog};

/// Its name.
pub(crate) const NAME: &str = "twofactor-rehearsal";
/// Users and groups that own nothing.
pub(crate) const NOBODY: u32 = 65534;
/// The time that a run may take, in seconds: it takes less than a thousandth of one, but a machine may have much else to do.
const PATIENCE: u32 = 10;
/// The processor time that all of them may take, in seconds.
const WORK: u64 = 20;

/// True when this process is that one.
pub(crate) fn is_asked_for() -> bool {
    std::env::args_os().next().is_some_and(|name| name == NAME)
}

/// Runs the services in the folders `FOLDER/0` to `FOLDER/COUNT-1`, and says of each in a line what libpam did. The arguments are
/// the two.
pub(crate) fn run() -> ExitCode {
    match ran() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let _ = writeln!(std::io::stderr(), "{reason}");
            ExitCode::FAILURE
        }
    }
}

fn ran() -> Result<(), String> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments.next().ok_or("no folder")?;
    let count = arguments.next().and_then(|count| count.to_str()?.parse::<usize>().ok()).ok_or("no number of runs")?;
    give_up_rights().map_err(|errno| format!("cannot give up root's rights: {}", errno.desc()))?;
    silence_syslog();
    let libpam = Libpam::load().map_err(|unavailable| unavailable.to_string())?;
    let service = CString::new(SERVICE).map_err(|_| "no name")?;
    let mut output = std::io::stdout().lock();
    for number in 0..count {
        alarm::set(PATIENCE);
        let folder = Path::new(&folder).join(number.to_string());
        let folder = CString::new(folder.as_os_str().as_bytes()).map_err(|_| "no path")?;
        if number == 0 {
            libpam.keep_modules(&service, &folder);
        }
        let done = libpam.run(&service, &folder);
        writeln!(output, "{}", line(&done)).map_err(|error| error.to_string())?;
        // The first run asks whether there is a stub; without one the others tell nothing.
        if number == 0 && done.said.is_empty() {
            break;
        }
    }
    output.flush().map_err(|error| error.to_string())
}

fn give_up_rights() -> nix::Result<()> {
    setrlimit(Resource::RLIMIT_CPU, WORK, WORK)?;
    if geteuid().is_root() {
        setgroups(&[])?;
        setgid(Gid::from_raw(NOBODY))?;
        setuid(Uid::from_raw(NOBODY))?;
    }
    prctl::set_no_new_privs()?;
    // Cleared by the change of user.
    prctl::set_pdeathsig(Signal::SIGKILL)
}

/// Three numbers, and what was said; no stub says anything with a blank in it.
fn line(done: &Done) -> String {
    let said =
        done.said.iter().map(|said| said.replace(|letter: char| letter.is_whitespace() || letter.is_control(), "?"));
    let numbers = [done.start, done.auth, done.account].map(|number| number.to_string());
    numbers.into_iter().chain(said).collect::<Vec<_>>().join(" ")
}
