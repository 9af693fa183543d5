//! What a module has forced to the disk when it says success: its system calls, watched.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use twofactor_tests::private_host::Host;

use crate::contestant::Contestant;
use crate::population::{Population, User};
use crate::worker::{self, Device, Worker};

/// The whole of what our module writes behind its last sync.
const ON_DISK: &str = ", \"on disk\", 7, ";

/// What one accepted login of a module synced and renamed, and what it left undone when it said success.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Synced {
    pub(crate) files: usize,
    pub(crate) folders: usize,
    pub(crate) renames: usize,
    written_since: bool,
    renamed_since: bool,
}

/// How far an accepted login of a module survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Survival {
    /// It keeps no record of a login.
    NothingToKeep,
    /// What it wrote is on disk under its name.
    Certain,
    /// The new file is on disk, but not that it took the old one's place.
    RenameMayBeLost,
    /// Nothing was forced to the disk.
    MayBeLost,
}

/// What the modules do.
#[derive(Debug)]
pub(crate) struct Durability {
    pub(crate) synced: BTreeMap<Contestant, Synced>,
}

impl Synced {
    pub(crate) fn survival(self) -> Survival {
        match self {
            Self { written_since: true, .. } => Survival::MayBeLost,
            Self { renamed_since: true, .. } => Survival::RenameMayBeLost,
            Self { files: 0, folders: 0, .. } => Survival::NothingToKeep,
            Self { .. } => Survival::Certain,
        }
    }
}

impl Durability {
    /// Watches one login of each module by a user who logged in before.
    pub(crate) fn trace(host: &Host, population: &Population) -> Self {
        let trace = population.folder.join("trace");
        let mut command = host.command("strace");
        let calls = "--trace=write,pwrite64,writev,pwritev,fsync,fdatasync,rename,renameat,renameat2";
        command
            .args(["--decode-fds=path", "--string-limit=64", calls, "--output"])
            .arg(&trace)
            .arg(worker::program(host));
        // Somebody whom the crowd does not need.
        let user = population.size - 1;
        let mut worker = Worker::run(command, population, user, 1, Device::Clock);
        for _ in 0..2 {
            worker.accepted_round(host, User(user), &Contestant::ALL);
        }
        drop(worker);
        let text = fs::read_to_string(trace).expect("strace wrote its file");
        Self { synced: read(&text, &population.folder) }
    }
}

/// Follows the calls up to each of the worker's reports, which come after a login; the last report of a module stands.
fn read(trace: &str, folder: &Path) -> BTreeMap<Contestant, Synced> {
    let mut synced = BTreeMap::new();
    let mut current = Synced::default();
    for line in trace.lines() {
        let Some((call, rest)) = line.split_once('(') else { continue };
        let path = path(rest);
        let kept = path.as_ref().is_some_and(|path| path.starts_with(folder));
        match call {
            "fsync" | "fdatasync" if line.ends_with(" = 0") && path.as_ref().is_some_and(|path| path.is_dir()) => {
                current.folders += 1;
                current.renamed_since = false;
            }
            "fsync" | "fdatasync" if line.ends_with(" = 0") => {
                current.files += 1;
                current.written_since = false;
            }
            "rename" | "renameat" | "renameat2" => {
                current.renames += 1;
                current.renamed_since = true;
            }
            // Our note that the sync is over, for the next login. That it may be lost is its design.
            "pwrite64" if kept && rest.contains(ON_DISK) => {}
            "write" | "pwrite64" | "writev" | "pwritev" if kept => current.written_since = true,
            "write" => {
                let text = rest.split_once('"').map_or("", |(_, text)| text);
                if let Some(contestant) = text.split(' ').next().and_then(Contestant::named) {
                    synced.insert(contestant, std::mem::take(&mut current));
                }
            }
            _ => {}
        }
    }
    synced
}

/// The path strace gives beside a descriptor: `5</path>`.
fn path(rest: &str) -> Option<PathBuf> {
    let (_, rest) = rest.split_once('<')?;
    Some(PathBuf::from(rest.split_once('>')?.0))
}
