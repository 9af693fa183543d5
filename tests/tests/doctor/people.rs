//! People who are, or soon will be, in trouble.

use std::fs;

use twofactor_tests::private_host::{Host, private_host};

use crate::Mended::{ByHand, ByItsCommands};
use crate::{check, finds, make_well};

#[test]
fn a_user_is_not_enrolled() {
    finds(&["users-without-credential"], |host: &Host| host.add_user("bob"), ByItsCommands);
}

#[test]
fn no_administrator_is_enrolled() {
    let make = |host: &Host| drop(host.succeed("twofactor", ["reset", "alice", "--yes"]));
    finds(&["no-administrator"], make, ByItsCommands);
}

#[test]
fn an_account_has_no_user_any_more() {
    let make = |host: &Host| {
        host.user_with_app("bob");
        host.succeed("userdel", ["bob"]);
    };
    finds(&["orphaned-account"], make, ByItsCommands);
}

#[test]
fn a_token_has_no_user_any_more() {
    let make = |host: &Host| {
        host.add_user("bob");
        import(host, "bob");
        host.succeed("userdel", ["bob"]);
    };
    finds(&["orphaned-token"], make, ByItsCommands);
}

fn import(host: &Host, owner: &str) {
    let file = host.place("tokens.csv");
    fs::write(&file, "serial,secret\n10000001,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n").unwrap();
    host.succeed("twofactor", ["token", "import", file.to_str().unwrap()]);
    host.succeed("twofactor", ["token", "assign", "10000001", owner]);
}

#[test]
fn an_app_waits_for_its_confirmation() {
    let make = |host: &Host| {
        host.user_with_app("bob");
        host.succeed("twofactor", ["reset", "bob", "--keep-secret", "--yes"]);
    };
    // Nobody is exempt, so an app that opens nothing is no credential either; the recovery codes are.
    finds(&["not-confirmed"], make, ByItsCommands);
}

#[test]
fn few_recovery_codes_are_left() {
    let make = |host: &Host| drop(host.succeed("twofactor", ["recovery", "alice", "--count", "3"]));
    finds(&["recovery-codes-low"], make, ByItsCommands);
}

#[test]
fn somebody_guessed() {
    private_host(|host| {
        let alice = make_well(host);
        for _ in 0..6 {
            let wrong = alice.wrong_code();
            host.login("alice").typing(&wrong);
        }
        check(host, &["delayed-user"], &ByItsCommands);
    });
}
