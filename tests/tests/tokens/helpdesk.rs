//! A user on the telephone: is this the code, whose token is this, why does it not work?

use std::fs;

use twofactor_tests::oathtool::{ANY_CODE, Authenticator, Kind};
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::terminal::{Size, Terminal};

use crate::{
    assert_ends, assert_fails, assert_journal, file, fob, import_fobs, secret, serial, stderr, stdout, with_input,
};

fn alice_with_fob(host: &Host) -> String {
    host.add_user("alice");
    import_fobs(host, 3);
    host.succeed("twofactor", ["token", "assign", &serial(0), "alice"]);
    serial(0)
}

#[test]
fn verify_says_whether_a_token_shows_a_code_and_how_far_it_is_off() {
    private_host(|host| {
        let serial = alice_with_fob(host);
        fob(0).within_one_step(|| {
            let verified = host.json(&["token", "verify", &serial, &fob(0).code(1)]);
            assert_eq!((&verified["accepted"], &verified["user"]), (&true.into(), &"alice".into()));
            assert!([0, 1].contains(&verified["offset"].as_i64().unwrap()), "{verified}");
        });
        let wrong = fob(0).wrong_codes().next().unwrap();
        assert_fails(host, &["token", "verify", &serial, &wrong], 5, &["wrong-code", "token resync"]);
        assert_fails(host, &["token", "verify", &serial, "12345"], 5, &["6 to 8 digits"]);
        assert_fails(host, &["token", "verify", &serial], 5, &["no code was given"]);
        assert_fails(host, &["token", "verify", "4711", ANY_CODE], 3, &["there is no token 4711"]);
        let from_stdin = with_input(host, &["token", "verify", &serial], fob(0).code(0) + "\n");
        assert_ends(&from_stdin, 0, &[]);
        assert!(stdout(&from_stdin).contains("right for alice's token"), "{}", said(&from_stdin));
        let refused = host.run_twofactor(&["--json", "token", "verify", &serial, &wrong]);
        let refused: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
        assert_eq!(refused["reason"], "wrong-code");
        let in_stock = host.succeed("twofactor", ["token", "verify", &crate::serial(1), &fob(1).code(0)]);
        assert!(in_stock.contains("has no user (inventory)"), "{in_stock}");
    });
}

#[test]
fn two_codes_set_a_token_right_and_are_used_up() {
    private_host(|host| {
        let serial = alice_with_fob(host);
        let far = fob(0).lone_step(100);
        let [first, second] = [fob(0).code(far), fob(0).code(far + 1)];
        assert_fails(host, &["verify", "alice", &first], 5, &["steps ahead", "twofactor token resync 0000004711000"]);
        assert_fails(host, &["token", "resync", &serial, &second, &first], 5, &["not two consecutive new codes"]);
        assert_fails(host, &["token", "resync", &serial, &first], 2, &[]);
        assert_fails(host, &["token", "resync", "4711", &first, &second], 3, &["there is no token"]);
        let done = host.json(&["token", "resync", &serial, &first, &second]);
        assert!([far, far + 1].contains(&done["drift"].as_i64().unwrap()), "{done}");
        assert_eq!(done["drift_seconds"], done["drift"].as_i64().unwrap() * 30);
        assert_journal(host, &["resynced", "serial=0000004711000", "user=alice", "drift="]);
        assert_fails(host, &["token", "verify", &serial, &second], 5, &["replayed", "wait for the next code"]);
        host.succeed("twofactor", ["token", "verify", &serial, &fob(0).code(far + 2)]);
        let shown = host.succeed("twofactor", ["token", "show", &serial]);
        assert!(shown.contains("steps ahead (") && !shown.contains(&secret(0)), "{shown}");
    });
}

