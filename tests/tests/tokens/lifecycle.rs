//! Put aside, lost, revoked, deleted: what each leaves, who is asked before, and what the journal says.

use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::terminal::{Size, Terminal};

use crate::{assert_ends, assert_fails, assert_journal, file, fob, import_fobs, seed_line, serial};

fn state(host: &Host, number: u64) -> String {
    host.json(&["token", "show", &serial(number)])["state"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_put_aside_opens_nothing_and_stays_its_owners() {
    private_host(|host| {
        host.add_user("alice");
        import_fobs(host, 1);
        let serial = serial(0);
        host.succeed("twofactor", ["token", "assign", &serial, "alice"]);
        for (command, word) in [("disable", "disabled"), ("lost", "lost")] {
            host.succeed("twofactor", ["token", command, &serial]);
            assert_eq!(state(host, 0), word);
            assert_journal(host, &[&format!(": {word} serial={serial}"), "user=alice"]);
            let words = [&format!("is {word} (token-disabled)")[..], "twofactor token enable"];
            assert_fails(host, &["verify", "alice", &fob(0).code(0)], 5, &words);
            let verified = host.succeed("twofactor", ["token", "verify", &serial, &fob(0).code(0)]);
            assert!(verified.contains("opens no login"), "{verified}");
        }
        host.succeed("twofactor", ["token", "enable", &serial]);
        assert_eq!(state(host, 0), "assigned");
        assert_journal(host, &["enabled serial="]);
        host.succeed("twofactor", ["verify", "alice", &fob(0).code(0)]);
    });
}

#[test]
fn many_are_changed_or_none() {
    private_host(|host| {
        import_fobs(host, 3);
        let (first, second) = (serial(0), serial(1));
        assert_fails(host, &["token", "disable", &first, "4711"], 3, &["there is no token 4711"]);
        assert_eq!(state(host, 0), "inventory");
        let done = host.json(&["token", "disable", &first, &second, &first]);
        assert_eq!(done.as_array().unwrap().len(), 2, "each once: {done}");
        host.succeed("twofactor", ["token", "revoke", &second, "--yes"]);
        assert_fails(host, &["token", "enable", &first, &second], 7, &["token 0000004711001 is revoked"]);
        assert_eq!(state(host, 0), "disabled");
        assert_fails(host, &["token", "disable"], 2, &[]);
    });
}

#[test]
fn what_cannot_be_undone_is_asked_at_a_terminal_and_needs_yes_elsewhere() {
    private_host(|host| {
        host.user_with_app("alice");
        import_fobs(host, 2);
        host.succeed("twofactor", ["token", "assign", &serial(0), "alice"]);
        for command in ["revoke", "delete"] {
            assert_fails(host, &["token", command, &serial(0)], 7, &["no question can be asked", "--yes"]);
        }
        assert_fails(host, &["series", "delete", "fobs"], 7, &["--yes"]);
        for (command, number, answer, status) in
            [("revoke", 0, "n", 7), ("revoke", 0, "y", 0), ("delete", 0, "y", 7), ("delete", 1, "y", 0)]
        {
            let mut terminal = Terminal::start(&host.twofactor(&["token", command, &serial(number)]), Size::LARGE);
            terminal.expect(&format!("token {}", serial(number)));
            terminal.expect("for good? [y/N] ");
            terminal.type_line(answer);
            assert_eq!(terminal.wait().code(), Some(status), "{command}: {}", terminal.shown());
        }
        assert_eq!(state(host, 0), "revoked", "it must not come back with the next file");
        assert_fails(host, &["token", "show", &serial(1)], 3, &["there is no token"]);
        assert_journal(host, &["revoked serial=0000004711000 user=alice"]);
        assert_journal(host, &["deleted serial=0000004711001"]);
    });
}

#[test]
fn the_last_credential_needs_force_as_well() {
    private_host(|host| {
        host.add_user("alice");
        import_fobs(host, 2);
        host.succeed("twofactor", ["token", "assign", &serial(0), "alice"]);
        for command in
            [&["token", "revoke", "0000004711000", "--yes"][..], &["token", "delete", "0000004711000", "--yes"]]
        {
            assert_fails(host, command, 7, &["is the last credential of alice", "--force"]);
        }
        assert_fails(host, &["series", "delete", "fobs", "--yes"], 7, &["last credential of alice", "--force"]);
        assert_eq!(state(host, 0), "assigned");
        let mut terminal = Terminal::start(&host.twofactor(&["token", "revoke", &serial(0)]), Size::LARGE);
        terminal.expect("Revoke token 0000004711000 of alice for good? [y/N] ");
        terminal.type_line("y");
        terminal.expect("is the last credential of alice. Take it all the same? [y/N] ");
        terminal.type_line("n");
        assert_eq!(terminal.wait().code(), Some(7), "{}", terminal.shown());
        host.succeed("twofactor", ["token", "delete", &serial(0), "--yes", "--force"]);
        assert_fails(host, &["token", "show", &serial(0)], 3, &[]);
    });
}

#[test]
fn a_series_is_shown_and_forgotten_as_a_whole() {
    private_host(|host| {
        host.add_user("alice");
        assert_eq!(host.json(&["series", "list"]), serde_json::json!([]));
        for command in [&["series", "show", "fobs"][..], &["series", "delete", "fobs", "--yes"]] {
            assert_fails(host, command, 3, &["there is no series fobs", "twofactor series list"]);
        }
        import_fobs(host, 4);
        host.succeed("twofactor", ["token", "assign", &serial(0), "alice"]);
        host.succeed("twofactor", ["token", "lost", &serial(1)]);
        let series = host.json(&["series", "show", "fobs"]);
        assert_eq!((&series["tokens"], &series["assigned"], &series["unusable"]), (&4.into(), &1.into(), &1.into()));
        let table = host.succeed("twofactor", ["series", "list"]);
        assert!(table.lines().nth(1).unwrap().starts_with("fobs"), "{table}");
        let mut terminal = Terminal::start(&host.twofactor(&["series", "delete", "fobs"]), Size::LARGE);
        terminal.expect("Delete series fobs with 4 tokens, 1 of them assigned? [y/N] ");
        terminal.type_line("n");
        assert_eq!(terminal.wait().code(), Some(7));
        let deleted = host.json(&["series", "delete", "fobs", "--yes", "--force"]);
        assert_eq!((&deleted["series"], &deleted["tokens"]), (&"fobs".into(), &4.into()));
        assert_journal(host, &["series-deleted series=fobs tokens=4"]);
        assert_eq!(host.json(&["token", "list"]), serde_json::json!([]));
    });
}

#[test]
fn who_it_was_stands_in_the_journal_and_in_the_registry() {
    private_host(|host| {
        host.add_user("carol");
        let path = file(host, "fobs.csv", seed_line(0));
        let as_carol = |arguments: &[&str]| {
            let output = host.twofactor(arguments).env("SUDO_USER", "carol").output().unwrap();
            assert_ends(&output, 0, &[]);
        };
        as_carol(&["token", "import", &path]);
        as_carol(&["token", "disable", &serial(0)]);
        // Where the kernel knows who logged in, it is asked and not the environment.
        let series = host.json(&["series", "show", "fobs"]);
        let who = series["imports"][0]["by"].as_str().unwrap();
        for event in ["imported series=fobs", "disabled serial=0000004711000"] {
            assert_journal(host, &[event, &format!("by={who}")]);
        }
    });
}

#[test]
fn only_root_may_look_or_change() {
    use std::os::unix::process::CommandExt as _;
    private_host(|host| {
        import_fobs(host, 1);
        for arguments in
            [&["token", "list"][..], &["token", "show", "4711"], &["series", "list"], &["token", "import", "x"]]
        {
            let output = host.twofactor(arguments).uid(65534).gid(65534).output().unwrap();
            assert_ends(&output, 4, &["only root", "sudo"]);
        }
    });
}
