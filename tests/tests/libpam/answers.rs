//! What people and programs answer at the prompt, apart from codes.

use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::{Answer, ReturnCode};
use twofactor_tests::private_host::{PASSWORD, private_host};

#[test]
fn nonsense_is_refused_without_being_counted() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let ten_kilobytes = "1".repeat(10 * 1024);
        let nonsense: [Answer; 7] = [
            "12345".into(),
            "123456789".into(),
            "let me in".into(),
            ten_kilobytes.as_str().into(),
            "１２３４５６".into(),
            [0xff, 0xfe, 0x31, 0x80].as_slice().into(),
            "123456\u{0660}".into(),
        ];
        for answer in nonsense {
            let outcome = host.login("alice").answering(std::slice::from_ref(&answer));
            assert_eq!(outcome.code(), ReturnCode::AUTH_ERR, "{answer:?}");
        }
        assert_eq!(host.module_log().iter().filter(|line| line.contains("reason=wrong-code")).count(), 7);
        for nothing in ["", " ", "\r", "\u{a0}\u{200b}"] {
            assert_eq!(host.login("alice").typing(nothing).code(), ReturnCode::AUTH_ERR, "{nothing:?}");
        }
        assert_eq!(host.module_log().iter().filter(|line| line.contains("reason=no-answer")).count(), 4);
        assert_eq!(host.failures("alice"), 0);
        assert_eq!(host.login("alice").typing(alice.next_code()).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn a_code_may_have_spaces_hyphens_and_a_carriage_return() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let spelled: [fn(&str) -> String; 6] = [
            |code| format!("{}\u{a0}{}\u{202f}", &code[..3], &code[3..]),
            |code| format!("{code}\r"),
            |code| format!("{code}\r\n"),
            |code| format!(" {} {} ", &code[..3], &code[3..]),
            |code| format!("{}-{}", &code[..3], &code[3..]),
            |code| code.chars().flat_map(|digit| [digit, ' ']).collect(),
        ];
        for spell in spelled {
            let typed = spell(&alice.next_code());
            assert_eq!(host.login("alice").typing(&typed).code(), ReturnCode::SUCCESS, "{typed:?}");
        }
    });
}

#[test]
fn a_used_code_spelled_differently_is_still_used() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let code = alice.next_code();
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS);
        for typed in
            [format!("{code} "), format!(" {code}"), format!("{} {}", &code[..3], &code[3..]), format!("{code}\r")]
        {
            assert_eq!(host.login("alice").typing(&typed).code(), ReturnCode::AUTH_ERR, "{typed:?}");
        }
        assert_eq!(host.module_log().iter().filter(|line| line.contains("reason=replayed")).count(), 4);
    });
}

#[test]
fn the_password_instead_of_a_code_is_recognised_and_explained_and_not_counted() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        host.service("password", "auth required pam_unix.so nodelay\nauth required pam_twofactor.so\n");
        let outcome = host.login("alice").service("password").answering(&[PASSWORD.into(), PASSWORD.into()]);
        assert_eq!(outcome.code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&[
            "denied user=alice",
            "reason=password-repeated",
            "list \\\"password\\\" under prompt.combined",
        ]);
        assert_eq!(host.failures("alice"), 0);

        let right = host.login("alice").service("password").answering(&[PASSWORD.into(), (&alice.next_code()).into()]);
        assert_eq!(right.code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn the_dummy_password_of_sshd_is_no_guess() {
    private_host(|host| {
        host.user_with_fob("alice");
        let outcome = host.login("alice").answering(&["\u{8}\n\r\u{7f}INCORRECT".into()]);
        assert_eq!(outcome.code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=alice", "reason=password-repeated", "hint="]);
        assert_eq!(host.failures("alice"), 0);
    });
}

#[test]
fn the_same_wrong_code_sent_again_counts_once() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let wrong = alice.wrong_code();
        for _ in 0..3 {
            assert_eq!(host.login("alice").typing(&wrong).code(), ReturnCode::AUTH_ERR);
        }
        assert_eq!(host.failures("alice"), 1);
    });
}

#[test]
fn the_prompt_is_the_configured_one() {
    private_host(|host| {
        host.configure("[prompt]\ncode = \"Einmalcode für testhost: \"\n");
        let alice = host.user_with_fob("alice");
        let outcome = host.login("alice").typing(alice.next_code());
        assert_eq!(outcome.messages[0].text, "Einmalcode für testhost: ");
    });
}

#[test]
fn an_application_that_does_not_know_the_user_is_asked_for_the_name() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let outcome = host.nameless_login().answering(&["alice".into(), (&alice.next_code()).into()]);
        assert_eq!(outcome.code(), ReturnCode::SUCCESS);
        let styles: Vec<&str> = outcome.messages.iter().map(|message| message.style.as_str()).collect();
        assert_eq!(styles, ["prompt_echo_on", "prompt_echo_off"]);
        host.assert_logged(&["accepted user=alice"]);
        assert_eq!(host.nameless_login().answering(&[Answer::Fail]).code(), ReturnCode::CONV_ERR);
    });
}

#[test]
fn names_that_are_paths_or_escape_sequences_are_unknown_users_on_one_quoted_line() {
    private_host(|host| {
        host.user_with_fob("alice");
        let names = [
            "..",
            ".",
            "../alice",
            "/etc/passwd",
            "alice/../alice",
            "al\u{1b}[2Jice",
            "x\naccepted user=root",
            "al ice",
        ];
        for name in names {
            assert_eq!(host.login(name).typing(ANY_CODE).code(), ReturnCode::USER_UNKNOWN, "{name:?}");
        }
        let lines = host.module_log();
        assert_eq!(lines.len(), names.len(), "{lines:?}");
        for line in &lines {
            assert!(line.starts_with("pam_twofactor(test:auth): denied user="), "{line}");
            assert!(line.chars().all(|character| matches!(character, ' '..='~')), "{line:?}");
        }
        let forged = lines.iter().find(|line| line.contains("accepted")).unwrap();
        assert!(forged.contains(r#"user="x\x0aaccepted user=root""#), "{forged}");
    });
}

#[test]
fn a_remote_host_name_of_five_kilobytes_does_not_hide_the_reason() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let rhost = format!("{} reason=accepted", "h".repeat(5000));
        assert_eq!(host.login("alice").rhost(&rhost).typing(alice.wrong_code()).code(), ReturnCode::AUTH_ERR);
        let line = host.assert_logged(&["denied user=alice"]);
        assert!(line.ends_with("reason=wrong-code") && !line.contains("reason=accepted"), "{line}");
    });
}
