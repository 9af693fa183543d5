//! Services that ask once, for the password with the code appended. The modules below get the password alone.

use std::fs;

use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::{Outcome, ReturnCode};
use twofactor_tests::private_host::{Host, PASSWORD, private_host};

/// A service whose last module writes PAM_AUTHTOK to a file.
fn combined_service(host: &Host) {
    host.configure("[prompt]\ncombined = [\"combined\"]\n");
    let recorder = host.script("record-authtok", "#!/bin/sh\ncat >/run/twofactor-tests/authtok\n");
    host.service(
        "combined",
        &format!(
            "auth required pam_twofactor.so\n\
             auth required pam_unix.so use_first_pass nodelay\n\
             auth optional pam_exec.so expose_authtok {}\n",
            recorder.display()
        ),
    );
}

fn log_in(host: &Host, user: &str, typed: &str) -> (Outcome, String) {
    let _ = fs::remove_file(host.place("authtok"));
    let outcome = host.login(user).service("combined").typing(typed);
    let authtok = fs::read(host.place("authtok")).expect("pam_exec ran");
    (outcome, String::from_utf8(authtok).unwrap().trim_end_matches('\0').to_owned())
}

#[test]
fn password_and_code_in_one_answer_open_a_session_and_the_password_alone_is_handed_on() {
    private_host(|host| {
        combined_service(host);
        let alice = host.user_with_fob("alice");
        let (outcome, authtok) = log_in(host, "alice", &format!("{PASSWORD}{}", alice.next_code()));
        assert_eq!(outcome.code(), ReturnCode::SUCCESS);
        assert_eq!(authtok, PASSWORD);
        assert_eq!(outcome.messages.len(), 1, "one prompt");
    });
}

#[test]
fn a_code_of_eight_digits_is_cut_off_whole() {
    private_host(|host| {
        combined_service(host);
        host.add_user("alice");
        let alice = host.enroll("alice", &["--counter", "--digits", "8"]);
        let (outcome, authtok) = log_in(host, "alice", &format!("{PASSWORD}{}", alice.next_code()));
        assert_eq!((outcome.code(), authtok.as_str()), (ReturnCode::SUCCESS, PASSWORD));
    });
}

#[test]
fn a_recovery_code_may_be_appended_too() {
    private_host(|host| {
        combined_service(host);
        let alice = host.user_with_fob("alice");
        let digits: String = alice.recovery_codes[0].chars().filter(char::is_ascii_digit).collect();
        let (outcome, authtok) = log_in(host, "alice", &format!("{PASSWORD}{digits}"));
        assert_eq!((outcome.code(), authtok.as_str()), (ReturnCode::SUCCESS, PASSWORD));
        let (outcome, _) = log_in(host, "alice", &format!("{PASSWORD}{digits}"));
        assert_eq!(outcome.code(), ReturnCode::AUTH_ERR, "a recovery code works once");
    });
}

#[test]
fn a_wrong_code_is_refused_and_never_handed_on() {
    private_host(|host| {
        combined_service(host);
        let alice = host.user_with_fob("alice");
        let wrong = alice.wrong_code();
        let (outcome, authtok) = log_in(host, "alice", &format!("{PASSWORD}{wrong}"));
        assert_eq!(outcome.code(), ReturnCode::AUTH_ERR);
        assert!(!authtok.contains(&wrong), "{authtok}");
        assert_eq!(authtok, PASSWORD);
        host.assert_logged(&["denied user=alice service=combined", "reason=wrong-code"]);
        assert_eq!(host.failures("alice"), 1);
    });
}

#[test]
fn a_right_code_behind_a_wrong_password_opens_nothing() {
    private_host(|host| {
        combined_service(host);
        let alice = host.user_with_fob("alice");
        let (outcome, authtok) = log_in(host, "alice", &format!("wrong password{}", alice.next_code()));
        assert_ne!(outcome.code(), ReturnCode::SUCCESS);
        assert_eq!(authtok, "wrong password");
    });
}

#[test]
fn a_password_without_a_code_is_refused() {
    private_host(|host| {
        combined_service(host);
        host.user_with_fob("alice");
        let (outcome, _) = log_in(host, "alice", PASSWORD);
        assert_eq!(outcome.code(), ReturnCode::AUTH_ERR);
        assert_eq!(host.failures("alice"), 0, "nothing in it could have been a code");
    });
}

#[test]
fn unknown_and_unenrolled_users_get_the_same_single_prompt() {
    private_host(|host| {
        combined_service(host);
        let alice = host.user_with_fob("alice");
        host.add_user("bob");
        let (expected, _) = log_in(host, "alice", &format!("{PASSWORD}{}", alice.next_code()));
        for user in ["bob", "nobody-here"] {
            let (outcome, authtok) = log_in(host, user, &format!("{PASSWORD}{ANY_CODE}"));
            assert_ne!(outcome.code(), ReturnCode::SUCCESS);
            assert_eq!(outcome.messages, expected.messages, "{user}");
            assert_eq!(authtok, PASSWORD, "{user}");
        }
    });
}

#[test]
fn a_right_code_where_the_policy_asks_for_none_is_used_up_and_the_password_alone_is_handed_on() {
    private_host(|host| {
        combined_service(host);
        host.configure("[prompt]\ncombined = [\"combined\"]\n[default]\nsecond_factor = \"off\"\n");
        let alice = host.user_with_fob("alice");
        let answer = format!("{PASSWORD}{}", alice.next_code());
        let (outcome, authtok) = log_in(host, "alice", &answer);
        assert_eq!((outcome.code(), authtok.as_str()), (ReturnCode::SUCCESS, PASSWORD));
        host.assert_logged(&["skipped user=alice service=combined", "policy=off", "token=app"]);
        let (outcome, authtok) = log_in(host, "alice", &answer);
        assert_ne!(outcome.code(), ReturnCode::SUCCESS, "a used code is part of a wrong password");
        assert_eq!(authtok, answer);
        let (outcome, authtok) = log_in(host, "alice", PASSWORD);
        assert_eq!((outcome.code(), authtok.as_str()), (ReturnCode::SUCCESS, PASSWORD));
        assert_eq!(host.failures("alice"), 0, "what opens no session by itself delays none");
    });
}
