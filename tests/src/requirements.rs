//! What the suites need of the machine they run on, and what happens when it is missing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;

/// The namespaces of a private host. Each belongs to the thread that makes it and to what that thread starts.
pub const NAMESPACES: CloneFlags = CloneFlags::CLONE_NEWNS
    .union(CloneFlags::CLONE_NEWNET)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWUTS);

/// Programs that a private host or a suite calls. `tests/install-packages` installs them.
const PROGRAMS: [&str; 14] = [
    "ip",
    "login",
    "nm",
    "oathtool",
    "readelf",
    "setpriv",
    "setsid",
    "sh",
    "ssh",
    "ssh-keygen",
    "sshd",
    "su",
    "sudo",
    "useradd",
];

/// Where programs are looked for: root's usual path, whatever the caller's is.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether the system suites can run here. When they cannot, says so on the terminal, or panics when they must run.
pub fn met() -> bool {
    static MISSING: OnceLock<Option<String>> = OnceLock::new();
    met_unless(MISSING.get_or_init(missing).as_deref())
}

/// The same for a suite that needs nothing but these programs.
pub fn programs_met(names: &[&str]) -> bool {
    met_unless(absent(names).as_deref())
}

/// The same for a suite that also needs what a package of the distribution puts at `path`.
pub fn package_met(package: &str, path: &str) -> bool {
    let missing = || format!("{package} is not installed; run tests/install-packages");
    met_unless((!Path::new(path).exists()).then(missing).as_deref())
}

/// The same for a suite that also needs these modules of Debian's python3.
pub fn python_modules_met(names: &[&str]) -> bool {
    let absent: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| {
            let import = std::process::Command::new(PYTHON).args(["-c", &format!("import {name}")]).output();
            !import.is_ok_and(|output| output.status.success())
        })
        .collect();
    let reason = || format!("python3 has no {}; run tests/install-packages", absent.join(", "));
    met_unless((!absent.is_empty()).then(reason).as_deref())
}

/// The same for a suite that also stops the clock of the programs it runs.
pub fn stopped_clock_met() -> bool {
    let missing = faketime().is_none().then(|| "libfaketime is missing; run tests/install-packages".to_owned());
    met_unless(missing.as_deref())
}

/// The library that gives a program another time.
pub fn faketime() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
        let folders = folders.chain(["/usr/lib".into(), "/usr/lib64".into()]);
        folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|library| library.is_file())
    });
    found.as_deref()
}

/// The distribution's python3, which has the distribution's modules.
pub const PYTHON: &str = "/usr/bin/python3";

fn met_unless(missing: Option<&str>) -> bool {
    missing.is_none_or(|reason| {
        unmet(reason);
        false
    })
}

/// Says that the test which calls it cannot run here and why, or panics when it must run.
pub fn unmet(reason: &str) {
    assert!(
        std::env::var_os("TWOFACTOR_TESTS_MUST_RUN").is_none_or(|value| value != "1"),
        "this suite must run, but {reason}"
    );
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Written past the test runner's capture, and at once: a skipped test must not look like one that ran.
    let _ = std::io::stderr().write_all(format!("skipped: {test}: {reason}\n").as_bytes());
}

/// The full path of a program.
pub fn program(name: &str) -> Option<PathBuf> {
    PATH.split(':').map(|folder| PathBuf::from(folder).join(name)).find(|path| path.is_file())
}

fn absent(names: &[&str]) -> Option<String> {
    let absent: Vec<&str> = names.iter().copied().filter(|name| program(name).is_none()).collect();
    (!absent.is_empty()).then(|| format!("{} is missing; run tests/install-packages", absent.join(", ")))
}

fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("it needs root".to_owned());
    }
    if let Some(reason) = absent(&PROGRAMS) {
        return Some(reason);
    }
    let attempt = std::thread::spawn(|| {
        nix::sched::unshare(NAMESPACES | CloneFlags::CLONE_NEWPID)?;
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
        mount(Some("twofactor-tests"), "/run", Some("tmpfs"), MsFlags::empty(), None::<&str>)
    })
    .join();
    match attempt.expect("unshare does not panic") {
        Ok(()) => None,
        Err(errno) => Some(format!("namespaces cannot be made here: {errno}")),
    }
}
