//! Security keys of ssh, in software (`tests/security-key`), in a private host.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use data_encoding::BASE64;

use crate::artifacts;
use crate::private_host::{Host, private_host, said};

/// The shared object that ssh and ssh-keygen load in a private host.
#[derive(Debug, Clone, Copy)]
pub struct Provider<'h> {
    host: &'h Host,
}

/// The names of the kinds of security keys for ssh-keygen.
pub const KINDS: [&str; 2] = ["ed25519-sk", "ecdsa-sk"];

/// A key that a security key holds.
#[derive(Debug, Clone)]
pub struct SecurityKey {
    /// The file that ssh calls the private key: it says which key to use.
    pub file: PathBuf,
}

/// Runs `test` in a private host with security keys.
pub fn private_host_with_keys(test: impl FnOnce(&Host, Provider<'_>) + Send) {
    prepare();
    private_host(|host| test(host, Provider::install(host)));
}

/// Reads the shared object, as cargo built it. A private host may hide the build behind its own /tmp or /root, so this comes
/// before one.
pub fn prepare() {
    BUILT.get_or_init(|| fs::read(artifacts::security_key()).expect("the shared object"));
}

static BUILT: OnceLock<Vec<u8>> = OnceLock::new();

impl<'h> Provider<'h> {
    /// Puts it into a private host; [`prepare`] came before.
    pub fn install(host: &'h Host) -> Self {
        let provider = Self { host };
        fs::write(provider.path(), BUILT.get().expect("prepared")).unwrap();
        provider
    }

    /// The shared object.
    pub fn path(self) -> PathBuf {
        self.host.place("libsecurity_key.so")
    }

    /// A new key of this kind.
    pub fn key(self, kind: &str, name: &str) -> SecurityKey {
        self.key_with(kind, name, &[], &[])
    }

    /// A new key with further arguments of ssh-keygen and variables of the provider.
    pub fn key_with(self, kind: &str, name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> SecurityKey {
        let file = self.host.place(name);
        let mut keygen = self.host.command("ssh-keygen");
        keygen.args(["-q", "-t", kind, "-N", "", "-C", name, "-w"]).arg(self.path()).arg("-f").arg(&file);
        let output = keygen.args(arguments).envs(variables.iter().copied()).output().expect("ssh-keygen runs");
        assert!(output.status.success(), "{}", said(&output));
        SecurityKey { file }
    }

    /// The options of a client that has these keys and no others, in this order.
    pub fn options<'k>(self, keys: impl IntoIterator<Item = &'k SecurityKey>) -> Vec<String> {
        let provider = format!("SecurityKeyProvider={}", self.path().display());
        let files = keys.into_iter().map(|key| identity(&key.file));
        let methods = "PreferredAuthentications=publickey,keyboard-interactive";
        [provider, "IdentitiesOnly=yes".to_owned(), methods.to_owned()].into_iter().chain(files).collect()
    }
}

/// A PAM service of sshd behind a key: the second factor alone, as `etc/pam.d/sshd-key-and-code.example` has it.
pub const STACK: &str = "\
auth required pam_twofactor.so
auth required pam_permit.so
account required pam_unix.so
session required pam_permit.so
";

/// The settings that `service enable sshd --security-keys` writes.
pub const SETTINGS: &str = "\
AuthenticationMethods publickey,keyboard-interactive
PubkeyAuthOptions touch-required
";

/// The option of a client that has the key of this file.
fn identity(file: &Path) -> String {
    format!("IdentityFile={}", file.display())
}

impl SecurityKey {
    /// The file of the public key.
    pub fn public(&self) -> PathBuf {
        self.file.with_extension("pub")
    }

    /// The line of the public key: type, key and comment.
    pub fn line(&self) -> String {
        fs::read_to_string(self.public()).unwrap().trim_end().to_owned()
    }

    /// `SHA256:` and the fingerprint.
    pub fn fingerprint(&self, host: &Host) -> String {
        let shown = host.succeed("ssh-keygen", ["-l", "-f", self.public().to_str().unwrap()]);
        shown.split(' ').nth(1).expect("a fingerprint").to_owned()
    }
}

/// The line of a public key of type `ed25519-sk` that no security key holds, of each number another one.
pub fn public_line(number: u8, comment: &str) -> String {
    let kind = "sk-ssh-ed25519@openssh.com";
    let mut blob = Vec::new();
    for field in [kind.as_bytes(), &[number; 32], b"ssh:"] {
        blob.extend(u32::try_from(field.len()).expect("a short field").to_be_bytes());
        blob.extend(field);
    }
    format!("{kind} {} {comment}\n", BASE64.encode(&blob))
}

/// Writes `authorized_keys` of a user.
pub fn authorize<L: AsRef<str>>(host: &Host, user: &str, lines: impl IntoIterator<Item = L>) {
    let folder = format!("/home/{user}/.ssh");
    fs::create_dir_all(&folder).unwrap();
    let lines: Vec<String> = lines.into_iter().map(|line| line.as_ref().to_owned()).collect();
    fs::write(format!("{folder}/authorized_keys"), lines.join("\n") + "\n").unwrap();
    host.succeed("chown", ["-R", user, &folder]);
}
