//! A private host with the PAM files of a distribution, and with modules in the place of those that this host has not.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::mount::{MsFlags, mount};
use twofactor_admin::pam_editing::placing;
use twofactor_core::pam_service::modules;
use twofactor_tests::artifacts::workspace;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, PASSWORD, private_host};

/// Fobs do not run out of codes, and nobody is delayed for the wrong ones of these tests.
const CONFIGURATION: &str =
    "[throttle]\nfree_attempts = 100\n[[rule]]\nusers = [\"erin\"]\nsecond_factor = \"enroll\"\n";

/// Modules that are always a stub: this host may have them or not, or they would answer for root, as whom tests run.
const STUBS: [(&str, &str); 7] = [
    ("pam_fprintd.so", "auth auth_err\n"),
    ("pam_gnome_keyring.so", "auth ignore\n"),
    ("pam_rootok.so", "auth auth_err\naccount auth_err\n"),
    ("pam_selinux_permit.so", "auth ignore\n"),
    ("pam_sepermit.so", "account success\n"),
    ("pam_sss.so", "auth user_unknown\naccount user_unknown\n"),
    ("pam_systemd_home.so", "auth user_unknown\naccount user_unknown\n"),
];

/// Runs `test` on a host with the files of `distribution`; somebody who may become root is enrolled there.
pub(crate) fn on(distribution: &str, test: impl FnOnce(&Host, &Layout) + Send) {
    // Read and compiled before: a private host may have something else where the checkout lies, and no compiler.
    let layout = Layout::new(distribution);
    compiled();
    private_host(|host| {
        layout.install(host);
        test(host, &layout);
    });
}

/// The source of every stub. In memory, as the files of the distributions are.
const STUB: &str = include_str!("stub.c");

/// Files by name.
type Files = BTreeMap<String, Vec<u8>>;

/// The files of a distribution.
pub(crate) struct Layout {
    /// Of `/etc/pam.d`.
    own: Files,
    /// Of `/usr/lib/pam.d`.
    vendor: Files,
    security: PathBuf,
}

impl Layout {
    fn new(distribution: &str) -> Self {
        let folder = workspace().join("tests/tests/pam_stacks/fixtures").join(distribution);
        let layout = Self {
            own: read(&folder.join("pam.d")),
            vendor: read(&folder.join("usr-lib-pam.d")),
            security: PathBuf::from("/run/twofactor-tests/security"),
        };
        assert!(!layout.own.is_empty() || !layout.vendor.is_empty(), "{} has files", folder.display());
        layout
    }

    fn install(&self, host: &Host) {
        host.configure(CONFIGURATION);
        replace_files(&self.own, Path::new("/etc/pam.d"));
        let vendor = Path::new("/run/twofactor-tests/usr-lib-pam.d");
        fs::create_dir(vendor).unwrap();
        replace_files(&self.vendor, vendor);
        bind(vendor, Path::new("/usr/lib/pam.d"));
        self.install_modules(host);
        for user in ["alice", "bobby", "carol", "david", "erin"] {
            host.add_user(user);
        }
        host.succeed("usermod", ["--append", "--groups", "sudo", "alice"]);
    }

    fn install_modules(&self, host: &Host) {
        let system = modules::folder().expect("libpam has modules");
        host.succeed("cp", ["--archive", system.to_str().unwrap(), self.security.to_str().unwrap()]);
        fs::copy(host.place("bin/pam_twofactor.so"), self.security.join("pam_twofactor.so")).unwrap();
        fs::create_dir(host.place("stubs")).unwrap();
        for (name, behaviour) in STUBS {
            self.stub(host, name, behaviour);
        }
        fs::create_dir_all("/run/faillock").unwrap();
        bind(&self.security, &system);
    }

    /// Puts a module that behaves so in the place of `name`.
    pub(crate) fn stub(&self, host: &Host, name: &str, behaviour: &str) {
        let place = self.security.join(name);
        let _ = fs::remove_file(&place);
        fs::write(place, compiled()).unwrap();
        fs::write(host.place("stubs").join(name), behaviour).unwrap();
    }

    /// Puts a module in the place of `name`.
    pub(crate) fn put(&self, name: &str, module: &[u8]) {
        self.remove(name);
        fs::write(self.security.join(name), module).unwrap();
    }

    /// Takes a module away.
    pub(crate) fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.security.join(name));
    }

    /// The text of a service as it is shipped.
    pub(crate) fn shipped(&self, service: &str) -> Option<Vec<u8>> {
        self.own.get(service).cloned()
    }

    /// The services of the distribution, without what they include.
    pub(crate) fn services(&self) -> Vec<String> {
        let mut names: Vec<String> = self.own.keys().chain(self.vendor.keys()).cloned().collect();
        names.retain(|name| !placing::is_shared(name));
        names.sort();
        names
    }
}

/// Everything below `/etc/pam.d`, by name.
pub(crate) fn files() -> Files {
    read(Path::new("/etc/pam.d"))
}

/// The files of a folder; of a folder that is not there, none. A command that runs meanwhile may rename one.
fn read(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap());
    let read = |path: &Path| match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        content => Some(content.unwrap()),
    };
    entries.filter_map(|entry| Some((entry.file_name().into_string().unwrap(), read(&entry.path())?))).collect()
}

/// The stub, compiled once. Kept in memory: each test has files of its own.
fn compiled() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| compiled_from(STUB))
}

/// The module of this source. To be called outside of a private host, which may have no compiler.
pub(crate) fn compiled_from(source: &str) -> Vec<u8> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let built = std::env::temp_dir().join(format!("twofactor-stub-{}-{number}.so", std::process::id()));
    let mut compiler = Command::new("gcc");
    compiler
        .args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&built)
        .args(["-x", "c", "-", "-lpam"]);
    let mut compiler = compiler.stdin(Stdio::piped()).spawn().expect("gcc starts");
    compiler.stdin.take().expect("a pipe").write_all(source.as_bytes()).unwrap();
    assert!(compiler.wait().expect("gcc runs").success(), "the stub compiles");
    let module = fs::read(&built).unwrap();
    fs::remove_file(built).unwrap();
    module
}

fn replace_files(files: &Files, folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
}

fn bind(from: &Path, to: &Path) {
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .unwrap_or_else(|errno| panic!("bind {} to {}: {errno}", from.display(), to.display()));
}

/// Who answers what.
#[derive(Clone, Copy)]
pub(crate) struct Person<'p> {
    pub(crate) user: &'p str,
    pub(crate) password: &'p str,
    pub(crate) code: &'p str,
}

impl<'p> Person<'p> {
    /// Somebody who knows his password.
    pub(crate) fn with_code(user: &'p str, code: &'p str) -> Self {
        Self { user, password: PASSWORD, code }
    }
}

/// How authentication and account phase of a login end.
#[track_caller]
pub(crate) fn login(host: &Host, service: &str, person: Person<'_>) -> ReturnCode {
    let login = host.login(person.user).of_the_system().service(service).calls("authenticate,account");
    let outcome = login.conversing(|prompt, _| {
        if prompt.to_lowercase().contains("password") { person.password.to_owned() } else { person.code.to_owned() }
    });
    match outcome.code() {
        ReturnCode::SUCCESS => outcome.code_of("account"),
        refused => refused,
    }
}
