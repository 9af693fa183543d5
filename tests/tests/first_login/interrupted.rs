//! Setting up an app that is broken off, overtaken, or cannot be written down.

use std::path::Path;

use twofactor_tests::pam::{Event, ReturnCode, Running};
use twofactor_tests::private_host::private_host;
use twofactor_tests::ssh::Client;

use crate::{
    CODE, CONFIRM, ENROLL, Offer, STACK, assert_not_enrolled, client, configure, enrolled_over_ssh, module_alone,
    offered, recovery_codes,
};

#[test]
fn hanging_up_at_any_question_leaves_nothing_and_the_next_login_shows_another_secret() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let mut secrets = Vec::new();
        let token = "Serial number of the token: ";
        let ways: [&[(&str, &str)]; 6] = [
            &[],
            &[("ascii", CONFIRM)],
            &[("letters", CONFIRM)],
            &[("token", token)],
            &[("token", token), ("4711", "Code it shows now: ")],
            &[("token", token), ("4711", "Code it shows now: "), ("123456", "Wait for the next code: ")],
        ];
        for way in ways {
            let mut terminal = sshd.terminal(&client("alice"));
            secrets.push(offered(&mut terminal).app.secret);
            for (typed, question) in way {
                terminal.type_line(typed);
                terminal.expect(question);
            }
            drop(terminal);
            assert_not_enrolled(host, "alice");
        }
        secrets.push(enrolled_over_ssh(&sshd, "alice").secret);
        let all = secrets.len();
        secrets.sort_unstable();
        secrets.dedup();
        assert_eq!(secrets.len(), all, "no secret is shown twice");
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
        quick.expect("$ ");
        slow.type_line(&second.app.code(0));
        slow.expect("Your second factor could not be set up. Log in again.");
        assert!(!slow.wait().success());
        assert!(recovery_codes(&slow.shown()).is_empty(), "{}", slow.shown());
        host.assert_logged(&["sshd:account", "denied user=alice", "reason=not-confirmed", "meanwhile"]);

        assert!(!sshd.client(&Client { code: &second.app.code(1), ..client("alice") }).opened());
        assert!(sshd.client(&Client { code: &first.app.code(1), ..client("alice") }).opened());
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
                assert!(matches!(session.advance(), Event::Prompt(_)));
                Offer::read(&session.so_far().texts().join("\n"))
            })
            .collect();
        let codes: Vec<String> = offers.iter().map(|offer| offer.app.code(0)).collect();
        for (session, code) in sessions.iter_mut().zip(&codes) {
            session.answer(&code.into());
        }
        let mut stored = Vec::new();
        for (mut session, offer) in sessions.into_iter().zip(offers) {
            assert_eq!(session.advance(), Event::End);
            let outcome = session.outcome();
            assert_eq!(outcome.code(), ReturnCode::SUCCESS);
            match outcome.code_of("account") {
                ReturnCode::SUCCESS => stored.push(offer),
                refused => {
                    assert_eq!(refused, ReturnCode::AUTH_ERR);
                    assert!(outcome.texts().join("").contains("Log in again."), "{outcome:?}");
                    assert!(recovery_codes(&outcome.texts().join("\n")).is_empty());
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
fn on_a_full_disk_nobody_is_enrolled_and_with_room_again_it_works() {
    private_host(|host| {
        host.succeed("mkdir", ["/var/lib/twofactor"]);
        host.succeed("mount", ["-t", "tmpfs", "-o", "size=256k,mode=0700", "small", "/var/lib/twofactor"]);
        configure(host, ENROLL);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let fill = || {
            let filler = host.command("dd").args(["if=/dev/zero", "of=/var/lib/twofactor/filler", "bs=4k"]).output();
            assert!(!filler.unwrap().status.success(), "the disk is full, which is the point");
        };
        fill();
        let mut terminal = sshd.terminal(&client("alice"));
        let lost = offered(&mut terminal);
        terminal.type_line(&lost.app.code(0));
        terminal.expect("Your second factor could not be set up. Log in again.");
        assert!(!terminal.wait().success());
        assert!(recovery_codes(&terminal.shown()).is_empty(), "{}", terminal.shown());
        host.assert_logged(&["sshd:account", "error user=alice", "reason=store-unavailable", "the disk is full"]);
        assert_not_enrolled(host, "alice");

        std::fs::remove_file("/var/lib/twofactor/filler").unwrap();
        let app = enrolled_over_ssh(&sshd, "alice");
        assert_ne!(app.secret, lost.app.secret);
        assert!(sshd.client(&Client { code: &app.code(1), ..client("alice") }).opened());
        assert!(!sshd.client(&Client { code: &lost.app.code(1), ..client("alice") }).opened());
    });
}

#[test]
fn room_for_the_state_and_none_for_the_secret_is_no_enrollment_either() {
    private_host(|host| {
        host.succeed("mkdir", ["/var/lib/twofactor"]);
        host.succeed("mount", ["-t", "tmpfs", "-o", "size=256k,mode=0700", "small", "/var/lib/twofactor"]);
        configure(host, ENROLL);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let block = |number: u32| format!("/var/lib/twofactor/block{number}");
        let mut blocks = (0..1000).take_while(|number| std::fs::write(block(*number), [0; 4096]).is_ok()).count();
        let _ = std::fs::remove_file(block(u32::try_from(blocks).unwrap()));
        // One page more of room every time, until it is enough.
        loop {
            let mut terminal = sshd.terminal(&client("alice"));
            let offer = offered(&mut terminal);
            terminal.type_line(&offer.app.code(0));
            if terminal.expect_any(&["could not be set up", "is set up."]).0 == 1 {
                assert!(sshd.client(&Client { code: &offer.app.code(1), ..client("alice") }).opened());
                break;
            }
            assert!(!terminal.wait().success());
            assert_not_enrolled(host, "alice");
            blocks = blocks.checked_sub(1).expect("an empty disk is enough");
            std::fs::remove_file(block(u32::try_from(blocks).unwrap())).unwrap();
        }
        assert!(Path::new("/var/lib/twofactor/users/alice/secret.toml").exists());
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
