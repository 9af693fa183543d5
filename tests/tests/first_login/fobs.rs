//! Registering a physical token at login: a serial and two consecutive codes.

use twofactor_tests::first_login::{FIRST, SECOND, SERIAL};
use twofactor_tests::fob::Fob;
use twofactor_tests::pam::{Event, ReturnCode, Running};
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::ssh::{Client, Sshd};

use crate::{CODE, CONFIRM, ENROLL, STACK, assert_not_enrolled, client, configure, module_alone, offered, write_down};

/// The serial of a token that the registry does not have, spelled like those that it has.
const NOWHERE: &str = "T0000815";

/// A fob that belongs to nobody.
pub(crate) fn imported(host: &Host) -> Fob {
    let fob = Fob::clock(1);
    host.import(std::slice::from_ref(&fob));
    fob
}

/// What it shows now and then.
pub(crate) fn codes(fob: &Fob) -> [String; 2] {
    fob.authenticator.two_codes()
}

/// Registers at an ssh client, and gives what it shows from the serial on.
pub(crate) fn register(sshd: &Sshd<'_>, user: &str, serial: &str, codes: &[String; 2]) -> (bool, String) {
    let mut terminal = sshd.terminal(&client(user));
    offered(&mut terminal);
    terminal.type_line("token");
    terminal.expect(SERIAL);
    terminal.type_line(serial);
    terminal.expect(FIRST);
    terminal.type_line(&codes[0]);
    terminal.expect(SECOND);
    terminal.type_line(&codes[1]);
    let opened = terminal.expect_any(&["$ ", "Permission denied"]).0 == 0;
    if !opened {
        terminal.wait();
    }
    let shown = terminal.shown();
    let from_the_serial = &shown[shown.find(SERIAL).unwrap()..];
    (opened, from_the_serial.replace(serial, "SERIAL"))
}

#[test]
fn serial_and_two_codes_over_ssh_make_a_fob_ones_own() {
    private_host(|host| {
        let _broker = host.broker();
        configure(host, ENROLL);
        host.add_user("alice");
        let fob = Fob { serial: "0000004711".to_owned(), ..Fob::clock(1) };
        host.import(&[fob.clone(), Fob::clock(2)]);
        let sshd = host.sshd_with(STACK, "");
        let codes = codes(&fob);
        let (opened, shown) = register(&sshd, "alice", &fob.serial, &codes);
        assert!(opened, "{shown}");
        assert!(shown.contains("Token SERIAL is yours from now on."), "{shown}");
        assert!(!shown.contains(&codes[0]) && !shown.contains(&codes[1]), "codes are not echoed: {shown}");
        assert!(shown.contains(&format!("{SERIAL}SERIAL")), "the serial is: {shown}");
        let line = host.assert_logged(&["registered"]);
        let expected =
            "pam_twofactor(sshd:account): registered user=alice service=sshd rhost=127.0.0.1 token=0000004711";
        assert_eq!(line, expected);

        let with = |code: &str| sshd.client(&Client { code, ..client("alice") });
        for burned in &codes {
            let session = with(burned);
            assert!(!session.opened());
            assert_eq!(session.prompts, ["Password: ", CODE]);
        }
        assert!(with(&fob.authenticator.code(2)).opened());
        assert_eq!(host.json(&["token", "show", &fob.serial])["user"], "alice");
    });
}

#[test]
fn behind_a_wrong_password_no_fob_changes_hands() {
    private_host(|host| {
        let _broker = host.broker();
        configure(host, ENROLL);
        host.add_user("alice");
        let fob = imported(host);
        let sshd = host.sshd_with(STACK, "");
        let [first, second] = codes(&fob);
        let branches = format!(
            "*'{CONFIRM}') echo token ;;\n*'{SERIAL}') echo {} ;;\n*'{FIRST}') echo {first} ;;\n\
             *'{SECOND}') echo {second} ;;\n*assword*) printf '%s\\n' \"$ANSWER_PASSWORD\" ;;\n",
            fob.serial
        );
        let stolen = sshd.client_answering(&Client { password: "wrong", ..client("alice") }, &branches);
        assert!(!stolen.opened());
        assert_eq!(stolen.prompts.len(), 5, "{:?}", stolen.prompts);
        assert_not_enrolled(host, "alice");
        assert_eq!(host.json(&["token", "show", &fob.serial])["state"], "inventory");
        let owner = sshd.client_answering(&client("alice"), &branches);
        assert!(owner.opened(), "the codes were not burned by whoever had no right to them");
    });
}

