//! A folder that rpm takes for a whole system (`--root`), in a private host: the programs of this one below a layer in
//! memory, a copy of `/etc`, and an empty `/var`. Scriptlets run in it as on a real host.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::mount::{MsFlags, mount};
use twofactor_tests::private_host::{Host, private_host, said};

use super::packages::Package;

/// Where it is in the private host.
const ROOT: &str = "/run/twofactor-tests/root";

/// What a command is preceded by to run in it.
pub(crate) const INSIDE: &str = "exec chroot /run/twofactor-tests/root \"$@\"";

/// A system on which nothing of ours is installed, with an empty database of rpms.
#[derive(Debug)]
pub(crate) struct Root<'h> {
    host: &'h Host,
    folder: PathBuf,
}

/// Runs `test` with a root folder in a private host, or skips it where that cannot be done.
pub(crate) fn in_a_root(test: impl FnOnce(&Host, &Root<'_>) + Send) {
    private_host(|host| test(host, &Root::new(host)));
}

impl<'h> Root<'h> {
    fn new(host: &'h Host) -> Self {
        let root = Self { host, folder: host.place("root") };
        for folder in
            ["usr", "etc", "dev", "proc", "run/twofactor-tests/bin", "run/twofactor-tests/pam.d", "tmp", "root"]
        {
            fs::create_dir_all(root.path(folder)).unwrap();
        }
        fs::create_dir_all(root.path("var/lib")).unwrap();
        let (changes, work) = (host.place("usr-changes"), host.place("usr-work"));
        fs::create_dir(&changes).unwrap();
        fs::create_dir(&work).unwrap();
        let layers = format!("lowerdir=/usr,upperdir={},workdir={}", changes.display(), work.display());
        mount(Some("overlay"), &root.path("usr"), Some("overlay"), MsFlags::empty(), Some(layers.as_str()))
            .expect("an overlay");
        for folder in ["etc", "dev", "proc", "run/twofactor-tests/bin", "run/twofactor-tests/pam.d"] {
            let (from, to) = (Path::new("/").join(folder), root.path(folder));
            mount(Some(&from), &to, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>).expect("a mount");
        }
        for name in ["bin", "sbin", "lib", "lib32", "lib64"] {
            if Path::new("/").join(name).is_symlink() {
                symlink(format!("usr/{name}"), root.path(name)).unwrap();
            }
        }
        root.succeed(&["--initdb"]);
        root
    }

    /// A path of this system, as seen from outside.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path.trim_start_matches('/'))
    }

    /// Whether there is such a file or folder.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// Runs rpm for this root.
    pub(crate) fn rpm(&self, arguments: &[&str]) -> Output {
        let mut rpm = self.host.command("rpm");
        rpm.args(["--root", ROOT, "--define", "_dbpath /var/lib/rpm"]).args(arguments);
        rpm.stdin(Stdio::null()).output().unwrap()
    }

    /// The same, and it must succeed; what rpm said.
    #[track_caller]
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.rpm(arguments);
        assert!(output.status.success(), "rpm {}: {}", arguments.join(" "), said(&output));
        said(&output)
    }

    /// Installs or upgrades packages in one transaction, with all checks. What rpm said.
    pub(crate) fn transaction(&self, packages: &[&Package]) -> Output {
        let files: Vec<PathBuf> = (0..packages.len()).map(|number| self.host.place(&format!("{number}.rpm"))).collect();
        for (file, package) in files.iter().zip(packages) {
            fs::write(file, &package.bytes).unwrap();
        }
        let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
        // Debian's programs are in no package that rpm knows of, and the checks of signatures are rpm's own.
        self.rpm(&[&["--upgrade", "--nosignature"], &files[..]].concat())
    }

    /// The same, and it must succeed in silence: a scriptlet that complains is a failure.
    #[track_caller]
    pub(crate) fn install(&self, packages: &[&Package]) {
        let output = self.transaction(packages);
        assert!(output.status.success(), "{}", said(&output));
        let complaints = String::from_utf8_lossy(&output.stderr);
        // Debian's rpm would rather have its packages converted.
        let complaints: Vec<&str> = complaints.lines().filter(|line| !line.starts_with("rpm: ")).collect();
        assert_eq!(complaints, Vec::<&str>::new(), "rpm complains");
    }

    /// A program in this root.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = self.host.command("chroot");
        command.args([ROOT, program]).stdin(Stdio::null());
        command
    }

    /// Every file and folder of this system that is not below `/proc`, `/dev` or the database of rpms.
    pub(crate) fn files(&self) -> BTreeSet<String> {
        let mut files = BTreeSet::new();
        for folder in ["etc", "var", "usr/lib/tmpfiles.d", "usr/lib64", "usr/sbin", "usr/share", "usr/lib/security"] {
            let output = self.command("find").args([&format!("/{folder}"), "-xdev"]).output().unwrap();
            files.extend(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned));
        }
        files.retain(|file| !file.starts_with("/var/lib/rpm"));
        files
    }
}
