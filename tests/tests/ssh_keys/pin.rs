//! sshd's `verify-required`: the PIN or finger of the security key, beside the touch.

use twofactor_tests::private_host::{PASSWORD, said};
use twofactor_tests::security_key::{SecurityKey, authorize, private_host_with_keys};
use twofactor_tests::ssh::{Client, Session, Sshd};

use crate::login::Login;

/// Alice logs in, and does this at her security key.
fn doing(login: &Login<'_>, sshd: &Sshd<'_>, key: &SecurityKey, flags: &str) -> Session {
    let options = login.provider.options([key]);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let client = Client { user: "alice", password: PASSWORD, code: "abc", options: &options };
    sshd.client_with(&client, &[("SECURITY_KEY_FLAGS", flags)])
}

/// sshd ends the login before PAM asks for anything.
#[track_caller]
fn is_refused(session: &Session) {
    assert!(!session.opened() && session.prompts.is_empty(), "{}\n{:?}", said(&session.output), session.prompts);
}

#[test]
fn where_sshd_demands_a_pin_a_touch_alone_is_refused_and_both_are_asked_no_code() {
    private_host_with_keys(|host, provider| {
        let (login, hers) = Login::of_alice_with_key(host, provider);
        let other = provider.key("ed25519-sk", "other");
        authorize(host, "alice", [hers.line(), other.line()]);
        let sshd = login.sshd("PubkeyAuthOptions touch-required verify-required\n");
        for too_little in ["touched", "verified", ""] {
            is_refused(&doing(&login, &sshd, &hers, too_little));
        }
        assert!(host.module_log().is_empty(), "PAM was not asked: {:#?}", host.module_log());
        let session = doing(&login, &sshd, &hers, "touched verified");
        assert!(session.opened_in_silence(), "{}", said(&session.output));
        host.assert_logged(&["accepted user=alice service=sshd rhost=127.0.0.1 token=ssh-key:SHA256:"]);
        // A PIN makes no key an enrolled one.
        let asked = doing(&login, &sshd, &other, "touched verified");
        assert!(!asked.opened());
        assert_eq!(asked.prompts, ["Verification code: "]);
    });
}

/// In `authorized_keys`, where sshd itself demands a touch alone.
#[test]
fn a_user_may_demand_the_pin_of_a_key_that_is_enrolled() {
    private_host_with_keys(|host, provider| {
        let login = Login::of_alice(host, provider);
        let key = provider.key_with("ed25519-sk", "hers", &["-O", "verify-required"], &[]);
        login.enroll("alice", &key);
        authorize(host, "alice", [format!("verify-required {}", key.line())]);
        let sshd = login.sshd("");
        is_refused(&doing(&login, &sshd, &key, "touched"));
        let session = doing(&login, &sshd, &key, "touched verified");
        assert!(session.opened_in_silence(), "{}", said(&session.output));
    });
}
