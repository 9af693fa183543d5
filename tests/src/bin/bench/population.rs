//! A number of users whom every module knows: accounts, secret files, a users file, and an index to look them up in.
//!
//! The files are written as a restore from a backup would write them. What a login leaves behind is not among them: every
//! user's first login belongs to the warm-up.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use twofactor_core::account::factors::Attestation;
use twofactor_core::account::{App, EnrolledKey};
use twofactor_core::codes::otp::{Parameters, Progress};
use twofactor_core::codes::recovery::RecoveryCode;
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::ssh_key::SshKey;
use twofactor_core::codes::token::{Label, Serial, Token};
use twofactor_core::host::clock::{SystemClock, UnixTime};
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::store::administration::{AccountAdministration as _, Existing, Reset, SshKeyAdministration as _};
use twofactor_core::store::files::{Files, PATIENCE};
use twofactor_tests::oathtool::{self, Authenticator, Kind};
use twofactor_tests::private_host::Host;
use twofactor_tests::random::Random;

use crate::contestant::Contestant;

/// The configuration as shipped.
const SHIPPED: &str = include_str!("../../../../etc/twofactor.toml");

/// A user, known by a number. The secret follows from it, so that nothing has to be told to the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct User(pub(crate) usize);

impl User {
    pub(crate) fn name(self) -> String {
        format!("user{:06}", self.0)
    }

    /// The app every module shares with this user: 160 bits, SHA1, six digits, thirty seconds.
    pub(crate) fn app(self) -> Authenticator {
        let seed = u64::try_from(self.0).expect("a number of users fits");
        let secret = Secret::from_bytes(Random::new(seed).bytes(20).into()).expect("160 bits are enough");
        Authenticator {
            secret: secret.expose_base32().to_string(),
            algorithm: "SHA1".to_owned(),
            digits: 6,
            kind: Kind::Time(30),
        }
    }

    /// The line of passwd(5).
    pub(crate) fn passwd_entry(self) -> String {
        let name = self.name();
        format!("{name}:x:{UID}:100:{name}:/home/{name}:/bin/sh\n")
    }

    /// A fob of this user's that counts, with another secret.
    pub(crate) fn counter_fob(self) -> Authenticator {
        Authenticator { kind: Kind::Counter, ..Self(self.0 + BEYOND_ALL_USERS).app() }
    }
}

/// The security key that [`Population::enroll_ssh_keys`] enrolls, as `authorized_keys` has it. A user's own keys alone are looked at,
/// so all may have the same.
pub(crate) const SSH_KEY: &str = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIBuaT09K7VQTIu6y76ITx55H\
                                  YILRI8u/lXp1Z5LdIjgOAAAABHNzaDo=";

/// The uid of every user: accounts are restored as copies of one, which names its owner's uid.
const UID: u32 = 100_000;

/// More than the users and tokens of any population.
const BEYOND_ALL_USERS: usize = 1 << 31;

/// All users of one host.
#[derive(Debug)]
pub(crate) struct Population {
    pub(crate) folder: PathBuf,
    pub(crate) size: usize,
}

impl Population {
    /// Makes everything the modules need to know about `size` users.
    pub(crate) fn make(host: &Host, folder: &Path, size: usize) -> Self {
        let population = Self { folder: folder.to_owned(), size };
        population.begin(host);
        population.write_accounts();
        population.write_secret_files(host);
        population.write_users_file();
        population.write_index();
        population
    }

    /// Makes `size` users whom no module knows yet. Ours has an empty state folder.
    pub(crate) fn strangers(host: &Host, folder: &Path, size: usize) -> Self {
        let population = Self { folder: folder.to_owned(), size };
        population.begin(host);
        make_folder(&population.state());
        make_folder(&population.state().join("users"));
        population.write_index();
        population
    }

    /// Enrolls [`SSH_KEY`] for every user.
    pub(crate) fn enroll_ssh_keys(&self) {
        let store = Files::new(&self.state(), Owner::ROOT, PATIENCE, SystemClock);
        for user in self.users() {
            let (word, base64) = SSH_KEY.split_once(' ').expect("a type and a key");
            let key = EnrolledKey {
                key: SshKey::parse(word, base64).expect("a key"),
                label: Label::new("laptop").expect("a label"),
                issued: UnixTime::from_seconds(oathtool::now()),
                attestation: Attestation::None,
            };
            let name = UserName::new(&user.name()).expect("a user name");
            store.add_ssh_key(&Person { name, uid: Uid(UID) }, key).expect("a key is enrolled");
        }
    }

