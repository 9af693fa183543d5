//! `second_factor = "optional"`: whoever has a token is asked, whatever its condition.

use twofactor_tests::fob::Fob;
use twofactor_tests::pam::ReturnCode;

use twofactor_tests::private_host::Host;

use crate::{assert_accepted, assert_denied, assert_last_logged, host};

/// Asserts that the module returns `PAM_IGNORE` without a question: libpam takes this jump for no other code.
#[track_caller]
fn assert_waived(host: &Host, user: &str) {
    let lines =
        "auth [ignore=1 default=die] pam_twofactor.so\nauth required pam_deny.so\nauth required pam_permit.so\n";
    host.service("ignoring", lines);
    assert_eq!(host.login(user).service("ignoring").answering(&[]).code(), ReturnCode::SUCCESS);
    assert_last_logged(host, &[&format!("skipped user={user}"), "policy=optional-not-enrolled"]);
}

#[test]
fn somebody_whose_only_token_is_lost_is_asked_and_somebody_without_any_is_not() {
    host(|host| {
        host.configure("[default]\nsecond_factor = \"optional\"\n");
        let fob = Fob::button(1);
        host.user_with("alice", &fob);
        host.add_user("bob");
        assert_accepted(&host.login("alice").typing(fob.code_of(0)));
        for verb in ["disable", "lost"] {
            host.sysadmin(&["token", verb, &fob.serial]);
            assert_denied(&host.login("alice").typing(fob.code_of(1)));
            assert_last_logged(host, &["denied user=alice", "reason=token-disabled"]);
        }
        assert_waived(host, "bob");

        host.sysadmin(&["token", "unassign", &fob.serial, "--force"]);
        assert_waived(host, "alice");
    });
}

#[test]
fn nobody_is_waived_while_the_registry_cannot_say_who_has_a_token() {
    host(|host| {
        host.configure("[default]\nsecond_factor = \"optional\"\n");
        let fob = Fob::button(1);
        host.user_with("alice", &fob);
        host.add_user("bob");
        let app = host.user_with_fob("carol");
        for content in [&b""[..], b"not a database"] {
            for file in ["registry.db-wal", "registry.db-shm"] {
                let _ = std::fs::remove_file(format!("/var/lib/twofactor/{file}"));
            }
            std::fs::write("/var/lib/twofactor/registry.db", content).unwrap();
            for user in ["alice", "bob"] {
                assert_eq!(host.login(user).answering(&[]).code(), ReturnCode::AUTHINFO_UNAVAIL, "{user}");
                assert_last_logged(host, &["error user=", "reason=store-corrupt", "registry.db"]);
            }
            assert_accepted(&host.login("carol").typing(app.next_code()));
        }
    });
}