#[test]
fn whatever_keeps_a_fob_from_its_owner_looks_the_same_and_counts() {
    private_host(|host| {
        let _broker = host.broker();
        configure(host, ENROLL);
        host.add_user("alice");
        host.add_user("bobby");
        let fobs = Fob::box_of(0, 4);
        host.import(&fobs);
        host.assign(&fobs[1], "bobby");
        host.sysadmin(&["token", "revoke", &fobs[2].serial, "--yes"]);
        host.sysadmin(&["token", "disable", &fobs[3].serial]);
        let sshd = host.sshd_with(STACK, "");
        let wrong = [fobs[0].authenticator.code(0), fobs[0].authenticator.code(5)];
        let attempts = [
            ("unknown", NOWHERE, codes(&fobs[0])),
            ("bobby's", &fobs[1].serial, codes(&fobs[1])),
            ("revoked", &fobs[2].serial, codes(&fobs[2])),
            ("disabled", &fobs[3].serial, codes(&fobs[3])),
            ("wrong codes", &fobs[0].serial, wrong),
        ];
        let seen: Vec<String> = attempts
            .iter()
            .map(|(what, serial, codes)| {
                let (opened, shown) = register(&sshd, "alice", serial, codes);
                assert!(!opened, "{what}");
                shown
            })
            .collect();
        for (shown, (what, ..)) in seen.iter().zip(&attempts) {
            assert_eq!(*shown, seen[0], "{what}");
        }
        let counted = host.module_log().iter().filter(|line| line.contains("reason=wrong-code")).count();
        assert_eq!(counted, attempts.len());
        let next = [fobs[0].authenticator.code(1), fobs[0].authenticator.code(2)];
        let (opened, shown) = register(&sshd, "alice", &fobs[0].serial, &next);
        assert!(!opened);
        // sshd lets nobody try keyboard-interactive again after PAM_MAXTRIES, and says so.
        assert_eq!(shown.replace("(publickey)", "(publickey,keyboard-interactive)"), seen[0]);
        host.assert_logged(&["denied user=alice", "reason=throttled"]);
        assert_not_enrolled(host, "alice");
        host.succeed("twofactor", ["unlock", "alice"]);
        assert!(register(&sshd, "alice", &fobs[0].serial, &next).0);
    });
}

#[test]
fn of_many_who_register_one_fob_at_once_exactly_one_gets_it() {
    private_host(|host| {
        let _broker = host.broker();
        configure(host, ENROLL);
        module_alone(host, "crowd", "");
        let fob = imported(host);
        let users = ["alice", "bobby", "carol", "david", "ellen", "frank"];
        let [first, second] = codes(&fob);
        let answers = ["token".to_owned(), fob.serial.clone(), first, second];
        let mut sessions: Vec<Running> = users
            .iter()
            .map(|user| {
                host.add_user(user);
                let mut session = host.login(user).service("crowd").calls("authenticate,account").start();
                for answer in &answers[..3] {
                    let _ = session.advance();
                    session.answer(&answer.into());
                }
                assert!(matches!(session.advance(), Event::Prompt(prompt) if prompt.text == SECOND));
                session
            })
            .collect();
        for session in &mut sessions {
            session.answer(&(&answers[3]).into());
        }
        let mut owners = Vec::new();
        for (mut session, user) in sessions.into_iter().zip(users) {
            assert_eq!(session.advance(), Event::End);
            let outcome = session.outcome();
            if outcome.results.iter().all(|(_, code)| *code == ReturnCode::SUCCESS) {
                owners.push(user);
            }
            session.finish();
        }
        assert_eq!(owners.len(), 1, "{owners:?}");
        assert_eq!(host.json(&["token", "show", &fob.serial])["user"], owners[0]);
    });
}

#[test]
fn where_it_is_not_allowed_nobody_registers_a_fob() {
    private_host(|host| {
        let _broker = host.broker();
        configure(host, &format!("{ENROLL}[enrollment]\nself_register = false\n"));
        host.add_user("alice");
        let fob = imported(host);
        let sshd = host.sshd_with(STACK, "");
        let mut terminal = sshd.terminal(&client("alice"));
        let offer = offered(&mut terminal);
        assert!(!terminal.shown().contains("Type: token"), "{}", terminal.shown());
        terminal.type_line("token");
        let answer = terminal.expect(CONFIRM);
        assert!(answer.contains("Physical tokens are registered by the sysadmin."), "{answer}");
        terminal.type_line(&offer.app.code(0));
        write_down(&mut terminal);
        terminal.expect("$ ");
        assert_eq!(host.json(&["token", "show", &fob.serial])["state"], "inventory");
    });
}

#[test]
fn whoever_has_a_fob_already_is_asked_for_its_code() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let fob = imported(host);
        host.assign(&fob, "alice");
        let sshd = host.sshd_with(STACK, "");
        let session = sshd.client(&Client { code: &fob.authenticator.code(0), ..client("alice") });
        assert!(session.opened());
        assert_eq!(session.prompts, ["Password: ", CODE]);
    });
}
