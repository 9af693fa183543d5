//! Lists of users: `status` as table, CSV and totals, `status --missing`; and `qr`, which shows no secret that is in use.

use std::fs;

use serde_json::{Value, json};
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::terminal::{Size, Terminal};

use crate::{app_of, stderr, stdout};

/// A default that asks nothing, so that rules alone count.
const OFF: &str = "[default]\nsecond_factor = \"off\"\n";

fn rule(text: &str) -> String {
    format!("[[rule]]\n{text}\n")
}

/// Users that are missing, with one of the values.
fn missing(host: &Host, name: &str) -> Vec<(String, Value)> {
    let found = host.json(&["status", "--missing"]);
    let found = found.as_array().unwrap().iter();
    found.map(|user| (user["user"].as_str().unwrap().to_owned(), user[name].clone())).collect()
}

#[test]
fn missing_are_users_whom_a_rule_asks_and_who_have_nothing_that_counts() {
    private_host(|host| {
        for name in ["alice", "bobby", "carol", "david"] {
            host.add_user(name);
        }
        host.succeed("useradd", ["--shell", "/usr/sbin/nologin", "service"]);
        let all = "users = [\"alice\", \"bobby\", \"carol\", \"david\", \"service\"]\n";
        host.configure(&(rule(&format!("{all}second_factor = \"required\"")) + OFF));
        host.enroll("alice", &[]);
        host.enroll("carol", &[]);
        host.succeed("twofactor", ["reset", "carol", "--keep-secret", "--yes"]);
        let has = missing(host, "has");
        let expected = [("bobby", "nothing"), ("carol", "not-confirmed"), ("david", "nothing")];
        assert_eq!(has, expected.map(|(user, has)| (user.to_owned(), json!(has))));
        let output = host.run_twofactor(&["status", "--missing"]);
        assert_eq!(output.status.code(), Some(0), "to find some is no failure: {}", said(&output));
        let table = stdout(&output);
        assert!(table.starts_with("USER") && table.contains("carol  required       an app, not confirmed"), "{table}");
        assert!(stderr(&output).starts_with("3 of ") && stderr(&output).contains("getent"), "{}", stderr(&output));
        let csv = host.succeed("twofactor", ["status", "--missing", "--csv"]);
        assert!(csv.starts_with("user,uid_now,second_factor,") && csv.contains("\nbobby,"), "{csv}");
        // A rule of one service asks, too; a factor that the rule does not accept does not count.
        let tokens = "users = [\"alice\"]\nservices = [\"sshd\"]\nsecond_factor = \"required\"\nfactors = [\"token\"]";
        host.configure(&(rule(tokens) + OFF));
        assert_eq!(missing(host, "has"), [("alice".to_owned(), json!("other-factor"))]);
        // Before the day as well as behind it.
        host.configure(&(rule("users = [\"bobby\"]\nsecond_factor = \"off\"\nuntil = 2999-01-31") + OFF));
        assert_eq!(missing(host, "required_from"), [("bobby".to_owned(), json!("2999-01-31T00:00:00Z"))]);
        host.configure(OFF);
        assert_eq!(missing(host, "has"), []);
        let nobody = host.run_twofactor(&["status", "--missing"]);
        assert!(stdout(&nobody).contains("is without one"), "{}", said(&nobody));
    });
}

#[test]
fn a_user_of_whom_nothing_is_known_is_named_and_makes_the_exit_code_1() {
    private_host(|host| {
        host.add_user("bobby");
        host.user_with_app("alice");
        host.configure(&(rule("users = [\"alice\", \"bobby\"]\nsecond_factor = \"required\"") + OFF));
        fs::write("/var/lib/twofactor/users/alice/secret.toml", "damaged").unwrap();
        let output = host.run_twofactor(&["status", "--missing"]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(stderr(&output).contains("warning: alice may be missing: "), "{}", stderr(&output));
        assert!(stdout(&output).contains("bobby") && !stdout(&output).contains("alice"), "{}", said(&output));
    });
}

#[test]
fn status_has_totals_csv_and_lines_that_a_terminal_does_not_break() {
    private_host(|host| {
        host.user_with_app("alice");
        for label in ["telephone", "tablet", "laptop", "desktop"] {
            host.enroll("alice", &["--label", label]);
        }
        host.user_with_fob("bobby");
        host.succeed("twofactor", ["reset", "bobby", "--keep-secret", "--yes"]);
        let output = host.run_twofactor(&["status"]);
        assert_eq!(stderr(&output), "2 users: 2 enrolled; 1 not confirmed\n");
        assert_eq!(stderr(&host.run_twofactor(&["--quiet", "status"])), "");
        let csv = host.succeed("twofactor", ["status", "--csv"]);
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines.len() == 3 && lines[0].starts_with("user,uid,uid_now,tokens,"), "{csv}");
        assert!(lines[1].starts_with("alice,") && lines[1].contains("telephone (totp); "), "{csv}");
        let mut terminal = Terminal::start(host.twofactor(&["status"]).env("NO_COLOR", "1"), Size::CONSOLE);
        assert!(terminal.wait().success());
        let shown = terminal.shown();
        let row = shown.lines().find(|line| line.starts_with("alice")).unwrap();
        assert!(row.contains('…') && row.contains("never"), "{shown}");
        assert!(shown.lines().all(|line| line.trim_end().chars().count() <= 80), "{shown}");
        assert_eq!(shown.lines().filter(|line| !line.trim().is_empty()).count(), 4, "no line is broken: {shown}");
    });
}

#[test]
fn qr_shows_an_app_that_waits_for_a_code_and_no_secret_that_is_in_use() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let refused = host.run_twofactor(&["qr", "alice"]);
        assert_eq!(refused.status.code(), Some(7), "{}", said(&refused));
        assert!(
            stderr(&refused).contains("is in use") && stderr(&refused).contains("--replace alice"),
            "{}",
            said(&refused)
        );
        assert!(!said(&refused).contains(&alice.authenticator.secret));
        let showings = || host.log().iter().filter(|line| line.text.contains("secret-shown")).count();
        assert_eq!(showings(), 0, "a refusal shows nothing");
        host.succeed("twofactor", ["reset", "alice", "--keep-secret", "--yes"]);
        let shown = host.succeed("twofactor", ["qr", "alice"]);
        assert_eq!(app_of(&shown).secret, alice.authenticator.secret);
        assert!(host.log().iter().any(|line| line.text.contains("]: secret-shown user=alice token=app")));
        host.run_twofactor(&["--json", "qr", "alice"]);
        assert_eq!(showings(), 2, "a showing as JSON is one, too");
        assert!(host.log().iter().all(|line| !line.text.contains(&alice.authenticator.secret)));
        // To look changes nothing: she is still not confirmed.
        assert_eq!(host.run_twofactor(&["verify", "alice", &alice.code()]).status.code(), Some(5));
        host.enroll("alice", &["--label", "tablet"]);
        assert_eq!(host.run_twofactor(&["qr", "alice", "--label", "tablet"]).status.code(), Some(7));
        assert_eq!(host.run_twofactor(&["qr", "alice", "--label", "watch"]).status.code(), Some(3));
        host.succeed("twofactor", ["reset", "alice", "--keep-secret", "--yes"]);
        let several = host.run_twofactor(&["qr", "alice"]);
        assert!(several.status.code() == Some(7) && stderr(&several).contains("--label"), "{}", said(&several));
        host.succeed("twofactor", ["qr", "alice", "--label", "tablet"]);
        assert_eq!(host.run_twofactor(&["qr", "nobody-here"]).status.code(), Some(3));
    });
}
