//! Behind a substack a wrong password does not end the phase: our line is told of it, asks for nothing and counts nothing.
//!
//! Each service is one of the system, because libpam looks there for what a service includes.

use std::fs;

use twofactor_core::pam_service::first_factor::{NAME, TEXT};
use twofactor_tests::pam::{Answer, Outcome, ReturnCode};
use twofactor_tests::private_host::{Host, PASSWORD, private_host};

const TELLER: &str = "auth substack /etc/pam.d/twofactor-first-factor\n";
const OURS: &str = "auth required pam_twofactor.so\n";
const REST: &str = "account required pam_permit.so\n";

/// `lines` behind a substack that asks for the password.
fn service(host: &Host, lines: &str) {
    host.system_service("inner", "auth sufficient pam_unix.so nodelay\nauth required pam_deny.so\n");
    host.system_service(NAME, TEXT);
    let text = format!("auth substack inner\n{lines}{REST}");
    host.system_service("story", &text);
    // An application may have a folder of its own: the file is found by its path.
    host.service("story", &text.replace("inner", "/etc/pam.d/inner"));
}

fn log_in(host: &Host, calls: &str, answers: &[&str]) -> Outcome {
    let answers: Vec<Answer> = answers.iter().map(|answer| Answer::from(*answer)).collect();
    host.login("alice").of_the_system().service("story").rhost("203.0.113.9").calls(calls).answering(&answers)
}

fn lines_with(host: &Host, reason: &str) -> usize {
    host.module_log().iter().filter(|line| line.contains(&format!("reason={reason}"))).count()
}

#[test]
fn behind_a_wrong_password_nobody_is_asked_for_a_code_and_nothing_counts() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        service(host, &format!("{TELLER}{OURS}"));
        for _ in 0..7 {
            let outcome = log_in(host, "authenticate", &["wrong"]);
            assert_eq!(outcome.code(), ReturnCode::AUTH_ERR, "{outcome:?}");
        }
        let own_folder = host.login("alice").service("story").answering(&["wrong".into()]);
        assert_eq!(own_folder.code(), ReturnCode::AUTH_ERR, "also in an application's own folder: {own_folder:?}");
        assert_eq!(host.failures("alice"), 0);
        let line =
            host.assert_logged(&["denied user=alice service=story rhost=203.0.113.9 reason=first-factor-failed"]);
        assert!(line.contains("pam_twofactor(story:auth)"), "{line}");
        assert_eq!(lines_with(host, "first-factor-failed"), 8);
        let outcome = log_in(host, "authenticate,account", &[PASSWORD, &alice.code()]);
        assert_eq!(outcome.code(), ReturnCode::SUCCESS, "she does not wait: {outcome:?}");
        // A wrong code behind the right password counts as ever.
        let outcome = log_in(host, "authenticate", &[PASSWORD, &alice.wrong_code()]);
        assert_eq!((outcome.code(), host.failures("alice")), (ReturnCode::AUTH_ERR, 1));
    });
}

/// sudo, login and sshd authenticate again in the same transaction.
#[test]
fn a_right_password_behind_a_wrong_one_in_the_same_transaction_leads_to_the_code() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        service(host, &format!("{TELLER}{OURS}"));
        let twice = "authenticate,authenticate,account";
        let outcome = log_in(host, twice, &["wrong", PASSWORD, &alice.next_code()]);
        let [first, second, account] = &outcome.results[..] else { panic!("three calls: {outcome:?}") };
        assert_eq!((first.1, second.1, account.1), (ReturnCode::AUTH_ERR, ReturnCode::SUCCESS, ReturnCode::SUCCESS));
        // And the other way round: that one login was a success is no word for the next.
        let outcome = log_in(host, "authenticate,authenticate", &[PASSWORD, &alice.next_code(), "wrong"]);
        let [first, second] = &outcome.results[..] else { panic!("two calls: {outcome:?}") };
        assert_eq!((first.1, second.1), (ReturnCode::SUCCESS, ReturnCode::AUTH_ERR));
        assert_eq!(lines_with(host, "first-factor-failed"), 2);
        assert_eq!(host.failures("alice"), 0);
    });
}