#[test]
fn two_codes_are_asked_for_one_after_the_other() {
    private_host(|host| {
        let serial = alice_with_fob(host);
        let mut terminal = Terminal::start(&host.twofactor(&["token", "resync", &serial]), Size::LARGE);
        terminal.expect("Code on the token: ");
        terminal.type_line(&fob(0).code(50));
        terminal.expect("The next code: ");
        terminal.type_line(&fob(0).code(51));
        assert_eq!(terminal.wait().code(), Some(0), "{}", terminal.shown());
        assert!(terminal.shown().contains("in step again: 5"), "{}", terminal.shown());
        let codes = format!("{}\n{}\n", fob(0).code(-50), fob(0).code(-49));
        let replayed = with_input(host, &["token", "resync", &serial], codes);
        assert_ends(&replayed, 5, &["not two consecutive new codes"]);
        let codes = format!("{}\n{}\n", fob(0).code(60), fob(0).code(61));
        assert_ends(&with_input(host, &["token", "resync", &serial], codes), 0, &[]);
    });
}

#[test]
fn a_counter_token_is_set_to_its_next_counter() {
    private_host(|host| {
        let counter = Authenticator { kind: Kind::Counter, ..fob(0) };
        let path = file(host, "counters.csv", crate::seed_line(0));
        host.succeed("twofactor", ["token", "import", &path, "--type", "hotp"]);
        let codes = counter.counter_codes(500, 2);
        let done = host.json(&["token", "resync", &serial(0), &codes[0], &codes[1]]);
        assert_eq!((&done["next_counter"], &done["drift"]), (&502.into(), &0.into()));
        let next = counter.counter_codes(502, 1).remove(0);
        assert!(host.succeed("twofactor", ["token", "verify", &serial(0), &next]).contains("counter 502"));
    });
}

#[test]
fn a_token_without_a_readable_serial_is_found_by_its_codes() {
    private_host(|host| {
        alice_with_fob(host);
        for (number, owner) in [(0, "alice".into()), (2, serde_json::Value::Null)] {
            let [first, second] = fob(number).two_codes();
            let found = host.json(&["token", "identify", &first, &second]);
            assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
            assert_eq!((&found[0]["serial"], &found[0]["user"]), (&serial(number).into(), &owner));
        }
        let [first, second] = fob(0).two_codes();
        let shown = host.succeed("twofactor", ["token", "identify", &first, &second]);
        assert!(shown.contains("token 0000004711000 of alice"), "{shown}");
        let stranger = fob(9).two_codes();
        assert_fails(host, &["token", "identify", &stranger[0], &stranger[1]], 3, &["no token shows these two codes"]);
        assert_fails(host, &["token", "identify", "12", "34"], 5, &["6 to 8 digits"]);
    });
}

#[test]
fn probe_finds_the_parameters_and_gives_them_to_the_series() {
    private_host(|host| {
        let slow = |number| Authenticator { kind: Kind::Time(60), algorithm: "SHA256".to_owned(), ..fob(number) };
        host.add_user("alice");
        import_fobs(host, 3);
        let probe = |options: &[&str]| {
            let [first, second] = slow(0).two_codes();
            let arguments = [&["token", "probe", "0000004711000", &first, &second][..], options].concat();
            host.run_twofactor(&arguments)
        };
        let found = probe(&[]);
        assert_ends(&found, 0, &["--fix gives this to all tokens of series fobs"]);
        assert!(stdout(&found).contains("fits: TOTP, SHA256, 6 digits, 60 s, secret as imported"), "{}", said(&found));
        assert_eq!(host.json(&["token", "show", &serial(0)])["period"], 30, "only said so far");

        let [first, second] = slow(0).two_codes();
        let probing = host.twofactor(&["token", "probe", &serial(0), &first, &second]);
        let mut terminal = Terminal::start(&probing, Size::LARGE);
        terminal.expect("Give this to all 3 tokens of series fobs? [y/N] ");
        terminal.type_line("n");
        assert_eq!(terminal.wait().code(), Some(0), "{}", terminal.shown());

        assert_ends(&probe(&["--fix"]), 0, &[]);
        assert_journal(host, &["series-mended series=fobs tokens=3"]);
        host.succeed("twofactor", ["token", "verify", &serial(1), &slow(1).code(0)]);
        let again = probe(&["--fix"]);
        assert_ends(&again, 0, &[]);
        assert!(stdout(&again).contains("(as stored)") && stderr(&again).is_empty(), "{}", said(&again));

        let wrong: Vec<String> = fob(0).wrong_codes().take(2).collect();
        assert_fails(host, &["token", "probe", &serial(0), &wrong[0], &wrong[1]], 5, &["nothing fits", "date -u"]);
        assert_fails(host, &["token", "probe", "4711", ANY_CODE, ANY_CODE], 3, &["there is no token"]);
        host.succeed("twofactor", ["token", "revoke", &serial(0), "--yes"]);
        for command in ["probe", "resync"] {
            assert_fails(host, &["token", command, &serial(0), &wrong[0], &wrong[1]], 7, &["is revoked"]);
        }
        assert_fails(host, &["token", "verify", &serial(0), &wrong[0]], 7, &["is revoked"]);
    });
}

