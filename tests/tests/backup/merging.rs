//! A backup merged into a host that is in use.

use twofactor_tests::fob::Fob;
use twofactor_tests::moment::Moment;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::said;
use twofactor_tests::requirements::programs_met;

use crate::used::wrong_code;
use crate::{assert_opens, assert_refused, back_up, begin_anew, everything, host, restore, restoring};

const REGISTRY: &str = "/var/lib/twofactor/registry.db";

#[test]
fn what_is_missing_comes_back_and_what_is_there_stays() {
    host(|host| {
        let [alice, dave, erin] = ["alice", "dave", "erin"].map(|user| host.user_with_app(user));
        let fobs = Fob::box_of(1, 3);
        host.import(&fobs);
        host.add_user("bob");
        host.assign(&fobs[0], "bob");
        host.assign(&fobs[1], "bob");
        let file = back_up(host, "codes");

        let moment = Moment::SOME;
        let (of_alice, of_dave) = (moment.code(&alice.authenticator, 0), moment.code(&dave.authenticator, 0));
        assert_opens(host, moment, "alice", &of_alice);
        assert_opens(host, moment, "dave", &of_dave);
        host.sysadmin(&["reset", "dave", "--yes"]);
        host.sysadmin(&["token", "revoke", &fobs[1].serial, "--yes"]);
        host.sysadmin(&["token", "delete", &fobs[2].serial, "--yes"]);
        std::fs::remove_dir_all("/var/lib/twofactor/users/erin").unwrap();
        let carol = host.user_with_app("carol");

        let output = host.run_twofactor_at(moment, &restoring(&file, &["--merge"]));
        assert!(output.status.success(), "{}", said(&output));
        let warnings = said(&output);
        assert!(warnings.contains("left as they are, but for used codes: alice, bob"), "{warnings}");
        assert!(warnings.contains("the recovery codes of dave, erin are void"), "{warnings}");

        assert_refused(host, moment, "alice", &of_alice, "replayed");
        assert_refused(host, moment, "dave", &of_dave, "replayed");
        assert_refused(host, moment, "erin", &moment.code(&erin.authenticator, 0), "replayed");
        assert_opens(host, moment, "carol", &moment.code(&carol.authenticator, 0));
        let later = moment.after(30);
        for (user, app) in [("alice", &alice), ("dave", &dave), ("erin", &erin)] {
            assert_opens(host, later, user, &later.code(&app.authenticator, 0));
        }
        assert_opens(host, later, "alice", &alice.recovery_codes[0]);
        assert_opens(host, later, "bob", &later.code(&fobs[0].authenticator, 0));
        assert_refused(host, later, "bob", &later.code(&fobs[1].authenticator, 0), "wrong-code");
        let state = |serial: &str| host.json(&["token", "show", serial])["state"].as_str().unwrap().to_owned();
        assert_eq!(fobs.iter().map(|fob| state(&fob.serial)).collect::<Vec<_>>(), ["active", "revoked", "inventory"]);
    });
}

#[test]
fn on_a_host_of_a_fleet_it_says_whose_accounts_are_of_that_host_alone() {
    const OF_THIS_HOST: &str = "accounts of this host alone, which come before those of the fleet";
    host(|host| {
        host.user_with_app("alice");
        let file = back_up(host, "codes");
        begin_anew();
        assert!(!restore(host, &file, &[]).contains(OF_THIS_HOST), "a host alone");

        std::fs::remove_dir_all("/var/lib/twofactor/users/alice").unwrap();
        host.configure(
            "[fleet]\nservers = [\"otp1.example.org\"]\nca = \"/etc/ca.pem\"\ncertificate = \"/etc/c.pem\"\nkey = \"/etc/k.pem\"\n",
        );
        let said = restore(host, &file, &["--merge"]);
        assert!(said.contains(&format!("{OF_THIS_HOST}: alice")), "{said}");
        assert!(!restore(host, &file, &["--merge"]).contains(OF_THIS_HOST), "none came back");
    });
}

#[test]
fn a_merge_that_is_repeated_changes_nothing_more_and_a_damaged_file_nothing_at_all() {
    host(|host| {
        if !programs_met(&["sqlite3"]) {
            return;
        }
        host.user_with_app("alice");
        host.import(&Fob::box_of(1, 2));
        let file = back_up(host, "codes");
        let before = host.json(&["token", "list"]);
        let history = || host.succeed("sqlite3", ["-readonly", REGISTRY, "SELECT count(*) FROM history"]);
        let acts = history();
        std::fs::remove_dir_all("/var/lib/twofactor/users/alice").unwrap();

        let mut content = std::fs::read(&file).unwrap();
        let last = content.len() - 1;
        content[last] ^= 1;
        std::fs::write("/root/damaged.age", content).unwrap();
        let untouched = everything();
        let output = host.run_twofactor(&restoring("/root/damaged.age", &["--merge"]));
        assert_eq!(output.status.code(), Some(6), "{}", said(&output));
        assert!(everything() == untouched, "nothing was changed");

        for _ in 0..2 {
            restore(host, &file, &["--merge"]);
            assert_eq!(host.json(&["token", "list"]), before);
            assert_eq!(host.json(&["status"]).as_array().unwrap().len(), 1);
        }
        assert_eq!(history(), acts, "nothing stands there twice");
    });
}

#[test]
fn an_account_that_comes_back_is_still_that_of_the_same_person() {
    host(|host| {
        let alice = host.user_with_app("alice");
        let moment = Moment::SOME;
        assert_opens(host, moment, "alice", &moment.code(&alice.authenticator, 0));
        let uid = host.json(&["status", "alice"])["uid"].clone();
        let file = back_up(host, "codes");
        // The used codes stay here, and say nothing of the person.
        host.sysadmin(&["reset", "alice", "--yes"]);
        host.give_name_to_another("alice", 4444);
        let output = host.run_twofactor_at(moment, &restoring(&file, &["--merge"]));
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(host.json(&["status", "alice"])["uid"], uid);
        let later = moment.after(60);
        assert_refused(host, later, "alice", &later.code(&alice.authenticator, 0), "uid-changed");
    });
}

#[test]
fn tokens_that_come_back_into_the_inventory_may_have_been_used_since() {
    host(|host| {
        let (button, clock) = (Fob::button(1), Fob::clock(1));
        host.import(std::slice::from_ref(&button));
        host.import(std::slice::from_ref(&clock));
        let file = back_up(host, "codes");
        let moment = Moment::SOME;
        host.add_user("bob");
        for (fob, code) in [(&button, button.code_of(0)), (&clock, moment.code(&clock.authenticator, 0))] {
            host.assign(fob, "bob");
            assert_opens(host, moment, "bob", &code);
        }
        begin_anew();
        host.user_with_app("carol");
        host.succeed_at(moment, &restoring(&file, &["--merge"]));
        host.assign(&clock, "bob");
        assert_refused(host, moment, "bob", &moment.code(&clock.authenticator, 0), "replayed");
        let later = moment.after(30);
        assert_opens(host, later, "bob", &later.code(&clock.authenticator, 0));
        host.assign(&button, "bob");
        let answers = [button.code_of(0).as_str().into(), wrong_code(&button)];
        let again = host.login_at(later, "bob").answering(&answers);
        assert_ne!(again.code(), ReturnCode::SUCCESS, "{again:?}");
    });
}
