//! The packages under test, built once from this tree, and what rpm says about them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use twofactor_tests::artifacts::workspace;
use twofactor_tests::private_host::said;
use twofactor_tests::requirements;

/// What building and reading packages needs.
const PROGRAMS: [&str; 7] = ["bzip2", "checkmodule", "m4", "rpm", "rpmbuild", "rpmlint", "semodule_package"];

/// The packages of one build.
#[derive(Debug)]
pub(crate) struct Packages {
    /// `pam_twofactor`.
    pub(crate) module: Package,
    /// `pam_twofactor-selinux`.
    pub(crate) selinux: Package,
    /// `twofactor-link`.
    pub(crate) link: Package,
    /// `twofactor-server`.
    pub(crate) server: Package,
}

/// A package, as a file and as its bytes: a private host does not see the file.
#[derive(Debug)]
pub(crate) struct Package {
    /// Where it was built.
    pub(crate) path: PathBuf,
    /// What it consists of.
    pub(crate) bytes: Vec<u8>,
}

/// The packages of this tree, unless they cannot be built here.
pub(crate) fn packages() -> Option<&'static Packages> {
    static BUILT: OnceLock<Packages> = OnceLock::new();
    requirements::programs_met(&PROGRAMS).then(|| BUILT.get_or_init(|| build("1")))
}

/// The same, built again for a change of the packaging.
pub(crate) fn next_packages() -> Option<&'static Packages> {
    static BUILT: OnceLock<Packages> = OnceLock::new();
    // Not at the same time: both work in the same tree.
    packages()?;
    Some(BUILT.get_or_init(|| build("2")))
}

fn build(number: &str) -> Packages {
    let folder = scratch(&format!("build-{number}"));
    let mut command = Command::new(workspace().join("packaging/rpm/build"));
    let output = command.args(["--define", &format!("build_number {number}")]).env("OUT", &folder).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let package = |name: &str| {
        let start = format!("{name}-{}-{number}.", env!("CARGO_PKG_VERSION").replace('-', "~"));
        Package::read(&only_file(&folder, |file| file.starts_with(&start)))
    };
    Packages {
        module: package("pam_twofactor"),
        selinux: package("pam_twofactor-selinux"),
        link: package("twofactor-link"),
        server: package("twofactor-server"),
    }
}

/// A new folder of this suite.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rpm").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The one file in `folder` whose name is as `wanted`.
pub(crate) fn only_file(folder: &Path, wanted: impl Fn(&str) -> bool) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> = files.filter(|path| wanted(path.file_name().unwrap().to_str().unwrap())).collect();
    let [file] = &found[..] else { panic!("not one file in {}: {found:?}", folder.display()) };
    file.clone()
}

impl Package {
    /// A package file.
    pub(crate) fn read(path: &Path) -> Self {
        Self { path: path.to_owned(), bytes: fs::read(path).unwrap() }
    }

    /// What rpm answers about the package.
    pub(crate) fn query(&self, arguments: &[&str]) -> String {
        // Else it would make an empty database in the home folder.
        let database = format!("_dbpath {}/database", env!("CARGO_TARGET_TMPDIR"));
        let mut rpm = Command::new("rpm");
        rpm.args(["--define", &database, "--query", "--package"]).args(arguments);
        let output = rpm.arg(&self.path).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Every file as rpm would install it: mode, owner, path, and `c` for configuration, `n` for never replaced,
    /// `d` for documentation, `l` for licences.
    pub(crate) fn files(&self) -> String {
        let format = "[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES} %{FILEFLAGS:fflags}\\n]";
        let files = self.query(&["--queryformat", format]);
        files.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n"
    }
}
