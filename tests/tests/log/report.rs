//! What `twofactor log` prints, and how it ends.

use std::fs;

use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::terminal::{Size, Terminal};

use crate::{events, words};

/// A log in which something of everything stands.
fn write_log() {
    let line =
        |second: u32, program: &str, text: &str| format!("2026-11-05T10:00:{second:02}Z testhost {program}: {text}\n");
    let auth = "pam_twofactor(sshd:auth):";
    let lines = [
        line(1, "twofactor[5]", "enrolled user=alice token=app by=carol"),
        line(2, "sshd[6]", &format!("{auth} denied user=alice service=sshd rhost=2001:db8::7 reason=wrong-code")),
        line(3, "sshd[7]", &format!("{auth} accepted user=alice service=sshd rhost=192.0.2.7 token=app drift=1")),
        line(4, "su", "pam_twofactor(su:auth): skipped user=bob service=su tty=pts/1 policy=off"),
        line(5, "sudo", "pam_twofactor(sudo:auth): error user=bob service=sudo reason=bad-config problem=\"line 3\""),
        line(6, "twofactor[8]", "recovery-replaced user=bob count=10 by=root"),
    ];
    fs::write("/var/log/auth.log", lines.concat()).unwrap();
}

fn shown(host: &Host, arguments: &[&str]) -> Vec<String> {
    words(&events(host, arguments))
}

#[test]
fn conditions_choose_events() {
    private_host(|host| {
        host.add_user("alice");
        write_log();
        assert_eq!(shown(host, &["--user", "alice"]), ["enrolled alice", "denied alice", "accepted alice"]);
        assert_eq!(shown(host, &["--denied"]), ["denied alice"]);
        assert_eq!(shown(host, &["--event", "skipped", "--event", "error"]), ["skipped bob", "error bob"]);
        assert_eq!(shown(host, &["--service", "su"]), ["skipped bob"]);
        assert_eq!(shown(host, &["--user", "alice", "--denied"]), ["denied alice"]);
        assert_eq!(shown(host, &["-n", "1"]), ["recovery-replaced bob"]);
        assert_eq!(shown(host, &["--until", "2026-11-05T10:00:02Z"]), ["enrolled alice"]);
        assert_eq!(shown(host, &["--since", "2026-11-05T10:00:06Z"]), ["recovery-replaced bob"]);
        assert_eq!(shown(host, &["--since", "2026-11-06"]), Vec::<String>::new());
        assert_eq!(shown(host, &["--service", "xrdp"]), Vec::<String>::new());
    });
}

#[test]
fn a_user_of_whom_nothing_is_known_is_no_such_user() {
    private_host(|host| {
        host.add_user("carol");
        write_log();
        // She may have been deleted: bob stands in the log.
        assert_eq!(shown(host, &["--user", "bob", "--event", "error"]), ["error bob"]);
        assert_eq!(shown(host, &["--user", "carol"]), Vec::<String>::new());
        let output = host.run_twofactor(&["log", "--user", "mallory"]);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    });
}

#[test]
fn the_table_fits_80_columns_on_a_terminal_and_says_everything_to_a_script() {
    private_host(|host| {
        write_log();
        let table = host.succeed("twofactor", ["log"]);
        for line in [
            "TIME                  EVENT              USER          DETAIL",
            "2026-11-05T10:00:01Z  enrolled           alice         app, by carol",
            "2026-11-05T10:00:02Z  denied             alice         wrong-code, sshd from 2001:db8::7",
            "2026-11-05T10:00:03Z  accepted           alice         app, sshd from 192.0.2.7, drift 1",
            "2026-11-05T10:00:04Z  skipped            bob           off, su at pts/1",
            "2026-11-05T10:00:05Z  error              bob           bad-config, sudo, line 3",
            "2026-11-05T10:00:06Z  recovery-replaced  bob           count 10, by root",
        ] {
            assert!(table.lines().any(|shown| shown == line), "{line}\n{table}");
        }
        let mut terminal = Terminal::start(&host.twofactor(&["log"]), Size { columns: 80, lines: 24 });
        assert!(terminal.wait().success());
        let screen = terminal.shown();
        assert!(screen.lines().all(|line| line.trim_end().chars().count() <= 80), "{screen}");
    });
}

#[test]
fn json_is_one_document_or_an_object_a_line() {
    private_host(|host| {
        write_log();
        let lines = host.succeed("twofactor", ["log", "--json-lines"]);
        let objects: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects, events(host, &[]));
        assert_eq!(objects[2]["drift"], 1, "a number: {}", objects[2]);
        assert_eq!(objects[5]["by"], "root");
    });
}

#[test]
fn a_configuration_that_cannot_be_read_does_not_hide_the_log() {
    private_host(|host| {
        write_log();
        host.configure("[nonsense]\n");
        let output = host.run_twofactor(&["log", "--json"]);
        assert!(output.status.success() && !output.stdout.is_empty(), "{}", said(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains("the registry's history is left out"));
        let named = host.run_twofactor(&["--config", "/etc/twofactor/twofactor.toml", "log"]);
        assert_eq!(named.status.code(), Some(9), "{}", said(&named));
    });
}

#[test]
fn arguments_that_mean_nothing_are_usage_errors() {
    private_host(|host| {
        write_log();
        for wrong in [["--since", "soon"], ["--event", "exploded"], ["-n", "0"], ["--until", "11/05/2026"]] {
            let output = host.run_twofactor(&[&["log"], &wrong[..]].concat());
            assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", said(&output));
        }
    });
}

#[test]
fn nothing_to_tell_is_said_and_is_no_error() {
    private_host(|host| {
        fs::write("/var/log/auth.log", "").unwrap();
        let output = host.run_twofactor(&["log"]);
        assert!(output.status.success() && output.stdout.is_empty(), "{}", said(&output));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "no events\n");
        assert_eq!(host.succeed("twofactor", ["--json", "log"]), "[]\n");
        assert_eq!(host.succeed("twofactor", ["log", "--json-lines"]), "");
    });
}
