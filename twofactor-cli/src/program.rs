//! Asking other programs of the host.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;

use twofactor_core::host::trusted::describe;

/// The folders of daemons' programs, also for a root whose path does not say so.
const FOLDERS: [&str; 5] = ["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/bin", "/bin"];
/// sshd's words for a missing folder in `/run`.
const SSHD_LACKS: &str = "Missing privilege separation directory: ";

/// A program's output.
pub(crate) enum Said {
    /// It was content.
    Well(String),
    /// It was not, and said why.
    Failed(String),
    /// It is not here, or cannot be run.
    NotRun(String),
}

impl Said {
    /// The output of success, or the reason for which it is not known.
    pub(crate) fn well(self) -> Result<String, String> {
        match self {
            Self::Well(said) => Ok(said),
            Self::Failed(reason) | Self::NotRun(reason) => Err(reason),
        }
    }
}

/// Asks sshd about its configuration. Where a socket starts it, its folder is not there until the first connection and it
/// answers nothing: then the folder is made, as its unit does, and stays.
pub(crate) fn ask_sshd(arguments: &[&str]) -> Said {
    let said = ask("sshd", arguments);
    if let Said::Failed(reason) = &said
        && let Some((_, folder)) = reason.split_once(SSHD_LACKS)
        && folder.starts_with("/run/")
        && std::fs::create_dir(folder).is_ok()
    {
        return ask("sshd", arguments);
    }
    said
}

/// The beginning of this program's file: what it says of the machine is so of every file that can be loaded here.
pub(crate) fn own_header() -> io::Result<[u8; 64]> {
    let mut header = [0; 64];
    File::open("/proc/self/exe")?.read_exact(&mut header)?;
    Ok(header)
}

/// Runs a program that reports something, in the C locale and without input.
pub(crate) fn ask(name: &str, arguments: &[&str]) -> Said {
    let Some(path) = find(name) else { return Said::NotRun(format!("{name} is not installed")) };
    let mut command = Command::new(path);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null());
    match output(&mut command) {
        Ok(output) if output.status.success() => Said::Well(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
            let first = words.lines().map(str::trim).find(|line| !line.is_empty());
            let reason = first.map_or_else(|| output.status.to_string(), str::to_owned);
            Said::Failed(format!("{name} says: {reason}"))
        }
        Err(error) => Said::NotRun(format!("cannot run {name}: {}", describe(&error))),
    }
}

/// Runs a program and gives what it wrote. The standard library does so too, and panics where `poll` fails.
pub(crate) fn output(command: &mut Command) -> io::Result<Output> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let beside = thread::Builder::new().spawn(move || all_of(err));
    let stdout = all_of(out);
    let stderr = beside.map(|beside| beside.join().unwrap_or_else(|_| Err(io::Error::other("it cannot be read"))));
    // It ends by itself: nothing reads what it writes any more.
    let status = child.wait()?;
    Ok(Output { status, stdout: stdout?, stderr: stderr?? })
}

fn all_of(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.chain(FOLDERS.map(PathBuf::from)).map(|folder| folder.join(name)).find(|program| program.is_file())
}
