//! Who owns what: one by one, and from a file.

use std::fs;
use std::io::Write as _;

use twofactor_tests::private_host::private_host;
use twofactor_tests::terminal::{Size, Terminal};

use crate::{assert_ends, assert_fails, assert_journal, file, fob, import_fobs, serial, stderr, stdout, with_input};

#[test]
fn an_assigned_token_is_its_owners_until_it_is_taken_back() {
    private_host(|host| {
        host.user_with_app("alice");
        import_fobs(host, 1);
        let serial = serial(0);
        let assigned = host.json(&["token", "assign", &serial, "alice"]);
        assert_eq!((&assigned["serial"], &assigned["user"]), (&serial.clone().into(), &"alice".into()));
        assert_journal(host, &["assigned", &format!("serial={serial}"), "user=alice"]);
        let token = host.json(&["token", "show", &serial]);
        assert_eq!((&token["state"], &token["user"]), (&"assigned".into(), &"alice".into()));
        assert!(token["assigned_at"].as_str().unwrap().ends_with('Z'), "{token}");

        let code = fob(0).code(0);
        let accepted = host.json(&["verify", "alice", &code]);
        assert_eq!((&accepted["accepted"], &accepted["serial"]), (&true.into(), &serial.clone().into()));
        let status = host.json(&["status", "alice"]);
        assert_eq!(status["tokens"][1]["serial"], serial.as_str());
        assert!(host.succeed("twofactor", ["status"]).contains(&format!("{serial} (totp, assigned)")));

        host.succeed("twofactor", ["token", "unassign", &serial]);
        assert_journal(host, &["unassigned", &format!("serial={serial}"), "user=alice"]);
        assert_eq!(host.json(&["token", "show", &serial])["state"], "inventory");
        assert_fails(host, &["verify", "alice", &fob(0).code(0)], 5, &["wrong-code"]);
    });
}

#[test]
fn who_or_what_is_not_there_is_said() {
    private_host(|host| {
        host.add_user("alice");
        assert_fails(
            host,
            &["token", "assign", &serial(0), "alice"],
            3,
            &["there is no token", "twofactor token list"],
        );
        import_fobs(host, 1);
        assert_fails(host, &["token", "assign", &serial(0), "nobody-here"], 3, &["there is no user \"nobody-here\""]);
        assert_fails(host, &["token", "assign", "4711", "alice"], 3, &["there is no token 4711"]);
        assert_fails(host, &["token", "unassign", &serial(0)], 7, &["not assigned to a user"]);
        for usage in [&["token", "assign"][..], &["token", "assign", "4711"], &["token", "assign", "a b", "alice"]] {
            assert_fails(host, usage, 2, &[]);
        }
    });
}

#[test]
fn a_token_that_is_owned_or_put_aside_or_ended_is_refused_with_the_way_out() {
    private_host(|host| {
        host.add_user("alice");
        host.add_user("bob");
        import_fobs(host, 3);
        host.succeed("twofactor", ["token", "assign", &serial(0), "alice"]);
        let words = ["is assigned to alice", "twofactor token unassign 0000004711000"];
        assert_fails(host, &["token", "assign", &serial(0), "bob"], 7, &words);
        host.succeed("twofactor", ["token", "disable", &serial(1)]);
        let words = ["is disabled", "twofactor token enable 0000004711001"];
        assert_fails(host, &["token", "assign", &serial(1), "bob"], 7, &words);
        host.succeed("twofactor", ["token", "revoke", &serial(2), "--yes"]);
        assert_fails(host, &["token", "assign", &serial(2), "bob"], 7, &["is revoked"]);
    });
}

#[test]
fn nobody_can_have_more_than_sixteen() {
    private_host(|host| {
        host.add_user("alice");
        import_fobs(host, 17);
        let line = |number| format!("{},alice\n", serial(number));
        let list = |count: u64| (0..count).map(line).collect::<String>();
        let path = file(host, "list.csv", list(17));
        assert_fails(host, &["token", "assign", "--from", &path], 7, &["list.csv:17: alice has 16 tokens already"]);
        assert_eq!(host.json(&["token", "list", "--user", "alice"]), serde_json::json!([]), "all or nothing");
        let path = file(host, "list.csv", list(16));
        assert_eq!(host.json(&["token", "assign", "--from", &path]).as_array().unwrap().len(), 16);
        assert_fails(host, &["token", "assign", &serial(16), "alice"], 7, &["16 tokens", "token list --user alice"]);
    });
}

