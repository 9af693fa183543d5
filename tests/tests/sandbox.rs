//! Applications that systemd puts into a sandbox in which no file can be written, as polkit 127: the module asks the broker.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::private_host;

/// What `ProtectSystem=strict` and `NoNewPrivileges=yes` make of a host.
const SANDBOX: &str = "exec unshare --mount sh -c '
for folder in / /etc /run /tmp /var /home /root; do mount -o remount,bind,ro $folder || exit; done
exec setpriv --no-new-privs \"$@\"' sh \"$@\"";

#[test]
fn a_code_opens_a_session_in_the_sandbox_of_polkit_by_the_broker_and_is_burned() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _broker = host.broker();
        let code = alice.code();
        let login = |code: &str| host.login("alice").after(SANDBOX).typing(code).code();
        assert_eq!(login(&code), ReturnCode::SUCCESS);
        assert_ne!(login(&code), ReturnCode::SUCCESS, "it was burned");
        host.assert_logged(&["denied user=alice", "reason=replayed"]);
        assert_ne!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS, "everywhere");
        assert_ne!(login(&alice.wrong_code()), ReturnCode::SUCCESS);
        host.assert_logged(&["denied user=alice", "reason=wrong-code"]);
    });
}

#[test]
fn without_a_broker_nobody_gets_in_there_and_the_log_says_why() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        assert_ne!(host.login("alice").after(SANDBOX).typing(alice.code()).code(), ReturnCode::SUCCESS);
        host.assert_logged(&["error user=alice", "read-only file system"]);
    });
}
