//! A code works once, always: for simultaneous logins, through crashes, and within the window.

use std::time::{Duration, Instant};

use twofactor_tests::oathtool::{Authenticator, Kind};
use twofactor_tests::pam::{Answer, Event, ReturnCode};
use twofactor_tests::private_host::private_host;
use twofactor_tests::random::Random;

#[test]
fn of_twenty_four_simultaneous_logins_with_one_code_exactly_one_wins() {
    const PROCESSES: usize = 24;
    const ROUNDS: usize = 50;
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let mut logins: Vec<_> = (0..PROCESSES).map(|_| host.login("alice").repeat(ROUNDS).start()).collect();
        for round in 0..ROUNDS {
            for login in &mut logins {
                assert!(matches!(login.advance(), Event::Prompt(_)));
            }
            // All of them are waiting at their prompts. Go.
            let code = alice.next_code();
            for login in &mut logins {
                login.answer(&(&code).into());
            }
            let mut codes = Vec::new();
            for login in &mut logins {
                assert_eq!(login.advance(), Event::End);
                codes.push(login.outcome().code());
            }
            let winners = codes.iter().filter(|code| **code == ReturnCode::SUCCESS).count();
            let replays = codes.iter().filter(|code| **code == ReturnCode::AUTH_ERR).count();
            assert_eq!((winners, replays), (1, PROCESSES - 1), "round {round}: {codes:?}");
        }
        for login in logins {
            login.finish();
        }
        let lines = host.module_log();
        assert_eq!(lines.iter().filter(|line| line.contains(": accepted ")).count(), ROUNDS);
        assert_eq!(host.failures("alice"), 0);
    });
}

#[test]
fn a_code_of_a_long_secret_opens_no_second_session_once_its_digest_is_enrolled() {
    // 80 bytes, and what HMAC makes of them, as a secret.
    const LONG: &str = "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPSAIJCEMSCKJRHFAUSUKZMFUXC6MBRGIZTINJWG44DSOR3HQ6T4P2AIFBEGRCFIZDUQSKKJNGE2TSP";
    const SHA1: &str = "HGO3ZH3SDZCKTEVA332C3GM3GKXUJGW4";
    const SHA256: &str = "YVTQL7VFWEILRXDDNCCTHTWSCFT6MKABOOD4RBKCHOBVUVPN2XXQ";
    private_host(|host| {
        for (user, digest, options) in
            [("alice", SHA1, &["--counter"][..]), ("bob", SHA256, &["--algorithm", "SHA256", "--force"])]
        {
            host.add_user(user);
            let enroll = |secret: &str| {
                let path = host.private_file("secret", secret);
                let file = ["--replace", "--secret-file", path.to_str().unwrap()];
                host.enroll(user, &[&file[..], options].concat()).authenticator
            };
            for (round, [first, second]) in (0..).zip([[LONG, digest], [digest, LONG]]) {
                let code = |app: &Authenticator| match app.kind {
                    Kind::Counter => app.counter_codes(round, 1).remove(0),
                    Kind::Time(_) => app.code(round.cast_signed()),
                };
                let code = code(&enroll(first));
                let before = host.module_log().len();
                assert_eq!(host.login(user).typing(&code).code(), ReturnCode::SUCCESS, "{user}");
                let twin = enroll(second);
                if twin.kind == Kind::Counter {
                    assert_eq!(
                        twin.counter_codes(round, 1),
                        std::slice::from_ref(&code),
                        "oathtool takes them for one key"
                    );
                }
                assert_eq!(host.login(user).typing(&code).code(), ReturnCode::AUTH_ERR, "{user}");
                let log = host.module_log()[before..].join("\n");
                assert!(log.contains(": accepted ") && log.contains("replayed"), "{log}");
            }
        }
    });
}

#[test]
fn many_users_logging_in_at_once_are_all_let_in() {
    const USERS: usize = 12;
    const ROUNDS: usize = 5;
    private_host(|host| {
        let names: Vec<String> = (0..USERS).map(|number| format!("user{number}")).collect();
        let tokens: Vec<_> = names.iter().map(|name| host.user_with_fob(name)).collect();
        let mut logins: Vec<_> = names.iter().map(|name| host.login(name).repeat(ROUNDS).start()).collect();
        for _ in 0..ROUNDS {
            for login in &mut logins {
                assert!(matches!(login.advance(), Event::Prompt(_)));
            }
            for (login, token) in logins.iter_mut().zip(&tokens) {
                login.answer(&(&token.next_code()).into());
            }
            for login in &mut logins {
                assert_eq!(login.advance(), Event::End);
                assert_eq!(login.outcome().code(), ReturnCode::SUCCESS);
            }
        }
    });
}