#[test]
fn a_list_is_done_as_a_whole_and_its_problems_have_lines() {
    private_host(|host| {
        host.add_user("alice");
        host.add_user("bob");
        import_fobs(host, 3);
        let good = format!("Serial;User\r\n# fobs\r\n\r\n{};alice\r\n\"{}\";bob\r\n", serial(0), serial(1));
        let bad = [
            (format!("{},alice\n4711,bob\n", serial(0)), 3, "list.csv:2: there is no token 4711"),
            (
                format!("{},alice\n{},nobody-here\n", serial(0), serial(1)),
                3,
                "list.csv:2: there is no user \"nobody-here\"",
            ),
            (format!("{},alice\n{}\n", serial(0), serial(1)), 8, "list.csv:2: it is not SERIAL,USER"),
            (format!("{0},alice\n\n{0},bob\n", serial(0)), 8, "list.csv:3: token 0000004711000 stands twice"),
            ("\u{fe}\n".repeat(2), 8, "list.csv:1: it is not"),
            ("serial,user\n# nobody yet\n".to_owned(), 8, "list.csv has no line SERIAL,USER"),
            (String::new(), 8, "list.csv has no line SERIAL,USER"),
        ];
        for (content, status, words) in bad {
            let path = file(host, "list.csv", content);
            assert_fails(host, &["token", "assign", "--from", &path], status, &[words]);
            assert_eq!(host.succeed("twofactor", ["token", "list", "--state", "assigned"]), "");
        }
        let path = file(host, "list.csv", format!("{},nobody-here\n", serial(0)));
        assert_fails(host, &["token", "assign", "--from", &path], 3, &["getent passwd"]);
        let done = with_input(host, &["token", "assign", "--from", "-"], good);
        assert_ends(&done, 0, &[]);
        assert_eq!(stdout(&done), "Assigned 2 tokens.\n");
        assert_eq!(host.json(&["token", "show", &serial(1)])["user"], "bob");
        assert_journal(host, &["assigned", &format!("serial={}", serial(1)), "user=bob"]);
        assert_fails(host, &["token", "assign", "--from", "/nowhere"], 1, &["/nowhere"]);
        assert_fails(host, &["token", "assign", "--from", &file(host, "x", b"\xff\xff")], 8, &["not text"]);
    });
}

/// Each new owner is locked until all is done; a shell has 1,024 open files for a program that does not ask for more.
#[test]
fn a_list_may_name_more_owners_than_a_program_may_open_files_at_first() {
    const OWNERS: u64 = 60;
    private_host(|host| {
        let mut passwd = fs::OpenOptions::new().append(true).open("/etc/passwd").unwrap();
        let mut list = Vec::new();
        for number in 0..OWNERS {
            writeln!(passwd, "owner{number}:x:{}:100::/nonexistent:/bin/sh", 5_000 + number).unwrap();
            writeln!(list, "{},owner{number}", serial(number)).unwrap();
        }
        import_fobs(host, OWNERS);
        let list = file(host, "owners.csv", list);
        host.succeed("sh", ["-c", &format!("ulimit -S -n 40; exec twofactor token assign --from {list}")]);
        assert_eq!(host.json(&["token", "list", "--state", "assigned"]).as_array().unwrap().len(), 60);
    });
}

#[test]
fn the_last_credential_is_taken_only_when_somebody_says_so() {
    private_host(|host| {
        host.add_user("alice");
        import_fobs(host, 1);
        let unassign = ["token", "unassign", "0000004711000"];
        host.succeed("twofactor", ["token", "assign", &serial(0), "alice"]);
        assert_fails(host, &unassign, 7, &["is the last credential of alice", "--force", "twofactor enroll alice"]);
        for (answer, status) in [("n", 7), ("y", 0)] {
            let mut terminal = Terminal::start(&host.twofactor(&unassign), Size::LARGE);
            terminal.expect("is the last credential of alice. Take it all the same? [y/N] ");
            terminal.type_line(answer);
            assert_eq!(terminal.wait().code(), Some(status), "{}", terminal.shown());
        }
        host.succeed("twofactor", ["token", "assign", &serial(0), "alice"]);
        host.succeed("twofactor", ["token", "unassign", &serial(0), "--force"]);
        assert_eq!(host.json(&["token", "show", &serial(0)])["state"], "inventory");
    });
}

#[test]
fn a_user_with_tokens_only_can_be_unlocked_and_have_recovery_codes_and_reset_says_what_stays() {
    private_host(|host| {
        host.add_user("alice");
        import_fobs(host, 1);
        host.succeed("twofactor", ["token", "assign", &serial(0), "alice"]);
        host.succeed("twofactor", ["unlock", "alice"]);
        let words = ["physical tokens only", "token list --user alice"];
        assert_fails(host, &["reset", "alice", "--yes"], 3, &words);
        let codes = host.json(&["recovery", "alice"]);
        assert_eq!(codes["recovery_codes"].as_array().unwrap().len(), 10);
        let reset = host.json(&["reset", "alice", "--yes"]);
        assert_eq!(reset["tokens"], serde_json::json!([serial(0)]), "they stay");
        host.enroll("alice", &[]);
        let shown = host.succeed("twofactor", ["reset", "alice", "--yes"]);
        let on_one_line = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(on_one_line.contains(&format!("Still assigned: {}", serial(0))), "{shown}");
        assert!(host.json(&["verify", "alice", &fob(0).code(0)])["accepted"] == true);
    });
}

#[test]
fn a_registry_that_cannot_be_read_is_said_and_hides_no_app() {
    private_host(|host| {
        host.user_with_app("alice");
        import_fobs(host, 1);
        fs::write("/var/lib/twofactor/registry.db", "garbage").unwrap();
        for arguments in [&["status", "alice"][..], &["status"]] {
            let output = host.run_twofactor(arguments);
            assert_ends(&output, 1, &["registry.db", "twofactor: hint: restore"]);
            assert!(stdout(&output).contains("app"), "{}", stderr(&output));
        }
        for arguments in [&["token", "list"][..], &["token", "show", "4711"], &["series", "list"]] {
            assert_fails(host, arguments, 1, &["registry.db", "restore"]);
        }
        fs::remove_file("/var/lib/twofactor/registry.db").unwrap();
        std::os::unix::fs::symlink("/nowhere", "/var/lib/twofactor/registry.db").unwrap();
        assert_fails(host, &["token", "list"], 4, &["registry.db"]);
    });
}
