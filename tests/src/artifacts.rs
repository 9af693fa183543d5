//! The programs under test, built by cargo.
//!
//! Cargo itself serialises builds and knows what is up to date, so every test binary simply asks it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// The module, the tool and the broker.
#[derive(Debug)]
pub struct Artifacts {
    /// `pam_twofactor.so`.
    pub module: PathBuf,
    /// `twofactor`.
    pub tool: PathBuf,
    /// `twofactord`.
    pub broker: PathBuf,
    /// `twofactor-server` and `twofactor-link`, where they are wanted.
    pub fleet: Vec<PathBuf>,
}

/// Which profile to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As the tests run it.
    Debug,
    /// As it ships.
    Release,
}

/// Says that everything was built a moment ago, the tool too, by `cargo test --workspace`: `tests/run` sets it.
const BUILT: &str = "TWOFACTOR_TESTS_BUILT";

/// The module as cargo names it.
const MODULE: &str = "libpam_twofactor.so";

/// The debug build of this checkout.
pub fn debug() -> &'static Artifacts {
    static DEBUG: OnceLock<Artifacts> = OnceLock::new();
    DEBUG.get_or_init(|| match (beside("twofactor"), beside("twofactord")) {
        (Some(tool), Some(broker)) if std::env::var_os(BUILT).is_some() => Artifacts {
            module: find(&cargo_build(&["--package", "pam_twofactor"]), MODULE),
            tool,
            broker,
            fleet: Vec::new(),
        },
        _ => build(Profile::Debug),
    })
}

/// The release build of this checkout: what ships.
pub fn release() -> &'static Artifacts {
    static BUILT: OnceLock<Artifacts> = OnceLock::new();
    BUILT.get_or_init(|| build(Profile::Release))
}

/// The Debian package of this checkout, as `make deb` builds it.
pub fn debian_package() -> &'static Path {
    &debian_packages()[0]
}

/// The same, with those of a fleet's link and server behind it.
pub fn debian_packages() -> &'static [PathBuf; 3] {
    static BUILT: OnceLock<[PathBuf; 3]> = OnceLock::new();
    BUILT.get_or_init(|| {
        let output = Command::new("make").arg("deb").current_dir(workspace()).output().expect("make runs");
        assert!(output.status.success(), "make deb failed:\n{}", String::from_utf8_lossy(&output.stderr));
        let built = std::fs::read_dir(workspace().join("target/deb")).expect("a folder of packages");
        let packages: Vec<PathBuf> = built.flatten().map(|entry| entry.path()).collect();
        ["libpam-twofactor", "twofactor-link", "twofactor-server"].map(|name| {
            let is_it = |path: &&PathBuf| {
                let file = path.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
                file.starts_with(&format!("{name}_")) && path.extension().is_some_and(|kind| kind == "deb")
            };
            packages.iter().find(is_it).unwrap_or_else(|| panic!("make deb built no {name}")).clone()
        })
    })
}

/// Builds the module, the tool and the broker.
pub fn build(profile: Profile) -> Artifacts {
    let (module, others) = (["--package", "pam_twofactor"], ["--package", "twofactor-cli", "--package", "twofactord"]);
    let built = match profile {
        Profile::Debug => cargo_build(&[&module[..], &others].concat()),
        // As `make build` does.
        Profile::Release => [release_build(&module), release_build(&others)].concat(),
    };
    let [tool, broker] = ["twofactor", "twofactord"].map(|name| find(&built, name));
    Artifacts { module: find(&built, MODULE), tool, broker, fleet: Vec::new() }
}

/// A module that panics when its line says `panic`, in release: there the unwinder is linked in and everything is
/// optimized as one. A library of another name, so that it can never be mistaken for the other; it shares all crates with
/// that one.
pub fn panicking_module() -> PathBuf {
    find(&release_build(&["--package", "panicking-module"]), "libpanicking_module.so")
}

/// `twofactor-server`.
pub fn server() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| fleet(Profile::Debug)[0].clone())
}

/// `twofactor-link`.
pub fn link() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| fleet(Profile::Debug)[1].clone())
}

/// All programs, with those of a fleet and the one that is a machine of a network.
pub fn with_fleet(profile: Profile) -> Artifacts {
    let machine = program("demo");
    Artifacts { fleet: fleet(profile).into_iter().chain([machine]).collect(), ..build(profile) }
}

/// `twofactor-server` and `twofactor-link`.
pub fn fleet(profile: Profile) -> [PathBuf; 2] {
    let packages = ["--package", "twofactor-server", "--package", "twofactor-link"];
    let built = match profile {
        Profile::Debug => cargo_build(&packages),
        Profile::Release => release_build(&packages),
    };
    ["twofactor-server", "twofactor-link"].map(|name| find(&built, name))
}

/// A security key in software, which ssh and ssh-keygen load.
pub fn security_key() -> PathBuf {
    find(&cargo_build(&["--package", "security-key"]), "libsecurity_key.so")
}

/// The PAM application of this package.
pub fn pam_login() -> PathBuf {
    program("pam-login")
}

/// A program of this package.
pub fn program(name: &str) -> PathBuf {
    beside(name).unwrap_or_else(|| panic!("{name} is not beside this suite"))
}

/// The program that has libpam read texts. Fuzz targets, which have no such neighbors, build it.
pub fn pam_reader() -> PathBuf {
    let build = || find(&cargo_build(&["--package", "twofactor-tests", "--bin", "pam-reader"]), "pam-reader");
    beside("pam-reader").unwrap_or_else(build)
}

/// A program of this package, which cargo builds together with every suite.
fn beside(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().expect("the path of this program");
    let folders = own.ancestors().skip(1).take(2);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The root of this checkout.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

fn cargo_build(arguments: &[&str]) -> Vec<PathBuf> {
    paths_built(Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())), arguments)
}

/// With the flags of what ships.
fn release_build(arguments: &[&str]) -> Vec<PathBuf> {
    paths_built(Command::new(workspace().join("packaging/cargo")), &[&["--release"], arguments].concat())
}

fn paths_built(mut cargo: Command, arguments: &[&str]) -> Vec<PathBuf> {
    let output = cargo
        .args(["build", "--quiet", "--message-format=json-render-diagnostics"])
        .args(arguments)
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo build failed:\n{}", String::from_utf8_lossy(&output.stderr));
    let mut paths = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line).expect("cargo writes JSON");
        if message["reason"] == "compiler-artifact" {
            let files = message["filenames"].as_array().into_iter().flatten().chain([&message["executable"]]);
            paths.extend(files.filter_map(Value::as_str).map(PathBuf::from));
        }
    }
    paths
}

fn find(built: &[PathBuf], name: &str) -> PathBuf {
    let found = built.iter().find(|path| path.file_name().is_some_and(|found| found == name));
    found.unwrap_or_else(|| panic!("cargo did not build {name}: {built:?}")).clone()
}
