//! People who are, or soon will be, in trouble.

use std::fs;

use serde_json::Value;

use twofactor_tests::fob::Fob;
use twofactor_tests::moment::Moment;
use twofactor_tests::oathtool::now;
use twofactor_tests::private_host::{Host, private_host};

use crate::Mended::{ByHand, ByItsCommands};
use crate::{check, doctor, findings, finds, make_well};

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
fn on_a_host_of_a_fleet_users_are_its_servers_and_an_administrator_is_missed_who_needs_none() {
    private_host(|host| {
        make_well(host);
        host.add_user("bob");
        host.succeed("twofactor", ["reset", "alice", "--yes"]);
        host.configure("[fleet]\nservers = [\"otp1.example.org\"]\n");
        let of_people = |report: &Value| {
            let ids = ["users-without-credential", "no-administrator", "no-local-administrator"];
            let found = findings(report).iter().filter(|finding| ids.contains(&finding["id"].as_str().unwrap()));
            found.cloned().collect::<Vec<_>>()
        };
        let found = of_people(&doctor(host).0);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0]["id"], "no-local-administrator");
        let command = found[0]["command"].as_str().expect("a command");
        host.succeed("sh", ["-c", &format!("{command} --no-confirm")]);
        assert_eq!(of_people(&doctor(host).0), [Value::Null; 0]);
        let missing = host.succeed("twofactor", ["--json", "status", "--missing"]);
        let missing: Value = serde_json::from_str(&missing).unwrap();
        assert_eq!((&missing[0]["user"], &missing[0]["has"]), (&"bob".into(), &"fleet".into()), "{missing:#}");
    });
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

#[test]
fn a_name_was_given_to_another_person() {
    let make = |host: &Host| {
        host.user_with_app("bob");
        host.give_name_to_another("bob", 4444);
    };
    finds(&["uid-changed"], make, ByItsCommands);
    let reset = |host: &Host| {
        host.succeed("twofactor", ["reset", "bob", "--yes"]);
        host.enroll("bob", &[]);
    };
    finds(&["uid-changed"], make, ByHand(&reset));
}

#[test]
fn a_token_is_another_persons() {
    let make = |host: &Host| {
        host.add_user("bob");
        import(host, "bob");
        host.give_name_to_another("bob", 4444);
    };
    finds(&["uid-changed"], make, ByItsCommands);
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
fn the_clock_was_ahead_when_a_code_was_used() {
    if !twofactor_tests::requirements::stopped_clock_met() {
        return;
    }
    private_host(|host| {
        let alice = make_well(host);
        let ahead = Moment(now()).after(7200);
        let code = ahead.code(&alice.authenticator, 0);
        host.login_at(ahead, "alice").typing(code).code();
        check(host, &["codes-burned"], ByItsCommands);
    });
}

#[test]
fn the_clock_of_a_token_is_off() {
    if !twofactor_tests::requirements::stopped_clock_met() {
        return;
    }
    private_host(|host| {
        make_well(host);
        host.configure("[window]\nresync_at_login = false\n");
        let fob = Fob::clock(1);
        host.user_with("bob", &fob);
        let start = now() / 30 * 30;
        host.login_at(Moment(start), "bob").typing(Moment(start).code(&fob.authenticator, 0));
        for minute in 1..=3 {
            let moment = Moment(start + 60 * minute);
            host.login_at(moment, "bob").typing(moment.code(&fob.authenticator, 30));
        }
        let mend = |host: &Host| {
            let (report, _) = doctor(host);
            let command = findings(&report)[0]["command"].as_str().unwrap().to_owned();
            // The holder reads two codes to the helpdesk.
            let moment = Moment(start + 300);
            let codes = [0, 1].map(|step| moment.after(30 * step).code(&fob.authenticator, 30));
            let words = [command.strip_prefix("twofactor ").unwrap(), &codes[0], &codes[1]].join(" ");
            host.succeed_at(moment.after(30), &words.split(' ').collect::<Vec<_>>());
        };
        check(host, &["token-clock-off"], ByHand(&mend));
    });
}

#[test]
fn somebody_guessed() {
    private_host(|host| {
        let alice = make_well(host);
        for _ in 0..6 {
            let wrong = alice.wrong_code();
            host.login("alice").typing(&wrong);
        }
        check(host, &["delayed-user"], ByItsCommands);
    });
}
