//! Certificates: of one, the key inside counts.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use twofactor_tests::log_daemon::until;
use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::security_key::{Provider, SecurityKey, authorize, private_host_with_keys};
use twofactor_tests::ssh::Client;

use crate::login::Login;

/// A certification authority of ssh that sshd trusts; gives the line of sshd's configuration.
fn authority(host: &Host) -> String {
    let file = host.place("authority");
    host.succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file.to_str().unwrap()]);
    format!("TrustedUserCAKeys {}.pub\n", file.display())
}

/// A certificate for alice, beside the key, where ssh finds it.
fn certify(host: &Host, key: &SecurityKey, more: &[&str]) {
    certify_by(host, &host.place("authority"), key, more);
}

/// The same by another authority.
fn certify_by(host: &Host, authority: &Path, key: &SecurityKey, more: &[&str]) {
    let _ = fs::remove_file(certificate(key));
    let public = key.public();
    let words = ["-q", "-s", authority.to_str().unwrap(), "-I", "laptop", "-n", "alice", "-V", "+1h"];
    host.succeed("ssh-keygen", words.into_iter().chain(more.iter().copied()).chain([public.to_str().unwrap()]));
    assert!(fs::exists(certificate(key)).unwrap());
}

fn certificate(key: &SecurityKey) -> PathBuf {
    let name = key.file.file_name().and_then(|name| name.to_str()).unwrap();
    key.file.with_file_name(format!("{name}-cert.pub"))
}

/// A key that no security key holds.
fn plain_key(host: &Host, name: &str) -> SecurityKey {
    let file = host.place(name);
    host.succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file.to_str().unwrap()]);
    SecurityKey { file }
}

/// The line of `authorized_keys` that accepts what an authority signs for alice.
fn by_authority(public: &Path) -> String {
    format!("cert-authority,principals=\"alice\" {}", fs::read_to_string(public).unwrap().trim_end())
}

#[test]
fn of_a_certificate_the_key_inside_counts() {
    private_host_with_keys(|host, provider| {
        let login = Login::of_alice(host, provider);
        let sshd = login.sshd(&authority(host));
        // No line of hers: it is the certificate that sshd accepts.
        authorize(host, "alice", [""; 0]);
        for kind in ["ed25519-sk", "ecdsa-sk"] {
            let (hers, other) =
                (provider.key(kind, &format!("hers-{kind}")), provider.key(kind, &format!("other-{kind}")));
            for key in [&hers, &other] {
                certify(host, key, &[]);
            }
            login.is_asked(&sshd, [&hers]);
            login.enroll("alice", &hers);
            login.is_in(&sshd, [&hers]);
            login.is_asked(&sshd, [&other]);
        }
    });
}

/// The authority may allow a signature without touch; sshd's setting is the stronger word.
#[test]
fn a_certificate_that_needs_no_touch_is_refused_by_sshd_itself() {
    private_host_with_keys(|host, provider| {
        let login = Login::of_alice(host, provider);
        let authority = authority(host);
        authorize(host, "alice", [""; 0]);
        let key = provider.key_with("ed25519-sk", "hers", &["-O", "no-touch-required"], &[]);
        certify(host, &key, &["-O", "no-touch-required"]);
        login.enroll("alice", &key);
        {
            let sshd = login.sshd(&authority);
            let session = login.session(&sshd, [&key]);
            assert!(!session.opened() && session.prompts.is_empty(), "{session:?}");
        }
        // Without it the touch cannot be seen, so it is doctor that has to find this.
        let sshd = login.sshd(&format!("{authority}PubkeyAuthOptions none\n"));
        login.is_in(&sshd, [&key]);
    });
}