/// A line that somebody has put between may end the phase before ours has heard of the failure.
#[test]
fn what_was_noted_and_never_heard_is_not_held_against_the_next_authentication() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let once = host.script(
            "once",
            "#!/bin/sh\n[ -e /run/twofactor-tests/once ] && exit 0\n: >/run/twofactor-tests/once\nexit 1\n",
        );
        service(host, &format!("{TELLER}auth requisite pam_exec.so quiet {}\n{OURS}", once.display()));
        let answers = ["wrong", PASSWORD, &alice.next_code()];
        let outcome = log_in(host, "authenticate,authenticate", &answers);
        let [first, second] = &outcome.results[..] else { panic!("two calls: {outcome:?}") };
        assert_eq!((first.1, second.1), (ReturnCode::AUTH_ERR, ReturnCode::SUCCESS), "{outcome:?}");
        assert_eq!(lines_with(host, "first-factor-failed"), 0, "our line did not run behind the wrong password");
        assert!(fs::exists("/run/twofactor-tests/once").unwrap());
    });
}

#[test]
fn what_a_line_notes_refuses_and_never_lets_in() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        for (lines, result) in [
            // Alone it is nobody's yes.
            ("auth required pam_twofactor.so first_factor=failed\n", ReturnCode::PERM_DENIED),
            ("auth required pam_twofactor.so first_factor=unknown\n", ReturnCode::PERM_DENIED),
            // With anything beside it, it is a line that is wrong.
            ("auth required pam_twofactor.so first_factor=failed nullok\n", ReturnCode::SERVICE_ERR),
            ("auth required pam_twofactor.so first_factor=right\n", ReturnCode::SERVICE_ERR),
        ] {
            host.service("alone", lines);
            let outcome = host.login("alice").service("alone").answering(&[]);
            assert_eq!(outcome.code(), result, "{lines}: {outcome:?}");
        }
        assert_eq!(lines_with(host, "bad-argument"), 2);
        // Told for nothing, our line refuses whoever comes, whatever they know.
        service(host, &format!("auth optional pam_twofactor.so first_factor=failed\n{OURS}"));
        let outcome = log_in(host, "authenticate", &[PASSWORD]);
        assert_eq!(outcome.code(), ReturnCode::AUTH_ERR, "{outcome:?}");
        // Told nothing behind a wrong password, it asks; the login is refused all the same.
        service(host, &format!("auth optional pam_twofactor.so first_factor=unknown\n{OURS}"));
        let outcome = log_in(host, "authenticate", &["wrong", &alice.next_code()]);
        assert_eq!(outcome.code(), ReturnCode::AUTH_ERR, "{outcome:?}");
    });
}

#[test]
fn who_does_not_exist_and_who_is_not_asked_are_refused_alike_behind_a_wrong_password() {
    private_host(|host| {
        host.user_with_app("alice");
        host.configure("[default]\nsecond_factor = \"optional\"\n");
        host.add_user("bobby");
        service(host, &format!("{TELLER}{OURS}"));
        let results = ["alice", "bobby", "nobody-of-that-name"].map(|user| {
            let login = host.login(user).of_the_system().service("story");
            let outcome = login.answering(&["wrong".into()]);
            (outcome.code(), outcome.messages)
        });
        assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
        let right = host.login("bobby").of_the_system().service("story").answering(&[PASSWORD.into()]);
        assert_eq!(right.code(), ReturnCode::SUCCESS, "whom no rule asks gets in with the password: {right:?}");
    });
}

#[test]
fn setcred_and_the_end_of_a_transaction_do_not_mind_what_was_noted() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        service(host, &format!("{TELLER}{OURS}"));
        let outcome = log_in(host, "authenticate,account,setcred", &[PASSWORD, &alice.code()]);
        assert!(outcome.results.iter().all(|(_, code)| *code == ReturnCode::SUCCESS), "{outcome:?}");
        let repeated = host.login("alice").of_the_system().service("story").repeat(200);
        let mut running = repeated.start();
        for _ in 0..200 {
            assert_ne!(running.transaction(&["wrong".into()]).code(), ReturnCode::SUCCESS);
        }
        running.finish();
    });
}
