//! `remember`: the second login of the same user, service and address need not be asked. Opt-in, bounded, forgotten on
//! demand.

use twofactor_tests::private_host::{Host, private_host};

use crate::{CODE, clueless};

const REMEMBER: &str = "[[rule]]\nsecond_factor = \"required\"\nremember = \"1h\"\n";

/// Who is asked from there.
fn asked(host: &Host, user: &str, service: &str, rhost: Option<&str>) -> bool {
    let login = host.login(user).service(service);
    let login = match rhost {
        Some(rhost) => login.rhost(rhost),
        None => login,
    };
    let outcome = clueless(login);
    assert!(outcome.prompts().iter().all(|prompt| *prompt == CODE), "{outcome:?}");
    !outcome.prompts().is_empty()
}

#[test]
fn the_next_login_from_the_same_address_is_not_asked_until_it_is_unlocked() {
    private_host(|host| {
        host.configure(REMEMBER);
        let alice = host.user_with_fob("alice");
        let bob = host.user_with_fob("bob");
        host.service("other-service", "auth required pam_twofactor.so\n");
        host.login("alice").rhost("192.0.2.7").typing(alice.next_code());
        host.login("bob").rhost("192.0.2.8").typing(bob.next_code());

        assert!(!asked(host, "alice", "test", Some("192.0.2.7")));
        assert!(!asked(host, "alice", "test", Some("::ffff:192.0.2.7")), "the same address");
        host.assert_logged(&["skipped user=alice service=test rhost=", "policy=remembered"]);
        assert!(asked(host, "alice", "test", Some("192.0.2.8")), "another address");
        assert!(asked(host, "bob", "test", Some("192.0.2.7")), "another user");
        assert!(asked(host, "alice", "other-service", Some("192.0.2.7")), "another service");
        assert!(asked(host, "alice", "test", None), "no address");

        host.succeed("twofactor", ["unlock", "alice"]);
        assert!(asked(host, "alice", "test", Some("192.0.2.7")));
        assert!(!asked(host, "bob", "test", Some("192.0.2.8")), "bob was not unlocked");
    });
}

#[test]
fn a_host_name_and_no_host_are_never_remembered() {
    private_host(|host| {
        host.configure(REMEMBER);
        let alice = host.user_with_fob("alice");
        for rhost in ["localhost", "client.example.org", "192.0.2.7.example.org", ""] {
            host.login("alice").rhost(rhost).typing(alice.next_code());
            assert!(asked(host, "alice", "test", Some(rhost)), "{rhost:?}");
        }
        host.login("alice").typing(alice.next_code());
        assert!(asked(host, "alice", "test", None));
    });
}

#[test]
fn who_is_reset_or_for_whom_the_rule_is_gone_is_not_remembered() {
    private_host(|host| {
        host.configure(REMEMBER);
        let alice = host.user_with_fob("alice");
        host.login("alice").rhost("192.0.2.7").typing(alice.next_code());
        assert!(!asked(host, "alice", "test", Some("192.0.2.7")));
        host.configure("[[rule]]\nsecond_factor = \"required\"\n");
        assert!(asked(host, "alice", "test", Some("192.0.2.7")), "without remember nobody is");
        host.configure(REMEMBER);
        host.succeed("twofactor", ["reset", "alice", "--yes"]);
        assert!(asked(host, "alice", "test", Some("192.0.2.7")));
        host.enroll("alice", &["--counter"]);
        assert!(asked(host, "alice", "test", Some("192.0.2.7")), "what she had before is no proof");
    });
}

#[test]
fn a_wrong_code_is_not_remembered() {
    private_host(|host| {
        host.configure(REMEMBER);
        let alice = host.user_with_fob("alice");
        host.login("alice").rhost("192.0.2.7").typing(alice.wrong_code());
        assert!(asked(host, "alice", "test", Some("192.0.2.7")));
    });
}