    /// Our configuration.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.folder.join("twofactor.toml")
    }

    /// Our state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    fn begin(&self, host: &Host) {
        make_folder(&self.folder);
        self.write_services(&host.place("bin/pam_twofactor.so"));
        let setting = format!("state = \"{}\"", self.state().display());
        let shipped = "# state = \"/var/lib/twofactor\"";
        assert!(SHIPPED.contains(shipped), "the configuration as shipped has this line");
        write(&self.configuration(), SHIPPED.replace(shipped, &setting));
    }

    fn users(&self) -> impl Iterator<Item = User> {
        (0..self.size).map(User)
    }

    /// One PAM service a module, with nothing else in it and nothing in `other`.
    fn write_services(&self, ours: &Path) {
        let confdir = self.folder.join("pam.d");
        make_folder(&confdir);
        write(&confdir.join("other"), "");
        // Where security keys of ssh count.
        write(&confdir.join("sshd"), Contestant::TwoFactor.service(&self.folder, ours));
        for contestant in Contestant::ALL {
            write(&confdir.join(contestant.to_string()), contestant.service(&self.folder, ours));
        }
    }

    /// Our accounts: one enrolled through the core, and the others as copies of it with secrets of their own.
    fn write_accounts(&self) {
        let state = self.state();
        let template = template_account(&state);
        let users = state.join("users");
        for user in self.users() {
            let folder = users.join(user.name());
            make_folder(&folder);
            let (secret, serial) = (user.app().secret, format!("app-{:08}", user.0));
            for (name, text) in &template.files {
                let text = text.replace(&template.secret, &secret).replace(&template.serial, &serial);
                write(&folder.join(name), &text);
            }
        }
    }

    /// google-authenticator's files, as its own program writes them by default.
    fn write_secret_files(&self, host: &Host) {
        let folder = self.folder.join("google-authenticator");
        make_folder(&folder);
        let path = folder.join("template");
        let secret = format!("--secret={}", path.display());
        let answers = ["--time-based", "--disallow-reuse", "--rate-limit=3", "--rate-time=30", "--window-size=3"];
        let quietly = ["--force", "--quiet", "--qr-mode=NONE", secret.as_str()];
        host.succeed("google-authenticator", answers.into_iter().chain(quietly));
        let template = fs::read_to_string(&path).expect("google-authenticator wrote its file");
        fs::remove_file(&path).expect("the template can be removed");
        let (_, settings) = template.split_once('\n').expect("the secret stands in the first line");
        for user in self.users() {
            write(&folder.join(user.name()), format!("{}\n{settings}", user.app().secret));
        }
    }

    /// pam_oath's file of all users.
    fn write_users_file(&self) {
        let mut lines = String::new();
        for user in self.users() {
            let secret = Secret::from_base32(&user.app().secret).expect("our own secret");
            let _ = write!(lines, "HOTP/T30/6\t{}\t-\t", user.name());
            for byte in secret.expose() {
                let _ = write!(lines, "{byte:02x}");
            }
            lines.push('\n');
        }
        write(&self.folder.join("users.oath"), &lines);
    }

    /// `passwd.cache` and its index by name (libnss-cache): with plain files a look-up reads half of all users.
    fn write_index(&self) {
        let mut users = vec![("root".to_owned(), "root:x:0:0:root:/root:/bin/bash\n".to_owned())];
        users.extend(self.users().map(|user| (user.name(), user.passwd_entry())));
        users.sort();
        let (mut entries, mut index) = (String::new(), String::new());
        for (name, entry) in users {
            // Records of one length: name, NUL, offset, NULs, newline.
            let _ = writeln!(index, "{:\0<24}", format!("{name}\0{}", entries.len()));
            entries.push_str(&entry);
        }
        write(&self.folder.join("passwd.cache"), &entries);
        write(&self.folder.join("passwd.cache.ixname"), &index);
    }
}

/// Has this host look users up in the index of libnss-cache. Every worker puts its own over these empty files.
pub(crate) fn look_users_up_in_an_index() {
    for name in INDEX {
        write(&Path::new("/etc").join(name), "");
    }
    let configuration = crate::read("/etc/nsswitch.conf");
    let lines = configuration.lines().filter(|line| !line.starts_with("passwd:"));
    let lines: String = lines.chain(["passwd: cache files"]).flat_map(|line| [line, "\n"]).collect();
    fs::write("/etc/nsswitch.conf", lines).expect("this host's /etc can be written");
}

/// The files of libnss-cache, in `/etc` and in a population's folder.
pub(crate) const INDEX: [&str; 2] = ["passwd.cache", "passwd.cache.ixname"];

/// An account of somebody who never logged in.
struct Template {
    /// Names and contents.
    files: Vec<(OsString, String)>,
    secret: String,
    serial: String,
}

/// Enrolls somebody through the core, with ten recovery codes, and takes the account away again.
fn template_account(state: &Path) -> Template {
    make_folder(state);
    let store = Files::new(state, Owner::ROOT, PATIENCE, SystemClock);
    let name = UserName::new("template").expect("a user name");
    let person = Person { name, uid: Uid(u32::MAX - 1) };
    let secret = Secret::generate(20).expect("random bytes");
    let base32 = secret.expose_base32().to_string();
    let serial = Serial::generate().expect("random bytes");
    let token = Token {
        serial: serial.clone(),
        label: Label::new("app").expect("a label"),
        secret,
        parameters: Parameters::default(),
        issued: UnixTime::from_seconds(oathtool::now()),
        start: Progress::default(),
    };
    let recovery: Vec<RecoveryCode> = (0..10).map(|_| RecoveryCode::generate().expect("random bytes")).collect();
    store.enroll(&person, App::vouched_for(token), Some(&recovery), Existing::Keep).expect("an account");
    let folder = state.join("users/template");
    let read = |name: &str| (name.into(), fs::read_to_string(folder.join(name)).expect("a text file"));
    let secret_file = read("secret.toml");
    // A state after a reset names no uid, so that it can be everybody's: each learns it at the first login.
    store.reset(&person.name, Reset::Everything).expect("a state");
    let files = vec![secret_file, read("state")];
    fs::remove_dir_all(folder).expect("the template can be removed");
    Template { files, secret: base32, serial: serial.to_string() }
}

/// Makes a folder for root alone.
pub(crate) fn make_folder(path: &Path) {
    let made = fs::DirBuilder::new().mode(0o700).create(path);
    made.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Writes a file for root alone.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(content.as_ref()));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