/// The words of all commands that a text tells somebody to run, as a shell reads them.
fn pasted(host: &Host, text: &str) -> Vec<Vec<String>> {
    let commands = text.split('"').filter(|part| part.starts_with("twofactor "));
    let words = |command: &str| {
        let script = format!("twofactor() {{ printf '%s\\0' \"$@\"; }}; {command}");
        let said = host.succeed("sh", ["-c", script.as_str()]);
        said.split_terminator('\0').map(str::to_owned).collect()
    };
    commands.map(words).collect()
}

#[test]
fn a_command_that_is_pasted_from_a_hint_names_the_token_or_user_whatever_they_are_called() {
    private_host(|host| {
        let users = ["o'neill", "anna lee", "$(id)"];
        let mut passwd = fs::read_to_string("/etc/passwd").unwrap();
        for (number, user) in (5001..).zip(users) {
            let line = format!("{user}:x:{number}:{number}::/tmp:/bin/sh\n");
            passwd.push_str(&line);
        }
        fs::write("/etc/passwd", passwd).unwrap();
        for user in users {
            for arguments in [&["verify", user, ANY_CODE][..], &["recovery", user], &["reset", user, "--yes"]] {
                let hint = stderr(&host.run_twofactor(arguments));
                assert_eq!(pasted(host, &hint), [["enroll", user]], "{hint}");
            }
        }
        let serials = ["it's;1", "-'2", "$(id)3"];
        let lines: Vec<String> =
            (0..).zip(serials).map(|(number, serial)| format!("{serial},{}\n", secret(number))).collect();
        let path = file(host, "odd.csv", lines.concat());
        host.succeed("twofactor", ["token", "import", path.as_str()]);
        for (number, serial) in (0..).zip(serials) {
            let hint = |arguments: &[&str], status: i32| {
                let output = host.run_twofactor(&[&["token"], arguments].concat());
                assert_ends(&output, status, &[]);
                pasted(host, &stderr(&output)).into_iter().map(|words| words.join("\t")).collect::<Vec<_>>()
            };
            // Behind "--" a serial is no option.
            let named = |verb: &str| {
                let dash = if serial.starts_with('-') { "--\t" } else { "" };
                [format!("token\t{verb}\t{dash}{serial}")]
            };
            assert_eq!(hint(&["verify", "--", serial, &fob(number).wrong_codes().next().unwrap()], 5), named("resync"));
            host.succeed("twofactor", ["token", "disable", "--", serial]);
            assert_eq!(hint(&["assign", "--", serial, "o'neill"], 7), named("enable"));
            host.succeed("twofactor", ["token", "enable", "--", serial]);
            host.succeed("twofactor", ["token", "assign", "--", serial, "o'neill"]);
            assert_eq!(hint(&["assign", "--", serial, "anna lee"], 7), named("unassign"));
        }
        let hint = stderr(&host.run_twofactor(&["reset", "o'neill", "--yes"]));
        assert!(
            pasted(host, &hint).contains(&["token", "list", "--user", "o'neill"].map(str::to_owned).to_vec()),
            "{hint}"
        );
    });
}
