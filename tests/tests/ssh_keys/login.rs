//! Logins of alice, who has an app, with keys; and what must come of them.

use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::security_key::{Provider, SETTINGS, SecurityKey, authorize};
use twofactor_tests::ssh::{Client, Session, Sshd};
use twofactor_tests::twofactor::Enrollment;

/// The PAM service of sshd behind a key.
pub(crate) use twofactor_tests::security_key::STACK as SHARED;

/// Alice on a host with security keys.
pub(crate) struct Login<'h> {
    pub(crate) host: &'h Host,
    pub(crate) provider: Provider<'h>,
    pub(crate) alice: Enrollment,
}

impl<'h> Login<'h> {
    /// Makes her and enrolls an app.
    pub(crate) fn of_alice(host: &'h Host, provider: Provider<'h>) -> Self {
        Self { host, provider, alice: host.user_with_app("alice") }
    }

    /// The same with a key that sshd knows and that is enrolled.
    pub(crate) fn of_alice_with_key(host: &'h Host, provider: Provider<'h>) -> (Self, SecurityKey) {
        let login = Self::of_alice(host, provider);
        let key = provider.key("ed25519-sk", "hers");
        authorize(host, "alice", [key.line()]);
        login.enroll("alice", &key);
        (login, key)
    }

    /// sshd that demands a key and a touch and goes on to PAM, which asks for nothing but a second factor. Other lines come
    /// first, and the first value of a keyword counts.
    pub(crate) fn sshd(&self, other: &str) -> Sshd<'h> {
        self.host.sshd_with(SHARED, &format!("{other}{SETTINGS}"))
    }

    /// Enrolls the key for a user.
    #[track_caller]
    pub(crate) fn enroll(&self, user: &str, key: &SecurityKey) {
        self.host.succeed("twofactor", ["ssh-key", "add", user, key.public().to_str().unwrap()]);
    }

    /// Alice logs in with these keys, and with no code that is right.
    pub(crate) fn session<'k>(&self, sshd: &Sshd<'_>, keys: impl IntoIterator<Item = &'k SecurityKey>) -> Session {
        self.session_of("alice", sshd, keys)
    }

    /// The same of another user.
    pub(crate) fn session_of<'k>(
        &self,
        user: &str,
        sshd: &Sshd<'_>,
        keys: impl IntoIterator<Item = &'k SecurityKey>,
    ) -> Session {
        let options = self.provider.options(keys);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        sshd.client(&Client { user, password: PASSWORD, code: "abc", options: &options })
    }

    /// The login succeeds, and the client is shown nothing.
    #[track_caller]
    pub(crate) fn is_in<'k>(&self, sshd: &Sshd<'_>, keys: impl IntoIterator<Item = &'k SecurityKey>) {
        let session = self.session(sshd, keys);
        let log = || self.host.module_log().join("\n");
        assert!(session.opened_in_silence(), "{}\n{:?}\n{}", said(&session.output), session.prompts, log());
        self.host.assert_logged(&["accepted user=alice service=sshd rhost=127.0.0.1 token=ssh-key:SHA256:"]);
    }

    /// The login asks for a code, and fails without one.
    #[track_caller]
    pub(crate) fn is_asked<'k>(&self, sshd: &Sshd<'_>, keys: impl IntoIterator<Item = &'k SecurityKey>) {
        let options = self.provider.options(keys);
        self.is_asked_with(sshd, &options.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// The same of a client with these options.
    #[track_caller]
    pub(crate) fn is_asked_with(&self, sshd: &Sshd<'_>, options: &[&str]) {
        let session = sshd.client(&Client { user: "alice", password: PASSWORD, code: "abc", options });
        let log = || self.host.module_log().join("\n");
        assert!(!session.opened(), "{}\n{}", said(&session.output), log());
        assert_eq!(session.prompts, ["Verification code: "], "{}\n{}", said(&session.output), log());
    }
}
