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
fn whatever_the_registry_is_an_owner_is_asked_and_a_user_without_a_token_is_not() {
    host(|host| {
        host.configure("[default]\nsecond_factor = \"optional\"\n");
        let fob = Fob::button(1);
        host.user_with("alice", &fob);
        host.add_user("bob");
        for (counter, content) in (0..).zip([&b""[..], b"not a database"]) {
            for file in ["registry.db-wal", "registry.db-shm"] {
                let _ = std::fs::remove_file(format!("/var/lib/twofactor/{file}"));
            }
            std::fs::write("/var/lib/twofactor/registry.db", content).unwrap();
            assert_accepted(&host.login("alice").typing(fob.code_of(counter)));
            assert_waived(host, "bob");
        }
    });
}

#[test]
fn a_token_that_an_older_version_left_in_the_registry_is_asked_for_and_refused_until_it_is_moved() {
    host(|host| {
        host.configure("[default]\nsecond_factor = \"optional\"\n");
        let (fob, other) = (Fob::button(1), Fob::button(2));
        host.user_with("alice", &fob);
        let app = host.user_with_fob("carol");
        host.assign_more(&other, "carol");
        assert_accepted(&host.login("alice").typing(fob.code_of(0)));
        for user in ["alice", "carol"] {
            host.leave_tokens_to_the_registry(user);
        }
        for (user, code) in [("alice", fob.code_of(1)), ("carol", other.code_of(0))] {
            assert_eq!(host.login(user).typing(&code).code(), ReturnCode::AUTHINFO_UNAVAIL, "{user}");
            let user = format!("error user={user}");
            assert_last_logged(host, &[&user, "reason=store-unavailable", "hint=\"run: twofactor migrate\""]);
        }
        assert_accepted(&host.login("carol").typing(app.next_code()));

        assert_eq!(host.json(&["migrate"]).as_array().unwrap().len(), 2);
        assert_denied(&host.login("alice").typing(fob.code_of(0)));
        assert_accepted(&host.login("alice").typing(fob.code_of(1)));
        assert_accepted(&host.login("carol").typing(other.code_of(0)));
        assert_eq!(host.json(&["migrate"]), serde_json::json!([]), "and not a second time");
    });
}
