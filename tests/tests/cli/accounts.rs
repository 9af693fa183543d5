//! `status`, `verify`, `reset`, `recovery`, `unlock`: what a sysadmin does with accounts.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;
use twofactor_tests::moment::Moment;
use twofactor_tests::oathtool;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{private_host, said};
use twofactor_tests::requirements::stopped_clock_met;
use twofactor_tests::terminal::{Size, Terminal};

use crate::{stderr, stdout};

#[test]
fn verify_burns_nothing_and_counts_nothing() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let (right, wrong) = (alice.code(), alice.wrong_code());
        for _ in 0..7 {
            assert_eq!(host.run_twofactor(&["verify", "alice", &right]).status.code(), Some(0));
            assert_eq!(host.run_twofactor(&["verify", "alice", &wrong]).status.code(), Some(5));
        }
        assert_eq!(host.failures("alice"), 0);
        assert_eq!(host.login("alice").typing(&right).code(), ReturnCode::SUCCESS);
        let replayed = host.run_twofactor(&["verify", "alice", &right]);
        assert_eq!(replayed.status.code(), Some(5));
        assert!(stderr(&replayed).contains("replayed"), "{}", said(&replayed));
    });
}

#[test]
fn verify_takes_the_code_from_a_pipe_and_from_a_terminal() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let mut command = host.twofactor(&["verify", "alice"]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        process.stdin.take().unwrap().write_all(format!("{}\n", alice.code()).as_bytes()).unwrap();
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));

        let mut terminal = Terminal::start(&host.twofactor(&["verify", "alice"]), Size::LARGE);
        terminal.expect("Code: ");
        terminal.type_line(&alice.code());
        assert!(terminal.wait().success());
        assert!(terminal.shown().contains("would be accepted"), "{}", terminal.shown());

        let recovery = host.run_twofactor(&["verify", "alice", &alice.recovery_codes[0]]);
        assert!(recovery.status.success());
        assert_eq!(host.login("alice").typing(&alice.recovery_codes[0]).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn reset_forgets_everything_at_the_next_login() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        host.succeed("twofactor", ["reset", "alice", "--yes"]);
        assert_eq!(host.run_twofactor(&["status", "alice"]).status.code(), Some(3));
        assert_eq!(host.login("alice").typing(alice.next_code()).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=alice", "reason=not-enrolled"]);
        let fresh = host.enroll("alice", &["--counter"]);
        assert_ne!(fresh.authenticator.secret, alice.authenticator.secret);
        assert_eq!(host.login("alice").typing(fresh.next_code()).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn reset_keeping_the_secret_offers_the_same_secret_again_and_its_used_codes_stay_used() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let code = alice.code();
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS);
        host.succeed("twofactor", ["reset", "alice", "--keep-secret", "--yes"]);
        assert_eq!(host.json(&["status", "alice"])["tokens"][0]["state"], "pending");
        let again = host.enroll("alice", &[]);
        assert_eq!(again.authenticator.secret, alice.authenticator.secret);
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTH_ERR);
        assert_eq!(host.login("alice").typing(alice.authenticator.code(1)).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn reset_asks_at_a_terminal_and_refuses_where_nobody_can_be_asked() {
    private_host(|host| {
        host.user_with_app("alice");
        let refused = host.run_twofactor(&["reset", "alice"]);
        assert_eq!(refused.status.code(), Some(7));
        assert!(stderr(&refused).contains("--yes"), "{}", said(&refused));
        for (answer, status) in [("n", 7), ("", 7), ("y", 0)] {
            let mut terminal = Terminal::start(&host.twofactor(&["reset", "alice"]), Size::LARGE);
            terminal.expect("[y/N] ");
            terminal.type_line(answer);
            assert_eq!(terminal.wait().code(), Some(status), "{answer:?}");
        }
        assert_eq!(host.run_twofactor(&["status", "alice"]).status.code(), Some(3));
    });
}

#[test]
fn new_recovery_codes_void_the_old_ones() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let new = host.json(&["recovery", "alice", "--count", "3"]);
        let new: Vec<&str> =
            new["recovery_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
        assert_eq!(new.len(), 3);
        assert_eq!(host.json(&["status", "alice"])["recovery_codes"], 3);
        assert_eq!(host.login("alice").typing(&alice.recovery_codes[0]).code(), ReturnCode::AUTH_ERR);
        assert_eq!(host.login("alice").typing(new[2]).code(), ReturnCode::SUCCESS);
        assert_eq!(host.json(&["status", "alice"])["recovery_codes"], 2);
        let shown = host.succeed("twofactor", ["recovery", "alice"]);
        assert_eq!(crate::recovery_codes(&shown).len(), 10, "{shown}");
        let none = host.run_twofactor(&["recovery", "alice", "--count", "0"]);
        assert!(none.status.success() && crate::recovery_codes(&stdout(&none)).is_empty());
        assert_eq!(host.json(&["status", "alice"])["recovery_codes"], 0);
    });
}