#[test]
fn a_login_killed_at_any_moment_never_leaves_a_used_code_good_or_an_account_broken() {
    const KILLS: usize = 100;
    let seed = Random::seed();
    private_host(|host| {
        println!("TWOFACTOR_TESTS_SEED={seed}");
        let mut random = Random::new(seed);
        let alice = host.user_with_fob("alice");
        let mut slowest = Duration::ZERO;
        for _ in 0..10 {
            let mut login = host.login("alice").start();
            assert!(matches!(login.advance(), Event::Prompt(_)));
            let answered = Instant::now();
            login.answer(&(&alice.next_code()).into());
            assert_eq!(login.advance(), Event::End);
            slowest = slowest.max(answered.elapsed());
        }
        let (mut accepted_before_death, mut recorded_before_death) = (0, 0);
        for kill in 0..KILLS {
            let code = alice.next_code();
            let mut login = host.login("alice").start();
            assert!(matches!(login.advance(), Event::Prompt(_)));
            let answered = Instant::now();
            login.answer(&(&code).into());
            let moment = slowest * u32::try_from(random.below(1000)).unwrap() / 1000;
            while answered.elapsed() < moment {
                std::hint::spin_loop();
            }
            let said = login.kill();
            let accepted = said.results.iter().any(|(_, code)| *code == ReturnCode::SUCCESS);
            accepted_before_death += usize::from(accepted);

            let again = host.login("alice").typing(&code).code();
            recorded_before_death += usize::from(!accepted && again == ReturnCode::AUTH_ERR);
            if accepted {
                assert_eq!(again, ReturnCode::AUTH_ERR, "kill {kill}: the code had opened a session");
            }
            // Killed before its success was recorded, the code is good once more; otherwise it is not.
            assert!(matches!(again, ReturnCode::SUCCESS | ReturnCode::AUTH_ERR), "kill {kill}: {again:?}");
            assert_eq!(
                host.login("alice").typing(&code).code(),
                ReturnCode::AUTH_ERR,
                "kill {kill}: used for certain now"
            );
        }
        println!(
            "of {KILLS}: {accepted_before_death} had opened a session, {recorded_before_death} more were recorded"
        );
        assert_eq!(host.login("alice").typing(alice.next_code()).code(), ReturnCode::SUCCESS);
        assert_eq!(host.failures("alice"), 0);
    });
}

#[test]
fn a_login_that_cannot_count_an_attempt_says_nothing_about_the_code() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let right = alice.next_code();
        for code in [&right, &alice.wrong_code()] {
            // Whoever starts a setuid program chooses its limits; a write beyond this one kills the process.
            let mut login = host.login("alice").after("ulimit -f 0").start();
            assert!(matches!(login.advance(), Event::Prompt(_)));
            login.answer(&code.into());
            assert_eq!(login.last_words().results, []);
        }
        assert_eq!(host.login("alice").typing(&right).code(), ReturnCode::SUCCESS, "nothing was burned");
    });
}

#[test]
fn codes_up_to_two_steps_away_are_accepted_and_three_steps_away_are_not() {
    private_host(|host| {
        // Otherwise a code outside the window is followed by a question for the next one.
        host.configure("[window]\nresync_at_login = false\n");
        let mut user = String::new();
        let any = host.user_with_app("first").authenticator;
        let tried = any.within_one_step(|| {
            user.push('a');
            let alice = host.user_with_app(&user);
            [-3, 3, -2, -1, 0, 1, 2]
                .map(|steps| (steps, host.login(&user).typing(alice.authenticator.code(steps)).code()))
        });
        for (steps, code) in tried {
            let expected = if steps.abs() <= 2 { ReturnCode::SUCCESS } else { ReturnCode::AUTH_ERR };
            assert_eq!(code, expected, "{steps} steps away");
        }
    });
}

#[test]
fn a_newer_code_burns_all_older_ones() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let (older, newer) = (alice.authenticator.code(-1), alice.authenticator.code(1));
        assert_eq!(host.login("alice").typing(&newer).code(), ReturnCode::SUCCESS);
        assert_eq!(host.login("alice").typing(&older).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=alice", "reason=replayed"]);
    });
}

#[test]
fn a_code_used_at_one_service_is_used_at_every_other() {
    private_host(|host| {
        host.service("other-service", "auth required pam_twofactor.so\n");
        let alice = host.user_with_app("alice");
        let code = alice.code();
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS);
        let elsewhere = host.login("alice").service("other-service").rhost("192.0.2.7").typing(&code);
        assert_eq!(elsewhere.code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=alice service=other-service rhost=192.0.2.7", "reason=replayed"]);
    });
}

#[test]
fn a_code_used_in_a_session_is_used_in_the_same_session_too() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let code = Answer::from(&alice.code());
        let outcome = host.login("alice").calls("authenticate,authenticate").answering(&[code.clone(), code]);
        let codes: Vec<ReturnCode> = outcome.results.iter().map(|(_, code)| *code).collect();
        assert_eq!(codes, [ReturnCode::SUCCESS, ReturnCode::AUTH_ERR]);
    });
}

#[test]
fn every_algorithm_length_and_period_that_can_be_enrolled_logs_in() {
    private_host(|host| {
        for (number, (algorithm, digits, period)) in
            [("SHA1", "6", "30"), ("SHA256", "7", "60"), ("SHA512", "8", "300"), ("SHA1", "8", "10")]
                .into_iter()
                .enumerate()
        {
            let user = format!("alice{number}");
            host.add_user(&user);
            let alice = host.enroll(&user, &["--algorithm", algorithm, "--digits", digits, "--period", period]);
            let code = alice.code();
            assert_eq!(code.len().to_string(), digits);
            assert_eq!(host.login(&user).typing(&code).code(), ReturnCode::SUCCESS, "{algorithm} {digits} {period}");
        }
    });
}

#[test]
fn a_recovery_code_opens_one_session_with_or_without_its_hyphens() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        assert_eq!(alice.recovery_codes.len(), 10);
        let [first, second, ..] = &alice.recovery_codes[..] else { panic!("ten recovery codes") };
        assert_eq!(host.login("alice").typing(first).code(), ReturnCode::SUCCESS);
        host.assert_logged(&["accepted user=alice", "token=recovery recovery_codes_left=9"]);
        let digits = |code: &str| code.chars().filter(char::is_ascii_digit).collect::<String>();
        for spelled in [first.clone(), digits(first), format!(" {first} ")] {
            assert_eq!(host.login("alice").typing(&spelled).code(), ReturnCode::AUTH_ERR, "{spelled:?}");
        }
        assert_eq!(host.login("alice").typing(digits(second)).code(), ReturnCode::SUCCESS);
        assert_eq!(host.failures("alice"), 0);
    });
}
