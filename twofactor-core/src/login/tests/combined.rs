//! Password and code in one answer where no code is needed.

use super::*;

/// alice logs in to the combined service.
fn logs_in(host: &Host, answer: &str) -> Outcome {
    host.login_with("alice", "xrdp-sesman", NullOk::No, None, vec![types(answer)])
}

/// A host on which a login is remembered, and one that asks nothing.
fn waiving() -> [Host; 2] {
    let remembers = Host::with_rules("[[rule]]\nsecond_factor = \"required\"\nremember = \"1h\"\n");
    assert!(logs_in(&remembers, &format!("hunter2{}", remembers.code())).is_accepted());
    [remembers, Host::at_level(Level::Off)]
}

#[test]
fn a_right_code_where_none_is_needed_is_burned_and_the_password_is_handed_on() {
    for host in waiving() {
        let code = (host.secret_code)(1);
        let outcome = logs_in(&host, &format!("hunter2{code}"));
        assert!(outcome.is_waived(), "{:?}", outcome.verdict);
        assert_eq!(outcome.password.as_deref(), Some("hunter2"));
        assert_eq!(outcome.prompts, [COMBINED_PROMPT]);
        assert!(outcome.lines[0].starts_with("skipped user=alice service=xrdp-sesman"), "{:?}", outcome.lines);
        assert!(outcome.lines[0].ends_with("token=app drift=1"), "{:?}", outcome.lines);
        let again = logs_in(&host, &format!("hunter2{code}"));
        assert_eq!((again.is_waived(), again.password), (true, None), "a used code is part of a wrong password");
        let elsewhere = Host { config: Config::default(), ..host };
        assert_eq!(elsewhere.types("alice", &code).denial(), Reason::Replayed);
    }
}

#[test]
fn a_recovery_code_where_none_is_needed_is_burned_too() {
    let [_, host] = waiving();
    let outcome = logs_in(&host, &format!("hunter2{}", host.recovery));
    assert_eq!((outcome.is_waived(), outcome.password.as_deref()), (true, Some("hunter2")));
    assert!(outcome.lines[0].ends_with("token=recovery recovery_codes_left=0"), "{:?}", outcome.lines);
}

#[test]
fn whatever_ends_in_no_right_code_is_handed_on_whole() {
    for host in waiving() {
        for answer in ["hunter2".to_owned(), format!("hunter2{}", host.wrong("alice")), String::new()] {
            let outcome = logs_in(&host, &answer);
            // Nothing was put in the place of what libpam keeps.
            assert_eq!((outcome.is_waived(), outcome.password), (true, None), "{answer}");
        }
    }
    for (level, user) in [(Level::Off, "bob"), (Level::Optional, "bob"), (Level::Off, "nobody-here")] {
        let host = Host::at_level(level);
        let answer = vec![types(&format!("hunter2{}", host.code()))];
        let outcome = host.login_with(user, "xrdp-sesman", NullOk::No, None, answer);
        assert_eq!((outcome.is_waived(), outcome.password), (true, None), "{user}");
    }
}

#[test]
fn guesses_where_no_code_is_needed_count_apart_and_soon_nothing_is_stripped() {
    let host = Host::at_level(Level::Off);
    let alice = UserName::new("alice").unwrap();
    for wrong in host.store.wrong_codes(&alice, NOW).take(5) {
        assert!(logs_in(&host, &format!("hunter2{wrong}")).is_waived());
    }
    let outcome = logs_in(&host, &format!("hunter2{}", host.code()));
    assert_eq!(
        (outcome.is_waived(), outcome.password),
        (true, None),
        "a right code is no longer told from a wrong one"
    );
    let code = host.code();
    let asked = Host { config: Config::default(), ..host };
    assert!(asked.types("alice", &code).is_accepted(), "that delays no login");

    for wrong in asked.store.wrong_codes(&alice, NOW).take(6) {
        let _ = asked.types("alice", &wrong);
    }
    let host = Host { config: Host::at_level(Level::Off).config, ..asked };
    let answer = format!("hunter2{}", (host.secret_code)(2));
    let later = |answer: &str| {
        host.login_from(
            "alice",
            "xrdp-sesman",
            Some("192.0.2.7"),
            NOW.after(Duration::from_secs(16)),
            vec![types(answer)],
        )
    };
    assert_eq!(later(&answer).password.as_deref(), Some("hunter2"), "nor do guesses at logins delay this");
}

#[test]
fn a_store_that_cannot_be_read_refuses_nobody_who_needs_no_code() {
    let host = Host::at_level(Level::Off);
    let code = host.code();
    std::fs::write(host.directory.path().join("users/alice/state"), "garbage").unwrap();
    let outcome = logs_in(&host, &format!("hunter2{code}"));
    assert_eq!((outcome.is_waived(), outcome.password), (true, None));
    assert!(outcome.lines[0].starts_with("error user=alice") && outcome.lines[0].contains("store-corrupt"));
    assert!(outcome.lines[1].starts_with("skipped user=alice"));
}

#[test]
fn hanging_up_at_the_prompt_of_a_combined_service_ends_the_login() {
    let host = Host::at_level(Level::Off);
    let outcome = host.login_with("alice", "xrdp-sesman", NullOk::No, None, vec![Act::HangsUp]);
    assert_eq!(outcome.denial(), Reason::Conversation);
}
