//! A code that was used before a backup stays used, and one that was used after it does not come back.

use std::fs;

use serde_json::Value;
use twofactor_tests::fob::Fob;
use twofactor_tests::moment::Moment;
use twofactor_tests::pam::{Answer, ReturnCode};
use twofactor_tests::private_host::said;

use crate::{
    MARKER, STATE, assert_opens, assert_refused, back_up, begin_anew, everything, host, lose_the_state, restore,
    restoring,
};

#[test]
fn a_lost_host_comes_back_from_one_file() {
    host(|host| {
        let alice = host.user_with_app("alice");
        let fob = Fob::clock(1);
        host.user_with("bob", &fob);
        host.add_user("carol");
        host.sysadmin(&["invite", "carol"]);
        let file = back_up(host, "codes");
        let before = fs::read_to_string(MARKER).unwrap();
        begin_anew();

        let moment = Moment::SOME;
        let output = host.run_twofactor_at(moment, &restoring(&file, &[]));
        assert!(output.status.success(), "{}", said(&output));
        let later = moment.after(30);
        assert_opens(host, later, "alice", &later.code(&alice.authenticator, 0));
        assert_opens(host, later, "bob", &later.code(&fob.authenticator, 0));
        assert!(fs::read_to_string(format!("{STATE}/users/carol/state")).unwrap().contains("[invitation]"));
        assert_eq!(host.json(&["token", "show", &fob.serial])["user"], "bob");
        let doctor: Value = serde_json::from_slice(&host.run_twofactor(&["--json", "doctor"]).stdout).unwrap();
        let of_state = |finding: &&Value| finding["area"] == "state" || finding["area"] == "tokens";
        let findings = doctor["findings"].as_array().unwrap().iter().filter(of_state).count();
        assert_eq!(findings, 0, "the state is whole: {doctor}");

        let after = fs::read_to_string(MARKER).unwrap();
        assert_ne!(before, after, "the state is another one");
        for copy in ["state.id", "users/.id"] {
            assert_eq!(fs::read_to_string(format!("{STATE}/{copy}")).unwrap(), after);
        }
        let left: Vec<_> = fs::read_dir("/var/lib").unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_str().unwrap().contains("restore")), "{left:?}");
        let log = host.log().iter().map(|line| line.text.clone()).collect::<Vec<_>>().join("\n");
        assert!(log.contains("backed-up file=/root/codes.age accounts=3 tokens=1"), "{log}");
        assert!(log.contains("restored file=/root/codes.age from="), "{log}");
    });
}

#[test]
fn codes_that_were_shown_before_the_restore_do_not_count_after_it() {
    host(|host| {
        let alice = host.user_with_app("alice");
        let fob = Fob::clock(1);
        host.user_with("bob", &fob);
        let moment = Moment::SOME;
        let used = moment.code(&alice.authenticator, 0);
        assert_opens(host, moment, "alice", &used);
        let file = back_up(host, "codes");
        let after_backup = moment.after(30);
        let lost = after_backup.code(&alice.authenticator, 0);
        assert_opens(host, after_backup, "alice", &lost);
        assert_opens(host, after_backup, "bob", &after_backup.code(&fob.authenticator, 0));
        lose_the_state();

        let output = host.run_twofactor_at(after_backup, &restoring(&file, &[]));
        assert!(output.status.success(), "{}", said(&output));
        for code in [&used, &lost] {
            assert_refused(host, after_backup, "alice", code, "replayed");
        }
        assert_refused(host, after_backup, "bob", &after_backup.code(&fob.authenticator, 0), "replayed");
        let later = after_backup.after(30);
        assert_opens(host, later, "alice", &later.code(&alice.authenticator, 0));
        assert_opens(host, later, "bob", &later.code(&fob.authenticator, 0));
    });
}

pub(super) fn wrong_code(fob: &Fob) -> Answer {
    fob.authenticator.wrong_codes().next().unwrap().as_str().into()
}

