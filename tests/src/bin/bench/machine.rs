//! What the figures come from: machine, disk and versions.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use twofactor_core::host::clock::UnixTime;
use twofactor_tests::oathtool;

use crate::contestant::Contestant;
use crate::read;
use crate::statistics::Sample;
use crate::tokens::REFERENCE;

/// The machine, described without naming it.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) system: String,
    pub(crate) file_system: String,
    /// Overwriting 512 bytes of a file and fdatasync.
    pub(crate) fdatasync: Duration,
    /// Modules and programs, and their versions.
    pub(crate) versions: Vec<(String, String)>,
}

impl Machine {
    /// Looks at the machine and the disk that `folder` lies on.
    pub(crate) fn examine(folder: &Path) -> Self {
        let now = UnixTime::from_seconds(oathtool::now()).to_string();
        let modules = Contestant::ALL.map(|contestant| (contestant.to_string(), version(contestant.package())));
        let programs = REFERENCE.map(|(program, package)| (program.to_owned(), version(Some(package))));
        Self {
            date: now.split('T').next().unwrap_or(&now).to_owned(),
            processor: value(&read("/proc/cpuinfo"), "model name", ':')
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            kernel: kernel_version(&read("/proc/sys/kernel/osrelease")),
            system: value(&read("/etc/os-release"), "PRETTY_NAME", '=').unwrap_or_else(|| "Linux".to_owned()),
            file_system: file_system(folder),
            fdatasync: fdatasync(folder),
            versions: modules.into_iter().chain(programs).collect(),
        }
    }

    pub(crate) fn file_system_is_memory(&self) -> bool {
        matches!(self.file_system.as_str(), "tmpfs" | "ramfs")
    }
}

/// Tells how busy others keep the processors.
#[derive(Debug)]
pub(crate) struct Meter {
    started: Instant,
    all: Duration,
    ours: Duration,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), all: used_by_all(), ours: used_by_us() }
    }

    /// The part of the processors that programs of others used since, from 0 to 1. The kernel's own work is left out: much
    /// of it is done for us.
    pub(crate) fn others(&self) -> f64 {
        let (all, ours) = (used_by_all().saturating_sub(self.all), used_by_us().saturating_sub(self.ours));
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let available = self.started.elapsed() * u32::try_from(cores).unwrap_or(1);
        all.saturating_sub(ours).as_secs_f64() / available.as_secs_f64()
    }
}

/// The time all programs of this machine have used outside the kernel (proc_stat(5)).
fn used_by_all() -> Duration {
    let statistics = read("/proc/stat");
    let numbers = statistics.lines().next().unwrap_or_default().split_whitespace().skip(1).take(2);
    let ticks: u64 = numbers.filter_map(|number| number.parse::<u64>().ok()).sum();
    // USER_HZ is 100 on every platform that Linux-PAM runs on.
    Duration::from_millis(ticks * 10)
}

/// The same of this program and of its children that have ended.
fn used_by_us() -> Duration {
    let of = |who| getrusage(who).expect("the kernel counts").user_time();
    let used = of(UsageWho::RUSAGE_SELF) + of(UsageWho::RUSAGE_CHILDREN);
    Duration::from_micros(u64::try_from(used.num_microseconds()).unwrap_or(0))
}

fn value(text: &str, key: &str, separator: char) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.split_once(separator)?.1.trim().trim_matches('"').to_owned())
}

/// The version without what the builder of the kernel put behind it.
fn kernel_version(release: &str) -> String {
    let version = release.split(|character: char| !character.is_ascii_digit() && character != '.').next();
    version.unwrap_or_default().to_owned()
}

/// The type of the mount that `folder` lies on (proc_pid_mountinfo(5)).
fn file_system(folder: &Path) -> String {
    let mounts = read("/proc/self/mountinfo");
    let candidates = mounts.lines().filter_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        Some((mount.split(' ').nth(4)?, system.split(' ').next()?))
    });
    let nearest = candidates.filter(|(place, _)| folder.starts_with(place)).max_by_key(|(place, _)| place.len());
    nearest.map_or_else(|| "an unknown file system".to_owned(), |(_, system)| system.to_owned())
}

fn fdatasync(folder: &Path) -> Duration {
    let path = folder.join("fdatasync");
    let write = |file: &File| file.write_all_at(&[b'x'; 512], 0).and_then(|()| file.sync_data());
    let file = OpenOptions::new().create_new(true).write(true).open(&path).expect("a file on the disk");
    write(&file).and_then(|()| file.sync_all()).expect("the disk can be written");
    let mut times = Sample::default();
    for _ in 0..300 {
        let started = Instant::now();
        write(&file).expect("the disk can be written");
        times.add(started.elapsed());
    }
    std::fs::remove_file(path).expect("the file can be removed");
    times.median()
}

/// The version of a Debian package; `None` is ours.
fn version(package: Option<&str>) -> String {
    let Some(package) = package else {
        return format!("{} (this checkout, release build)", env!("CARGO_PKG_VERSION"));
    };
    let output = Command::new("dpkg-query").args(["--show", "--showformat=${Version}", package]).output();
    let version = output.ok().filter(|output| output.status.success());
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    format!("{package} {}", version.unwrap_or_else(|| "of an unknown version".to_owned()))
}
