//! The files of a freshly installed Debian, made once by debootstrap and never changed.

use crate::artifacts::workspace;
use crate::requirements::{self, NAMESPACES, PATH};
use crate::said::said;
use nix::mount::{MsFlags, mount};
use nix::sched::unshare;
use nix::sys::stat::Mode;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A Debian that the package is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Debian 12, on which the package is developed: Linux-PAM 1.5.2, OpenSSH 9.2.
    Bookworm,
    /// Debian 13: Linux-PAM 1.7.0, OpenSSH 10.0, whose sessions are programs of their own.
    Trixie,
}

impl Release {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Bookworm, Self::Trixie];

    /// The one that an environment variable names.
    pub(crate) fn named_by(variable: &str) -> Option<Self> {
        let name = std::env::var(variable).ok().filter(|name| !name.is_empty())?;
        let release = Self::ALL.into_iter().find(|release| release.codename() == name);
        Some(release.unwrap_or_else(|| panic!("{variable}={name}: there is no such system")))
    }

    /// The name under which mirrors have it.
    pub fn codename(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }
}

/// Where a host whose apt knows no mirror of the release gets it from.
pub(super) const USUAL_MIRROR: &str = "http://deb.debian.org/debian";

/// What a small server has, and what a test calls there.
pub(super) const PACKAGES: [&str; 15] = [
    "dropbear-bin",
    "iproute2",
    "libfaketime",
    "libpam-cap",
    "libpam-google-authenticator",
    "libpam-oath",
    "login",
    "oathtool",
    "openssh-client",
    "openssh-server",
    "passwd",
    "putty-tools",
    "sshpass",
    "strace",
    "sudo",
];

/// Names the release on which suites run instead of this host: `bookworm` or `trixie`.
pub(super) const SYSTEM: &str = "TWOFACTOR_TESTS_SYSTEM";

/// The release on which the suites are to run instead of this host.
pub fn chosen() -> Option<Release> {
    Release::named_by(SYSTEM)
}

/// The files of a fresh Debian, or `None` where they cannot be had.
pub(crate) fn base(release: Release) -> Option<&'static Path> {
    if !requirements::met() || !requirements::programs_met(&["debootstrap"]) {
        return None;
    }
    match made(release) {
        Ok(root) => Some(root),
        Err(reason) => {
            requirements::unmet(reason);
            None
        }
    }
}

/// The same where all programs are there.
pub(super) fn made(release: Release) -> &'static Result<PathBuf, String> {
    static BOOKWORM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    static TRIXIE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = match release {
        Release::Bookworm => &BOOKWORM,
        Release::Trixie => &TRIXIE,
    };
    made.get_or_init(|| bootstrapped(release, &PACKAGES).and_then(layered))
}

/// The files of a system with these packages, made now unless they are there. The second of two processes waits for the
/// first.
pub fn bootstrapped(release: Release, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = workspace().join("target/debian");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let root = folder.join(format!("{}-{}", release.codename(), packages.join("-")));
    if root.is_dir() {
        return Ok(root);
    }
    // Written past the test runner's capture: nobody should wonder what takes a minute.
    let _ = std::io::stderr().write_all(b"debootstrap: a Debian for the tests, once\n");
    let unfinished = folder.join("unfinished");
    let mirror = mirror(release);
    // A mirror that stalls is asked again, for the whole.
    let attempt = || {
        let _ = fs::remove_dir_all(&unfinished);
        let mut debootstrap = Command::new("timeout");
        debootstrap.args(["--kill-after=30", "600", "debootstrap", "--variant=minbase"]);
        debootstrap.args([&format!("--include={}", packages.join(",")), release.codename()]);
        debootstrap.arg(&unfinished).arg(&mirror).env("PATH", PATH).envs(apt_proxies());
        debootstrap.output().map_err(|error| format!("debootstrap: {error}"))
    };
    let mut output = attempt()?;
    if !output.status.success() {
        output = attempt()?;
    }
    if !output.status.success() {
        return Err(format!("debootstrap from {mirror} failed twice: {}", said(&output)));
    }
    // The lists as well: each apt-get would read what all of Debian has before it installs one file.
    for folder in ["var/cache/apt/archives", "var/lib/apt/lists"] {
        for entry in fs::read_dir(unfinished.join(folder)).unwrap().flatten() {
            let _ = fs::remove_file(entry.path());
        }
    }
    fs::rename(&unfinished, &root).unwrap();
    Ok(root)
}

/// A system over which a layer in memory can be laid here.
pub(super) fn layered(root: PathBuf) -> Result<PathBuf, String> {
    let attempt = std::thread::scope(|scope| scope.spawn(|| over(&root)).join().expect("mounting does not panic"));
    attempt.map(|()| root).map_err(|errno| format!("an overlay cannot be mounted here: {errno}"))
}

/// Moves the calling thread into mounts of its own, and mounts `root` at `/run/root` below a layer in memory.
pub(crate) fn over(root: &Path) -> nix::Result<()> {
    const NOTHING: Option<&str> = None;
    unshare(NAMESPACES)?;
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)?;
    mount(Some("twofactor-tests"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=0755"))?;
    for folder in ["/run/changes", "/run/work", "/run/root"] {
        nix::unistd::mkdir(folder, Mode::S_IRWXU | Mode::S_IRGRP | Mode::S_IXGRP | Mode::S_IROTH | Mode::S_IXOTH)?;
    }
    let layers = format!("lowerdir={},upperdir=/run/changes,workdir=/run/work", root.display());
    mount(Some("overlay"), "/run/root", Some("overlay"), MsFlags::empty(), Some(layers.as_str()))
}

/// The mirror this host's own apt uses for the release.
pub(super) fn mirror(release: Release) -> String {
    let fields = ["Identifier: Packages", "Component: main", &format!("Codename: {}", release.codename())];
    let known = Command::new("apt-get").args(["indextargets", "--format=$(REPO_URI)"]).args(fields).output();
    let known = known.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    known.lines().next().unwrap_or(USUAL_MIRROR).to_owned()
}

/// The proxies of this host's own apt, in the words of wget.
pub(super) fn apt_proxies() -> Vec<(&'static str, String)> {
    let proxy = |name: &'static str, key: &str| {
        let output = Command::new("apt-config").args(["shell", "PROXY", key]).output().ok()?;
        let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let value = line.strip_prefix("PROXY='")?.strip_suffix('\'')?;
        (!value.is_empty() && value != "DIRECT").then(|| (name, value.to_owned()))
    };
    [proxy("http_proxy", "Acquire::http::Proxy"), proxy("https_proxy", "Acquire::https::Proxy")]
        .into_iter()
        .flatten()
        .collect()
}
