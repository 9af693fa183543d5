//! The keys that count, and those that do not: a login with one that does shows no prompt and no text.

use twofactor_tests::private_host::{Host, said};
use twofactor_tests::security_key::{KINDS, SecurityKey, authorize, private_host_with_keys};
use twofactor_tests::ssh::authorized_key;

use crate::login::{Login, SHARED};

/// The lines of every key.
fn lines<'k>(keys: impl IntoIterator<Item = &'k SecurityKey>) -> Vec<String> {
    keys.into_iter().map(SecurityKey::line).collect()
}

#[test]
fn an_enrolled_key_opens_a_session_without_a_code_and_without_a_word() {
    private_host_with_keys(|host, provider| {
        let login = Login::of_alice(host, provider);
        let keys = KINDS.map(|kind| provider.key(kind, kind));
        authorize(host, "alice", lines(&keys));
        let sshd = login.sshd("");
        for key in &keys {
            login.is_asked(&sshd, [key]);
            login.enroll("alice", key);
            login.is_in(&sshd, [key]);
            login.is_in(&sshd, [key]);
        }
        assert_eq!(host.failures("alice"), 0, "nothing was guessed");
    });
}

#[test]
fn another_security_key_a_plain_key_and_one_of_another_user_are_asked_for_a_code() {
    private_host_with_keys(|host, provider| {
        let login = Login::of_alice(host, provider);
        host.user_with_app("bobby");
        let [hers, other, his] = ["hers", "other", "his"].map(|name| provider.key("ed25519-sk", name));
        login.enroll("alice", &hers);
        login.enroll("bobby", &his);
        let sshd = login.sshd("");
        let plain = authorized_key(host, "alice");
        login.is_asked_with(&sshd, &[&plain]);
        authorize(host, "alice", lines([&hers, &other, &his]));
        login.is_asked(&sshd, [&other]);
        login.is_asked(&sshd, [&his]);
        login.is_in(&sshd, [&hers]);
        // The other way round it is asked, too, and his own counts for him.
        authorize(host, "bobby", lines([&hers, &his]));
        let session = login.session_of("bobby", &sshd, [&his]);
        assert!(session.opened_in_silence(), "{}", said(&session.output));
        assert_eq!(login.session_of("bobby", &sshd, [&hers]).prompts, ["Verification code: "]);
    });
}

#[test]
fn a_key_that_was_removed_is_asked_at_the_next_login() {
    private_host_with_keys(|host, provider| {
        let (login, key) = Login::of_alice_with_key(host, provider);
        let sshd = login.sshd("");
        login.is_in(&sshd, [&key]);
        host.succeed("twofactor", ["ssh-key", "remove", "alice", &key.fingerprint(host)]);
        login.is_asked(&sshd, [&key]);
        login.enroll("alice", &key);
        login.is_in(&sshd, [&key]);
        host.succeed("twofactor", ["reset", "alice", "--yes"]);
        host.enroll("alice", &[]);
        login.is_asked(&sshd, [&key]);
    });
}

#[test]
fn of_two_keys_in_one_login_one_has_to_be_enrolled() {
    private_host_with_keys(|host, provider| {
        let login = Login::of_alice(host, provider);
        let [hers, other, third] = ["hers", "other", "third"].map(|name| provider.key("ed25519-sk", name));
        authorize(host, "alice", lines([&hers, &other, &third]));
        login.enroll("alice", &hers);
        let sshd = host.sshd_with(
            SHARED,
            "AuthenticationMethods publickey,publickey,keyboard-interactive\nPubkeyAuthOptions touch-required\n",
        );
        login.is_in(&sshd, [&hers, &other]);
        login.is_in(&sshd, [&other, &hers]);
        login.is_asked(&sshd, [&other, &third]);
    });
}

#[test]
fn of_many_enrolled_keys_each_counts() {
    private_host_with_keys(|host, provider| {
        let login = Login::of_alice(host, provider);
        let keys: Vec<_> = (0..100).map(|number| provider.key("ed25519-sk", &format!("key-{number}"))).collect();
        authorize(host, "alice", lines(&keys));
        for key in &keys {
            login.enroll("alice", key);
        }
        let sshd = login.sshd("");
        for key in [&keys[0], &keys[50], &keys[99]] {
            login.is_in(&sshd, [key]);
        }
        let other = provider.key("ed25519-sk", "other");
        authorize(host, "alice", [other.line()]);
        login.is_asked(&sshd, [&other]);
    });
}

#[test]
fn a_password_that_pam_asks_for_is_still_asked_for() {
    private_host_with_keys(|host, provider| {
        let (login, key) = Login::of_alice_with_key(host, provider);
        let sshd = host.sshd_with(twofactor_tests::ssh::STACK, twofactor_tests::security_key::SETTINGS);
        let session = login.session(&sshd, [&key]);
        assert!(session.opened(), "{}", said(&session.output));
        assert_eq!(session.prompts, ["Password: "]);
    });
}

/// A rule may leave them out, and may take nothing else.
#[test]
fn a_rule_says_whether_security_keys_count() {
    private_host_with_keys(|host, provider| {
        let (login, key) = Login::of_alice_with_key(host, provider);
        let sshd = login.sshd("");
        for (factors, counts) in [("[\"app\"]", false), ("[\"ssh-key\"]", true), ("[\"app\", \"ssh-key\"]", true)] {
            host.configure(&format!(
                "[[rule]]\nservices = [\"sshd\"]\nsecond_factor = \"required\"\nfactors = {factors}\n"
            ));
            let session = login.session(&sshd, [&key]);
            assert_eq!(session.opened_in_silence(), counts, "{factors}: {}", said(&session.output));
        }
    });
}

/// Without a key in the methods there is nothing to count, and PAM asks for a code.
#[test]
fn a_login_without_a_key_is_asked_and_one_that_ends_at_the_key_never_reaches_pam() {
    private_host_with_keys(|host, provider| {
        let (login, key) = Login::of_alice_with_key(host, provider);
        let lines = |host: &Host| host.module_log().iter().filter(|line| line.contains("user=alice")).count();
        {
            let sshd = login.sshd("AuthenticationMethods keyboard-interactive\n");
            login.is_asked(&sshd, [&key]);
        }
        let before = lines(host);
        let sshd = login.sshd("AuthenticationMethods publickey\n");
        assert!(login.session(&sshd, [&key]).opened());
        assert_eq!(lines(host), before);
    });
}
