//! Setting up an app that is broken off or overtaken, or for whom nobody can tell.

use twofactor_tests::first_login::{FIRST, SECOND, SERIAL};
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::{Answer, Event, ReturnCode, Running};
use twofactor_tests::private_host::{Host, PASSWORD, private_host};
use twofactor_tests::ssh::{Client, Sshd};
use twofactor_tests::terminal::Terminal;

use crate::fobs::imported;
use crate::{
    CODE, CONFIRM, ENROLL, INVITATION, INVITED, Offer, STACK, WRITE_DOWN, assert_not_enrolled, client, configure,
    enrolled_over_ssh, invite, module_alone, offered, offered_again, recovery_codes, write_down,
};

/// What somebody types before he hangs up, and the question that he then sees.
type Step<'s> = (&'s str, &'s str);

/// Typed in the place of a code that is wrong for the secret at hand.
const WRONG: &str = "a wrong code";

/// The ways below the QR code at which somebody may hang up.
const WAYS: [&[Step<'_>]; 9] = [
    &[],
    &[("ascii", CONFIRM)],
    &[("letters", CONFIRM)],
    &[(WRONG, CONFIRM)],
    &[(WRONG, CONFIRM), (WRONG, CONFIRM)],
    &[("token", SERIAL)],
    &[("token", SERIAL), ("T0000001", FIRST)],
    &[("token", SERIAL), ("T0000001", FIRST), (ANY_CODE, SECOND)],
    &[(WRONG, CONFIRM), ("token", SERIAL), ("T0000001", FIRST), (ANY_CODE, SECOND)],
];

/// Goes a way below the QR code and hangs up: the terminal is closed, as when a window is. Gives the secret that was shown.
#[track_caller]
fn hang_up(host: &Host, sshd: &Sshd<'_>, mut terminal: Terminal, offer: &Offer, way: &[Step<'_>]) -> String {
    let mut wrong = offer.app.wrong_codes();
    for (typed, question) in way {
        let typed = if *typed == WRONG { wrong.next().unwrap() } else { (*typed).to_owned() };
        terminal.type_line(&typed);
        terminal.expect(question);
    }
    drop(terminal);
    sshd.wait_until_everybody_left();
    assert_not_enrolled(host, "alice");
    offer.app.secret.clone()
}

#[track_caller]
fn assert_all_different(mut secrets: Vec<String>) {
    let all = secrets.len();
    secrets.sort_unstable();
    secrets.dedup();
    assert_eq!(secrets.len(), all, "no secret is shown twice");
}

#[test]
fn hanging_up_at_any_question_leaves_nothing_and_the_next_login_shows_another_secret() {
    private_host(|host| {
        let _broker = host.broker();
        configure(host, ENROLL);
        host.add_user("alice");
        let fob = imported(host);
        let sshd = host.sshd_with(STACK, "");
        let mut secrets = Vec::new();
        for way in WAYS {
            let mut terminal = sshd.terminal(&client("alice"));
            let offer = offered(&mut terminal);
            secrets.push(hang_up(host, &sshd, terminal, &offer, way));
        }
        assert_eq!(host.json(&["token", "show", &fob.serial])["state"], "inventory");
        secrets.push(enrolled_over_ssh(&sshd, "alice").secret);
        assert_all_different(secrets);
    });
}