/// A user may trust an authority too. What it says is about who the user is, and nothing about what is enrolled.
#[test]
fn of_a_certificate_by_an_authority_of_the_users_own_the_key_inside_counts() {
    private_host_with_keys(|host, provider| {
        let login = Login::of_alice(host, provider);
        let _trusted_by_sshd = authority(host);
        authorize(host, "alice", [by_authority(&host.place("authority.pub"))]);
        let [hers, other] = ["hers", "other"].map(|name| provider.key("ed25519-sk", name));
        let plain = plain_key(host, "plain");
        let sshd = login.sshd("");
        for key in [&hers, &other, &plain] {
            certify(host, key, &[]);
            login.is_asked(&sshd, [key]);
        }
        login.enroll("alice", &hers);
        login.is_in(&sshd, [&hers]);
        for key in [&other, &plain] {
            login.is_asked(&sshd, [key]);
        }
    });
}

/// Its key stands in each certificate as well, and has signed nothing of this login.
#[test]
fn an_enrolled_key_that_is_the_authority_spares_no_code() {
    private_host_with_keys(|host, provider: Provider<'_>| {
        let login = Login::of_alice(host, provider);
        let [authority, other] = ["authority", "other"].map(|name| provider.key("ed25519-sk", name));
        let plain = plain_key(host, "plain");
        login.enroll("alice", &authority);
        let provider = provider.path();
        for key in [&other, &plain] {
            certify_by(host, &authority.file, key, &["-w", provider.to_str().unwrap()]);
        }
        authorize(host, "alice", [by_authority(&authority.public())]);
        let sshd = login.sshd("");
        for key in [&other, &plain] {
            login.is_asked(&sshd, [key]);
        }
        // Shown itself, it counts.
        authorize(host, "alice", [authority.line()]);
        login.is_in(&sshd, [&authority]);
    });
}

/// With such a certificate a machine says who it is. ssh itself offers none as a user's; an agent does so in its place.
#[test]
fn a_certificate_of_a_host_opens_nothing() {
    private_host_with_keys(|host, provider| {
        let login = Login::of_alice(host, provider);
        let sshd = login.sshd(&authority(host));
        authorize(host, "alice", [""; 0]);
        let key = provider.key("ed25519-sk", "hers");
        login.enroll("alice", &key);
        for (kind, opens) in [(&["-h"][..], false), (&[], true)] {
            certify(host, &key, kind);
            let agent = Agent::with(host, provider, &key);
            let before = host.module_log().len();
            let options = ["PreferredAuthentications=publickey,keyboard-interactive"];
            let client = Client { user: "alice", password: PASSWORD, code: "abc", options: &options };
            let session = sshd.client_with(&client, &[("SSH_AUTH_SOCK", agent.socket.to_str().unwrap())]);
            assert_eq!(session.opened_in_silence(), opens, "{}", said(&session.output));
            assert!(session.prompts.is_empty(), "{:?}", session.prompts);
            assert_eq!(host.module_log().len() - before, usize::from(opens), "PAM is not asked about a host");
            let refused = host.log().into_iter().filter(|line| line.text.contains("not a user certificate")).count();
            assert_eq!(refused, 1, "sshd has seen it: {:#?}", host.log());
        }
    });
}

/// An agent that holds a key and its certificate.
struct Agent<'h> {
    host: &'h Host,
    process: Option<Child>,
    socket: PathBuf,
}

impl<'h> Agent<'h> {
    fn with(host: &'h Host, provider: Provider<'_>, key: &SecurityKey) -> Self {
        let socket = host.place("agent");
        let _ = fs::remove_file(&socket);
        let mut agent = host.command("ssh-agent");
        agent
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .arg("-P")
            .arg(provider.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let agent = Self { host, process: Some(agent.spawn().unwrap()), socket };
        until("the agent listens", || UnixStream::connect(&agent.socket).is_ok());
        let mut add = host.command("ssh-add");
        add.arg("-q").arg("-S").arg(provider.path()).arg(&key.file).env("SSH_AUTH_SOCK", &agent.socket);
        let added = add.stdin(Stdio::null()).output().unwrap();
        assert!(added.status.success(), "{}", said(&added));
        agent
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            self.host.kill(process);
        }
    }
}
