//! Asking other programs of the host.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use twofactor_core::trusted::describe;

/// Where daemons' programs are, also for a root whose path does not say so.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// What a program said.
pub(crate) enum Said {
    /// It was content.
    Well(String),
    /// It was not, and said why.
    Failed(String),
    /// It is not here, or cannot be run.
    NotRun(String),
}

impl Said {
    /// What it said when it was content, or why it is not known.
    pub(crate) fn well(self) -> Result<String, String> {
        match self {
            Self::Well(said) => Ok(said),
            Self::Failed(reason) | Self::NotRun(reason) => Err(reason),
        }
    }
}

/// Runs a program that reports something, in the C locale and without input.
pub(crate) fn ask(name: &str, arguments: &[&str]) -> Said {
    let Some(path) = find(name) else { return Said::NotRun(format!("{name} is not installed")) };
    let mut command = Command::new(path);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null());
    match command.output() {
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

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.chain(FOLDERS.map(PathBuf::from)).map(|folder| folder.join(name)).find(|program| program.is_file())
}