#[test]
fn hanging_up_at_the_invitation_or_behind_it_spends_nothing() {
    private_host(|host| {
        configure(host, INVITED);
        host.add_user("alice");
        imported(host);
        let sshd = host.sshd_with(STACK, "");
        let code = invite(host, "alice");
        let at_the_invitation = || {
            let mut terminal = sshd.terminal(&client("alice"));
            terminal.expect("Password: ");
            terminal.type_line(PASSWORD);
            assert!(!terminal.expect(INVITATION).contains("Secret:"));
            terminal
        };
        let behind_the_invitation = || {
            let mut terminal = at_the_invitation();
            terminal.type_line(&code);
            let offer = Offer::read(&terminal.expect(CONFIRM));
            (terminal, offer)
        };
        drop(at_the_invitation());
        sshd.wait_until_everybody_left();
        assert_not_enrolled(host, "alice");
        let mut secrets = Vec::new();
        for way in WAYS {
            let (terminal, offer) = behind_the_invitation();
            secrets.push(hang_up(host, &sshd, terminal, &offer, way));
        }
        // The same invitation is still good, and then it is spent.
        let (mut terminal, offer) = behind_the_invitation();
        terminal.type_line(&offer.app.code(0));
        write_down(&mut terminal);
        terminal.expect("$ ");
        secrets.push(offer.app.secret);
        assert_all_different(secrets);
        host.assert_logged(&["enrolled user=alice"]);
        host.succeed("twofactor", ["reset", "alice", "--yes"]);
        let mut terminal = at_the_invitation();
        terminal.type_line(&code);
        assert!(!terminal.wait().success());
        host.assert_logged(&["denied user=alice", "reason=invitation-wrong"]);
    });
}

/// The one secret that is shown a second time is asked for when the password is known to be right.
#[test]
fn hanging_up_at_a_secret_that_was_kept_leaves_it_to_be_confirmed() {
    private_host(|host| {
        configure(host, ENROLL);
        let alice = host.user_with_app("alice");
        host.succeed("twofactor", ["reset", "alice", "--keep-secret", "--yes"]);
        let sshd = host.sshd_with(STACK, "");
        for way in [&[][..], &[("ascii", CONFIRM)], &[(WRONG, CONFIRM)], &[(WRONG, CONFIRM), (WRONG, CONFIRM)]] {
            let mut terminal = sshd.terminal(&client("alice"));
            let offer = offered_again(&mut terminal);
            assert_eq!(offer.app.secret, alice.authenticator.secret);
            let mut wrong = offer.app.wrong_codes();
            for (typed, question) in way {
                terminal.type_line(&if *typed == WRONG { wrong.next().unwrap() } else { (*typed).to_owned() });
                terminal.expect(question);
            }
            drop(terminal);
            sshd.wait_until_everybody_left();
            let status = host.json(&["status", "alice"]);
            assert_eq!(status["tokens"][0]["state"], "pending", "{status}");
        }
        let mut terminal = sshd.terminal(&client("alice"));
        let offer = offered_again(&mut terminal);
        terminal.type_line(&offer.app.code(0));
        write_down(&mut terminal);
        terminal.expect("$ ");
    });
}

#[test]
fn hanging_up_at_the_recovery_codes_neither_undoes_nor_refuses() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        // The window is closed there, and Ctrl-D is pressed there.
        let sshd = host.sshd_with(STACK, "");
        let mut terminal = sshd.terminal(&client("alice"));
        let offer = offered(&mut terminal);
        terminal.type_line(&offer.app.code(0));
        let codes = recovery_codes(&terminal.expect(WRITE_DOWN));
        drop(terminal);
        sshd.wait_until_everybody_left();
        host.assert_logged(&["enrolled user=alice"]);
        sshd.opens(&Client { code: &offer.app.code(1), ..client("alice") });
        sshd.opens(&Client { code: &codes[0], ..client("alice") });

        // Applications that refuse the question, and one that has no answer for it.
        module_alone(host, "hangs-up", "");
        for last in [Answer::Fail, Answer::Null, Answer::from(ANY_CODE)] {
            host.succeed("twofactor", ["reset", "alice", "--yes"]);
            let mut session = host.login("alice").service("hangs-up").calls("authenticate,account").start();
            session.expect_prompt();
            let app = Offer::read(&session.so_far().texts().join("\n")).app;
            session.answer(&Answer::from(&app.code(0)));
            session.expect_prompt();
            session.answer(&last);
            assert_eq!(session.advance(), Event::End);
            assert_eq!(session.outcome().code_of("account"), ReturnCode::SUCCESS, "{last:?}");
            session.finish();
            let login = host.login("alice").service("hangs-up").typing(app.code(1));
            assert_eq!(login.code(), ReturnCode::SUCCESS, "{last:?}");
        }
        host.assert_logged(&["error user=alice", "reason=conversation", "twofactor recovery alice"]);
    });
}