#[test]
fn a_counter_that_has_gone_on_is_asked_for_two_codes_once() {
    host(|host| {
        let fob = Fob::button(1);
        host.user_with("bob", &fob);
        let moment = Moment::SOME;
        assert_opens(host, moment, "bob", &fob.code_of(0));
        let file = back_up(host, "codes");
        assert_opens(host, moment, "bob", &fob.code_of(1));
        lose_the_state();
        let warnings = restore(host, &file, &[]);
        assert!(warnings.contains("the next login of bob asks for two codes"), "{warnings}");

        // The code that was used since, alone, opens nothing; it is asked for the next one, and gets it wrong.
        let again = host.login_at(moment, "bob").answering(&[fob.code_of(1).as_str().into(), wrong_code(&fob)]);
        assert_ne!(again.code(), ReturnCode::SUCCESS, "{again:?}");
        host.succeed_at(moment, &["unlock", "bob"]);
        let both = [fob.code_of(5).as_str().into(), fob.code_of(6).as_str().into()];
        let opened = host.login_at(moment, "bob").answering(&both);
        assert_eq!(opened.code(), ReturnCode::SUCCESS, "{opened:?}");
        assert_opens(host, moment, "bob", &fob.code_of(7));
    });
}

#[test]
fn a_counter_in_inventory_is_in_doubt_when_it_is_assigned() {
    host(|host| {
        let fob = Fob::button(1);
        host.import(std::slice::from_ref(&fob));
        let file = back_up(host, "codes");
        host.add_user("bob");
        host.assign(&fob, "bob");
        assert_opens(host, Moment::SOME, "bob", &fob.code_of(0));
        lose_the_state();
        restore(host, &file, &[]);
        host.assign(&fob, "bob");
        let answers = [fob.code_of(0).as_str().into(), wrong_code(&fob)];
        let again = host.login_at(Moment::SOME, "bob").answering(&answers);
        assert_ne!(again.code(), ReturnCode::SUCCESS, "{again:?}");
    });
}

#[test]
fn no_code_counts_that_a_token_in_inventory_has_shown_before_the_restore() {
    host(|host| {
        let fob = Fob::clock(1);
        host.import(std::slice::from_ref(&fob));
        let file = back_up(host, "codes");
        host.add_user("bob");
        host.assign(&fob, "bob");
        let moment = Moment::SOME;
        let used = moment.code(&fob.authenticator, 0);
        assert_opens(host, moment, "bob", &used);
        lose_the_state();
        host.succeed_at(moment, &restoring(&file, &[]));
        host.assign(&fob, "bob");
        assert_refused(host, moment, "bob", &used, "replayed");
        let later = moment.after(30);
        assert_opens(host, later, "bob", &later.code(&fob.authenticator, 0));
    });
}

#[test]
fn recovery_codes_are_void_unless_they_are_kept() {
    host(|host| {
        let alice = host.user_with_app("alice");
        assert_opens(host, Moment::SOME, "alice", &alice.recovery_codes[0]);
        let file = back_up(host, "codes");
        lose_the_state();
        let warnings = restore(host, &file, &[]);
        assert!(warnings.contains("the recovery codes of alice are void"), "{warnings}");
        assert!(warnings.contains("is back as it was then"), "{warnings}");
        assert_refused(host, Moment::SOME, "alice", &alice.recovery_codes[1], "wrong-code");
        host.sysadmin(&["unlock", "alice"]);

        lose_the_state();
        let warnings = restore(host, &file, &["--keep-recovery"]);
        assert!(!warnings.contains("void"), "{warnings}");
        assert_refused(host, Moment::SOME, "alice", &alice.recovery_codes[0], "replayed");
        assert_opens(host, Moment::SOME, "alice", &alice.recovery_codes[1]);
    });
}

#[test]
fn a_host_with_accounts_or_tokens_is_left_alone() {
    host(|host| {
        host.user_with_app("alice");
        let file = back_up(host, "codes");
        let before = everything();
        let output = host.run_twofactor(&restoring(&file, &[]));
        assert_eq!(output.status.code(), Some(7), "{}", said(&output));
        assert!(said(&output).contains("this host has accounts or physical tokens already"), "{}", said(&output));
        assert!(everything() == before, "nothing was changed");
    });
}
