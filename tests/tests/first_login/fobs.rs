//! Registering a physical token at login: a serial and two consecutive codes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use twofactor_tests::oathtool::{Authenticator, Kind};
use twofactor_tests::pam::{Event, ReturnCode, Running};
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::ssh::{Client, Sshd};

use crate::{CODE, CONFIRM, ENROLL, STACK, assert_not_enrolled, client, configure, module_alone, offered};

const SERIAL: &str = "Serial number of the token: ";
const FIRST: &str = "Code it shows now: ";
const SECOND: &str = "Wait for the next code: ";

/// The fob with that number.
fn fob(number: usize) -> Authenticator {
    let letter = char::from(b"ABCDEFGH"[number]);
    let secret = format!("{}JBSWY3DPEHPK3PXPJBSWY3DP", letter.to_string().repeat(8));
    Authenticator { secret, algorithm: "SHA1".to_owned(), digits: 6, kind: Kind::Time(30) }
}

/// What is printed on its back.
fn serial(number: usize) -> String {
    format!("{:010}", 4711 + number)
}

/// A box of fobs that belong to nobody.
fn import(host: &Host, count: usize) {
    let path = host.place("box.csv");
    let lines: Vec<String> = (0..count).map(|number| format!("{},{}", serial(number), fob(number).secret)).collect();
    fs::write(&path, lines.join("\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    host.succeed("twofactor", ["token", "import", path.to_str().unwrap()]);
}

/// Registers at an ssh client, and gives what it shows from the serial on.
fn register(sshd: &Sshd<'_>, user: &str, serial: &str, codes: [&str; 2]) -> (bool, String) {
    let mut terminal = sshd.terminal(&client(user));
    offered(&mut terminal);
    terminal.type_line("token");
    terminal.expect(SERIAL);
    terminal.type_line(serial);
    terminal.expect(FIRST);
    terminal.type_line(codes[0]);
    terminal.expect(SECOND);
    terminal.type_line(codes[1]);
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
        configure(host, ENROLL);
        host.add_user("alice");
        import(host, 2);
        let sshd = host.sshd_with(STACK, "");
        let fob = fob(0);
        let codes = [fob.code(0), fob.code(1)];
        let (opened, shown) = register(&sshd, "alice", &serial(0), [&codes[0], &codes[1]]);
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
        assert!(with(&fob.code(2)).opened());
        assert_eq!(host.json(&["token", "show", &serial(0)])["user"], "alice");
    });
}

#[test]
fn behind_a_wrong_password_no_fob_changes_hands() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        import(host, 1);
        let sshd = host.sshd_with(STACK, "");
        let branches = format!(
            "*'{CONFIRM}') echo token ;;\n*'{SERIAL}') echo {} ;;\n*'{FIRST}') echo {} ;;\n*'{SECOND}') echo {} ;;\n\
             *assword*) printf '%s\\n' \"$ANSWER_PASSWORD\" ;;\n",
            serial(0),
            fob(0).code(0),
            fob(0).code(1)
        );
        let stolen = sshd.client_answering(&Client { password: "wrong", ..client("alice") }, &branches);
        assert!(!stolen.opened());
        assert_eq!(stolen.prompts.len(), 5, "{:?}", stolen.prompts);
        assert_not_enrolled(host, "alice");
        assert_eq!(host.json(&["token", "show", &serial(0)])["state"], "inventory");
        let owner = sshd.client_answering(&client("alice"), &branches);
        assert!(owner.opened(), "the codes were not burned by whoever had no right to them");
    });
}

#[test]
fn whatever_keeps_a_fob_from_its_owner_looks_the_same_and_counts() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        host.add_user("bobby");
        import(host, 4);
        let numbers = [serial(0), serial(1), serial(2), serial(3)];
        host.succeed("twofactor", ["token", "assign", &numbers[1], "bobby"]);
        host.succeed("twofactor", ["token", "revoke", &numbers[2], "--yes"]);
        host.succeed("twofactor", ["token", "disable", &numbers[3]]);
        let sshd = host.sshd_with(STACK, "");
        let right = |number: usize| [fob(number).code(0), fob(number).code(1)];
        let wrong = [fob(0).code(0), fob(0).code(5)];
        let attempts = [
            ("unknown", "0000000815".to_owned(), right(0)),
            ("bobby's", serial(1), right(1)),
            ("revoked", serial(2), right(2)),
            ("disabled", serial(3), right(3)),
            ("wrong codes", serial(0), wrong),
        ];
        let seen: Vec<String> = attempts
            .iter()
            .map(|(what, serial, codes)| {
                let (opened, shown) = register(&sshd, "alice", serial, [&codes[0], &codes[1]]);
                assert!(!opened, "{what}");
                shown
            })
            .collect();
        for (shown, (what, ..)) in seen.iter().zip(&attempts) {
            assert_eq!(*shown, seen[0], "{what}");
        }
        let counted = host.module_log().iter().filter(|line| line.contains("reason=wrong-code")).count();
        assert_eq!(counted, attempts.len());
        let (opened, shown) = register(&sshd, "alice", &serial(0), [&fob(0).code(1), &fob(0).code(2)]);
        assert!(!opened);
        // sshd lets nobody try keyboard-interactive again after PAM_MAXTRIES, and says so.
        assert_eq!(shown.replace("(publickey)", "(publickey,keyboard-interactive)"), seen[0]);
        host.assert_logged(&["denied user=alice", "reason=throttled"]);
        assert_not_enrolled(host, "alice");
        host.succeed("twofactor", ["unlock", "alice"]);
        assert!(register(&sshd, "alice", &serial(0), [&fob(0).code(1), &fob(0).code(2)]).0);
    });
}

#[test]
fn of_many_who_register_one_fob_at_once_exactly_one_gets_it() {
    private_host(|host| {
        configure(host, ENROLL);
        module_alone(host, "crowd", "");
        import(host, 1);
        let users = ["alice", "bobby", "carol", "david", "ellen", "frank"];
        let answers = ["token".to_owned(), serial(0), fob(0).code(0), fob(0).code(1)];
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
        assert_eq!(host.json(&["token", "show", &serial(0)])["user"], owners[0]);
    });
}

#[test]
fn where_it_is_not_allowed_nobody_registers_a_fob() {
    private_host(|host| {
        configure(host, &format!("{ENROLL}[enrollment]\nself_register = false\n"));
        host.add_user("alice");
        import(host, 1);
        let sshd = host.sshd_with(STACK, "");
        let mut terminal = sshd.terminal(&client("alice"));
        let offer = offered(&mut terminal);
        assert!(!terminal.shown().contains("Type: token"), "{}", terminal.shown());
        terminal.type_line("token");
        let answer = terminal.expect(CONFIRM);
        assert!(answer.contains("Physical tokens are registered by the sysadmin."), "{answer}");
        terminal.type_line(&offer.app.code(0));
        terminal.expect("$ ");
        assert_eq!(host.json(&["token", "show", &serial(0)])["state"], "inventory");
    });
}

#[test]
fn whoever_has_a_fob_already_is_asked_for_its_code() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        import(host, 1);
        host.succeed("twofactor", ["token", "assign", &serial(0), "alice"]);
        let sshd = host.sshd_with(STACK, "");
        let session = sshd.client(&Client { code: &fob(0).code(0), ..client("alice") });
        assert!(session.opened());
        assert_eq!(session.prompts, ["Password: ", CODE]);
    });
}