#[test]
fn of_two_sessions_one_wins_and_the_other_is_told_to_log_in_again() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let (mut quick, mut slow) = (sshd.terminal(&client("alice")), sshd.terminal(&client("alice")));
        let (first, second) = (offered(&mut quick), offered(&mut slow));
        assert_ne!(first.app.secret, second.app.secret);
        quick.type_line(&first.app.code(0));
        write_down(&mut quick);
        quick.expect("$ ");
        slow.type_line(&second.app.code(0));
        slow.expect("Your second factor could not be set up. Log in again.");
        assert!(!slow.wait().success());
        assert!(recovery_codes(&slow.shown()).is_empty(), "{}", slow.shown());
        host.assert_logged(&["sshd:account", "denied user=alice", "reason=not-confirmed", "meanwhile"]);

        assert!(!sshd.client(&Client { code: &second.app.code(1), ..client("alice") }).opened());
        sshd.opens(&Client { code: &first.app.code(1), ..client("alice") });
        let status = host.json(&["status", "alice"]);
        assert_eq!(status["tokens"].as_array().map(Vec::len), Some(1), "{status}");
    });
}

#[test]
fn of_many_sessions_that_confirm_at_once_exactly_one_is_stored() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        module_alone(host, "crowd", "");
        let login = || host.login("alice").service("crowd").calls("authenticate,account").start();
        let mut sessions: Vec<Running> = (0..12).map(|_| login()).collect();
        let offers: Vec<Offer> = sessions
            .iter_mut()
            .map(|session| {
                session.expect_prompt();
                Offer::read(&session.so_far().texts().join("\n"))
            })
            .collect();
        let codes: Vec<String> = offers.iter().map(|offer| offer.app.code(0)).collect();
        for (session, code) in sessions.iter_mut().zip(&codes) {
            session.answer(&code.into());
        }
        let mut stored = Vec::new();
        for (mut session, offer) in sessions.into_iter().zip(offers) {
            if matches!(session.advance(), Event::Prompt(_)) {
                session.answer(&"".into());
                assert_eq!(session.advance(), Event::End);
            }
            let outcome = session.outcome();
            assert_eq!(outcome.code(), ReturnCode::SUCCESS);
            match outcome.code_of("account") {
                ReturnCode::SUCCESS => stored.push(offer),
                refused => {
                    assert_eq!(refused, ReturnCode::AUTH_ERR);
                    assert!(outcome.texts().join("").contains("Log in again."), "{outcome:?}");
                    assert_eq!(outcome.prompts().len(), 1, "recovery codes are the winner's: {outcome:?}");
                }
            }
            session.finish();
        }
        assert_eq!(stored.len(), 1);
        let enrolled = host.module_log().iter().filter(|line| line.contains(": enrolled")).count();
        assert_eq!(enrolled, 1);
        assert_eq!(host.login("alice").service("crowd").typing(stored[0].app.code(1)).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn where_nobody_can_tell_who_is_enrolled_nobody_is_shown_a_secret() {
    private_host(|host| {
        configure(host, ENROLL);
        let alice = host.user_with_app("alice");
        let sshd = host.sshd_with(STACK, "");
        host.succeed("mv", ["/var/lib/twofactor/users", "/var/lib/twofactor/away"]);
        let refused = sshd.client(&Client { code: &alice.code(), ..client("alice") });
        assert!(!refused.opened(), "a missing folder is not an empty one");
        assert!(!refused.prompts.iter().any(|prompt| prompt.contains("otpauth")), "{:?}", refused.prompts);
        host.assert_logged(&["error user=alice", "reason=store-unavailable"]);
        host.succeed("mv", ["/var/lib/twofactor/away", "/var/lib/twofactor/users"]);
        let session = sshd.client(&Client { code: &alice.code(), ..client("alice") });
        assert!(session.opened());
        assert_eq!(session.prompts, ["Password: ", CODE]);
    });
}