#[test]
fn unlock_forgets_wrong_codes() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        for _ in 0..6 {
            assert_ne!(host.login("alice").rhost("192.0.2.7").typing(alice.wrong_code()).code(), ReturnCode::SUCCESS);
        }
        let locked = host.json(&["status", "alice"]);
        assert_eq!(locked["failures"], 5, "a throttled attempt is not counted");
        assert!(locked["blocked_until"].is_string());
        let warned = host.run_twofactor(&["verify", "alice", &alice.authenticator.counter_codes(0, 1)[0]]);
        assert!(stderr(&warned).contains("too many wrong codes"), "{}", said(&warned));
        host.succeed("twofactor", ["unlock", "alice"]);
        assert!(host.json(&["status", "alice"])["blocked_until"].is_null());
        assert_eq!(host.login("alice").rhost("192.0.2.7").typing(alice.next_code()).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn status_shows_everybody_and_one_in_detail() {
    private_host(|host| {
        assert_eq!(host.json(&["status"]), serde_json::json!([]), "nobody is enrolled on a new host");
        let alice = host.user_with_app("alice");
        host.user_with_fob("bob");
        assert_eq!(host.login("alice").rhost("192.0.2.7").typing(alice.code()).code(), ReturnCode::SUCCESS);
        let table = host.succeed("twofactor", ["status"]);
        let row =
            |user: &str| table.lines().find(|line| line.starts_with(user)).unwrap_or_else(|| panic!("{user}: {table}"));
        assert!(row("alice").contains("totp") && row("bob").contains("hotp"), "{table}");
        let detail = host.succeed("twofactor", ["status", "alice"]);
        assert!(detail.contains("192.0.2.7") && detail.contains("10 left"), "{detail}");
        for text in [&table, &detail, &host.json(&["status", "alice"]).to_string()] {
            assert!(!text.contains(&alice.authenticator.secret), "{text}");
        }
    });
}

#[test]
fn status_shows_open_invitations_also_of_users_who_are_not_enrolled() {
    if !stopped_clock_met() {
        return;
    }
    private_host(|host| {
        host.configure("[default]\nsecond_factor = \"enroll\"\n[enrollment]\ninvitation = \"required\"\n");
        host.user_with_app("alice");
        for name in ["bobby", "carol", "david"] {
            host.add_user(name);
        }
        // Her secret is to be confirmed again, with an invitation.
        host.succeed("twofactor", ["reset", "alice", "--keep-secret", "--yes"]);
        let until = |user: &str| host.json(&["invite", user])["until"].as_str().unwrap().to_owned();
        let (alice, bobby) = (until("alice"), until("bobby"));
        until("carol");
        host.succeed("twofactor", ["invite", "carol", "--revoke"]);
        let long_ago = Moment(oathtool::now() - 86_401);
        assert!(host.run_twofactor_at(long_ago, &["invite", "david"]).status.success());

        let all = host.json(&["status"]);
        let invited: Vec<_> =
            all.as_array().unwrap().iter().map(|user| (user["user"].clone(), user["invited_until"].clone())).collect();
        assert_eq!(invited, [(json!("alice"), json!(alice)), (json!("bobby"), json!(bobby))], "{all:#}");
        let table = host.succeed("twofactor", ["status"]);
        for (user, until) in [("alice", &alice), ("bobby", &bobby)] {
            let line = table.lines().find(|line| line.starts_with(user)).unwrap();
            assert!(line.contains(&format!("invited until {until}")), "{table}");
        }
        let detailed = host.succeed("twofactor", ["status", "alice"]);
        assert!(detailed.contains(&format!("Invitation:      open until {alice}\n")), "{detailed}");
        let newcomer = host.run_twofactor(&["status", "bobby"]);
        assert_eq!(newcomer.status.code(), Some(3), "invited is not enrolled: {}", said(&newcomer));
        assert!(stdout(&newcomer).contains(&format!("Invitation:      open until {bobby}\n")), "{}", said(&newcomer));
        let newcomer = host.run_twofactor(&["--json", "status", "bobby"]);
        let newcomer: serde_json::Value = serde_json::from_slice(&newcomer.stdout).unwrap();
        assert_eq!((&newcomer["invited_until"], &newcomer["tokens"]), (&json!(bobby), &json!([])));
        for user in ["carol", "david"] {
            let not_invited = host.run_twofactor(&["status", user]);
            assert_eq!((not_invited.status.code(), stdout(&not_invited).as_str()), (Some(3), ""), "{user}");
        }
        host.enroll("bobby", &[]);
        assert_eq!(host.json(&["status", "bobby"])["invited_until"], json!(null), "enrolling takes the invitation");
    });
}

#[test]
fn administration_is_logged_without_secrets() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let codes = host.json(&["recovery", "alice"])["recovery_codes"].clone();
        host.succeed("twofactor", ["unlock", "alice"]);
        host.succeed("twofactor", ["reset", "alice", "--yes"]);
        let log: Vec<String> =
            host.log().into_iter().map(|line| line.text).filter(|text| text.starts_with("twofactor")).collect();
        for event in ["enrolled user=alice", "unlocked user=alice", "reset user=alice"] {
            assert!(log.iter().any(|line| line.contains(event)), "{event}: {log:#?}");
        }
        let mut secrets = vec![alice.authenticator.secret.clone()];
        secrets.extend(alice.recovery_codes.iter().cloned());
        secrets.extend(codes.as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()));
        for secret in secrets {
            assert!(log.iter().all(|line| !line.contains(&secret)), "{log:#?}");
        }
    });
}
