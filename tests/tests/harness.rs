//! The harness itself: a test that fails says so.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use twofactor_tests::private_host::private_host;
use twofactor_tests::requirements;

/// The kernel ends a PID namespace when all of its processes are buried, and these are children of the test. Waiting for
/// the namespace alone took for ever, and a CI run with it.
#[test]
#[allow(clippy::zombie_processes, reason = "that is the point")]
fn a_test_that_fails_while_its_programs_run_fails_at_once() {
    if !requirements::met() {
        return;
    }
    let failed = std::panic::catch_unwind(|| {
        private_host(|host| {
            let _running = host.command("sleep").arg("600").spawn().unwrap();
            let _ended = host.command("true").spawn().unwrap();
            panic!("on purpose");
        });
    });
    let reason = failed.expect_err("a panic is handed on");
    assert_eq!(reason.downcast_ref::<&str>(), Some(&"on purpose"));
}
