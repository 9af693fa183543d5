//! Physical tokens: what a vendor sells, the seed file that comes with them, and how a sysadmin hands them out.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::oathtool::{Authenticator, Kind};
use crate::private_host::{Host, said};
use crate::random::Random;

/// A token with a serial on its back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fob {
    /// What its registry calls it.
    pub serial: String,
    /// What shows its codes.
    pub authenticator: Authenticator,
}

impl Fob {
    /// The two tokens of a vendor's sample file.
    pub fn samples() -> [Self; 2] {
        [("1234567891234", "JNQXG3JANFZSA5DIMUQGEZLTOQQHG33G"), ("1234567891235", "OR3WC4TFEBSXMZLSEBRXEZLBORSWICQG")]
            .map(|(serial, secret)| Self::new(serial, secret, Kind::Time(30)))
    }

    /// A token that shows codes by time: another one for each number.
    pub fn clock(number: u64) -> Self {
        Self::new(&format!("T{number:07}"), &secret(2 * number), Kind::Time(30))
    }

    /// A token with a button: another one for each number.
    pub fn button(number: u64) -> Self {
        Self::new(&format!("C{number:07}"), &secret(2 * number + 1), Kind::Counter)
    }

    /// Many tokens that show codes by time, numbered from `first` on.
    pub fn box_of(first: u64, count: u64) -> Vec<Self> {
        (first..first + count).map(Self::clock).collect()
    }

    /// What the button shows when it was pressed `counter` times before.
    pub fn code_of(&self, counter: u64) -> String {
        self.authenticator.counter_codes(counter, 1).remove(0)
    }

    fn new(serial: &str, secret: &str, kind: Kind) -> Self {
        let authenticator = Authenticator { secret: secret.to_owned(), algorithm: "SHA1".to_owned(), digits: 6, kind };
        Self { serial: serial.to_owned(), authenticator }
    }
}

/// 160 bits in base32.
fn secret(number: u64) -> String {
    let mut random = Random::new(number);
    (0..32).map(|_| char::from(*random.choose(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))).collect()
}

/// The vendor's file: a line a token.
pub fn seed_file(fobs: &[Fob]) -> String {
    let mut text = String::new();
    for fob in fobs {
        let _ = writeln!(text, "{},{}", fob.serial, fob.authenticator.secret);
    }
    text
}

impl Host {
    /// Writes a file that only root can read, in root's home.
    pub fn private_file(&self, name: &str, content: &str) -> PathBuf {
        let path = PathBuf::from("/root").join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Runs the tool, which must succeed.
    #[track_caller]
    pub fn sysadmin(&self, arguments: &[&str]) {
        let output = self.run_twofactor(arguments);
        assert!(output.status.success(), "twofactor {}: {}", arguments.join(" "), said(&output));
    }

    /// Imports tokens of one kind from a file of their own.
    #[track_caller]
    pub fn import(&self, fobs: &[Fob]) {
        let first = fobs.first().expect("tokens to import");
        let path = self.private_file(&format!("{}.csv", first.serial), &seed_file(fobs));
        let kind = if first.authenticator.kind == Kind::Counter { "hotp" } else { "totp" };
        self.sysadmin(&["token", "import", path.to_str().unwrap(), "--type", kind]);
    }

    /// Gives a token to a user.
    #[track_caller]
    pub fn assign(&self, fob: &Fob, user: &str) {
        self.sysadmin(&["token", "assign", &fob.serial, user]);
    }

    /// Makes a user with a new token.
    #[track_caller]
    pub fn user_with(&self, user: &str, fob: &Fob) {
        self.add_user(user);
        self.assign_more(fob, user);
    }

    /// Gives a new token to a user who is there.
    #[track_caller]
    pub fn assign_more(&self, fob: &Fob, user: &str) {
        self.import(std::slice::from_ref(fob));
        self.assign(fob, user);
    }
    /// Leaves a user's tokens to the registry alone, as versions did that had none in the users' own files.
    pub fn leave_tokens_to_the_registry(&self, user: &str) {
        let folder = PathBuf::from("/var/lib/twofactor/users").join(user);
        let secret = fs::read_to_string(folder.join("secret.toml")).unwrap();
        let mut sections = secret.split("\n[[token]]\n");
        let without = sections.next().unwrap().replace("\nversion = 2\n", "\nversion = 1\n");
        let held = sections.count();
        let is_empty = !without.contains("[[app]]") && without.contains("recovery = [\n]");
        if is_empty {
            fs::remove_file(folder.join("secret.toml")).unwrap();
        } else {
            fs::write(folder.join("secret.toml"), format!("{without}# end\n")).unwrap();
        }
        let state = fs::read_to_string(folder.join("state")).unwrap();
        let newest = state.split("# twofactor state, generation ").skip(1).max().unwrap();
        let (header, text) = newest.split_once('\n').unwrap();
        let length: usize = header.split(", ").nth(1).unwrap().strip_suffix(" bytes").unwrap().parse().unwrap();
        let mut text = text[..length].replacen("used_recovery", &format!("tokens_held = {held}\nused_recovery"), 1);
        if is_empty {
            text = text.replace("has_credentials = true\n", "");
        }
        let half = state.len() / 2;
        let slot = |generation: u64| {
            let bytes = generation.to_be_bytes().into_iter().chain(text.bytes());
            let checksum = bytes
                .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            let length = text.len();
            let header = format!("# twofactor state, generation {generation:020}, {length:08} bytes, {checksum:016x}");
            format!("{:\n<half$}", format!("{header}, on disk\n{text}"))
        };
        fs::write(folder.join("state"), slot(1) + &slot(2)).unwrap();
    }
}
