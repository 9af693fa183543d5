//! The files of a syslog daemon.

use std::fs;
use std::process::Stdio;

use twofactor_tests::log_daemon::Stamps;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, said};

use crate::{assign_fob, events, host_with_daemons, words};

const FILE: &str = "/var/log/auth.log";

/// A line of an accepted login.
fn accepted(stamp: &str, user: &str) -> String {
    format!("{stamp} testhost sshd[7]: pam_twofactor(sshd:auth): accepted user={user} service=sshd token=app drift=0\n")
}

fn packed(host: &Host, program: &str, path: &str, content: &str) {
    fs::write(path, content).unwrap();
    host.succeed(program, [path]);
}

/// Says when a file was written last.
fn written(host: &Host, path: &str, time: &str) {
    host.succeed("touch", ["--date", time, path]);
}

fn users(host: &Host, arguments: &[&str]) -> Vec<String> {
    let user = |event: &serde_json::Value| event["user"].as_str().unwrap().to_owned();
    events(host, arguments).iter().map(user).collect()
}

#[test]
fn what_rsyslogd_writes_is_read_with_both_kinds_of_times() {
    for stamps in [Stamps::Exact, Stamps::Traditional] {
        host_with_daemons(|host| {
            let rsyslogd = host.rsyslogd(stamps);
            let before = host.succeed("date", ["+%s"]).trim().to_owned();
            let alice = host.user_with_app("alice");
            let login = |code: String| host.login("alice").rhost("192.0.2.7").typing(code).code();
            assert_eq!(login(alice.wrong_code()), ReturnCode::AUTH_ERR);
            assert_eq!(login(alice.code()), ReturnCode::SUCCESS);
            assign_fob(host, "alice");
            rsyslogd.settle();
            let expected = ["enrolled alice", "denied alice", "accepted alice", "imported -", "assigned alice"];
            let since = host.succeed("date", ["--utc", "--date", &format!("@{before}"), "+%Y-%m-%dT%H:%M:%SZ"]);
            assert_eq!(words(&events(host, &["--since", since.trim()])), expected, "{stamps:?}");
            assert_eq!(events(host, &["--denied"])[0]["rhost"], "192.0.2.7");
            assert_eq!(events(host, &["--denied"])[0]["source"], "file");
        });
    }
}

#[test]
fn names_that_hurt_are_one_value_and_reach_no_terminal_raw() {
    host_with_daemons(|host| {
        let rsyslogd = host.rsyslogd(Stamps::Exact);
        host.user_with_app("alice");
        let hostile = "x rhost=192.0.2.1\n\u{1b}[2Jpam_twofactor(sshd:auth): accepted user=root";
        assert_ne!(host.login(hostile).rhost("192.0.2.9").typing(ANY_CODE).code(), ReturnCode::SUCCESS);
        rsyslogd.settle();
        let denied = events(host, &["--denied"]);
        assert_eq!(denied.len(), 1, "{denied:?}");
        assert_eq!((&denied[0]["user"], &denied[0]["rhost"]), (&hostile.into(), &"192.0.2.9".into()));
        assert_eq!(events(host, &["--event", "accepted"]).len(), 0);
        let shown = host.succeed("twofactor", ["log", "--denied"]);
        assert!(shown.chars().all(|letter| letter == '\n' || !letter.is_control()), "{shown:?}");
        assert_eq!(shown.lines().count(), 2, "{shown}");
    });
}

#[test]
fn rotated_and_packed_files_are_read_from_the_oldest_line_to_the_newest() {
    host_with_daemons(|host| {
        fs::write(FILE, accepted("2026-11-05T10:00:00.123456+00:00", "eve")).unwrap();
        fs::write("/var/log/auth.log.1", accepted("2026-11-04T10:00:00Z", "dave")).unwrap();
        packed(host, "gzip", "/var/log/auth.log.2", &accepted("2026-11-03T11:00:00+01:00", "carol"));
        packed(host, "xz", "/var/log/auth.log.3", &accepted("2026-11-02T10:00:00+00:00", "bob"));
        packed(host, "bzip2", "/var/log/auth.log-20261101", &accepted("2026-11-01T10:00:00+00:00", "alice"));
        // The same generation while it is being packed, and what only sounds like one.
        host.succeed("gzip", ["--keep", "/var/log/auth.log.1"]);
        fs::write("/var/log/auth.log.old", accepted("2026-11-04T10:00:00Z", "nobody")).unwrap();
        let generations = ["auth.log-20261101.bz2", "auth.log.3.xz", "auth.log.2.gz", "auth.log.1"];
        for (day, name) in (1..).zip(generations) {
            written(host, &format!("/var/log/{name}"), &format!("2026-11-0{day} 23:00 UTC"));
        }
        assert_eq!(users(host, &[]), ["alice", "bob", "carol", "dave", "eve"]);
        assert_eq!(
            users(host, &["--since", "2026-11-03T00:00:00Z", "--until", "2026-11-05T00:00:00Z"]),
            ["carol", "dave"]
        );
        assert_eq!(users(host, &["-n", "2"]), ["dave", "eve"]);
    });
}

#[test]
fn lines_without_a_year_belong_to_the_years_of_their_file_and_the_zone_of_the_host() {
    host_with_daemons(|host| {
        let other = |stamp: &str| format!("{stamp} testhost cron[9]: a line of somebody else\n");
        let lines = [
            accepted("Nov  1 12:00:00", "alice"),
            // A year in which nobody logs in.
            other("Jan  1 12:00:00"),
            other("Jul  1 12:00:00"),
            other("Dec  1 12:00:00"),
            other("Jan  1 12:00:00"),
            other("Jul  1 12:00:00"),
            accepted("Dec 31 23:59:59", "bob"),
            accepted("Jan  1 00:30:00", "carol"),
        ];
        fs::write(FILE, lines.concat()).unwrap();
        written(host, FILE, "2026-01-02 00:00 UTC");
        let times = |zone: &str| -> Vec<String> {
            let output = host.twofactor(&["log", "--json-lines"]).env("TZ", zone).output().unwrap();
            let lines = String::from_utf8(output.stdout).unwrap();
            let entries = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            entries.map(|entry| entry["time"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(times("UTC0"), ["2023-11-01T12:00:00Z", "2025-12-31T23:59:59Z", "2026-01-01T00:30:00Z"]);
        assert_eq!(times("CET-1"), ["2023-11-01T11:00:00Z", "2025-12-31T22:59:59Z", "2025-12-31T23:30:00Z"]);
    });
}

#[test]
fn whoever_may_read_the_file_may_read_the_log_without_the_registry() {
    host_with_daemons(|host| {
        host.add_user("bob");
        assign_fob(host, "bob");
        fs::write(FILE, accepted("2026-11-05T10:00:00Z", "eve")).unwrap();
        host.succeed("chown", ["root:adm", FILE]);
        host.succeed("chmod", ["640", FILE]);
        let as_bob = |groups: &[&str]| {
            let mut command = host.command("setpriv");
            command.args(["--reuid", "bob", "--regid", "bob"]).args(groups).args(["twofactor", "log"]);
            command.stdin(Stdio::null()).output().unwrap()
        };
        let output = as_bob(&["--groups", "adm"]);
        let (shown, said_beside) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && shown.contains("eve") && !shown.contains("assigned"), "{}", said(&output));
        assert!(said_beside.contains("the registry's history is left out: only root can read it"), "{said_beside}");
        let output = as_bob(&["--clear-groups"]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(complaint.contains("/var/log/auth.log: permission denied"), "{complaint}");
        assert!(complaint.contains("hint: run it with sudo"), "{complaint}");
    });
}

#[test]
fn without_any_log_the_error_says_where_it_looked() {
    host_with_daemons(|host| {
        let output = host.run_twofactor(&["log"]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let complaint = String::from_utf8_lossy(&output.stderr);
        for place in
            ["/var/log/auth.log", "/var/log/secure", "/var/log/messages", "/run/log/journal", "/var/log/journal"]
        {
            assert!(complaint.contains(place), "{place}: {complaint}");
        }
    });
}

#[test]
fn a_file_that_cannot_be_read_hides_no_other_one() {
    host_with_daemons(|host| {
        fs::write(FILE, accepted("2026-11-05T10:00:00Z", "eve")).unwrap();
        packed(host, "gzip", "/var/log/auth.log.1", &accepted("2026-11-04T10:00:00Z", "dave").repeat(200));
        let whole = fs::read("/var/log/auth.log.1.gz").unwrap();
        fs::write("/var/log/auth.log.1.gz", &whole[..whole.len() / 2]).unwrap();
        fs::write("/var/log/auth.log.2.xz", "not packed at all").unwrap();
        // Nobody ever writes into this pipe.
        host.succeed("mkfifo", ["/var/log/secure"]);
        let output = host.run_twofactor(&["log"]);
        assert!(
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains("eve"),
            "{}",
            said(&output)
        );
        let warnings = String::from_utf8_lossy(&output.stderr);
        for problem in ["auth.log.1.gz ends early", "auth.log.2.xz ends early", "/var/log/secure: not a regular file"] {
            assert!(warnings.contains(problem), "{problem}: {warnings}");
        }
    });
}

#[test]
fn what_others_quote_and_what_is_no_line_is_passed_over() {
    host_with_daemons(|host| {
        let ours = "pam_twofactor(sshd:auth): accepted user=root service=sshd";
        let text = [
            format!("2026-11-05T10:00:00Z testhost sshd[7]: Invalid user {ours} from 192.0.2.9\n"),
            format!("2026-11-05T10:00:00Z testhost sshd[7]: Invalid user {ours}\n"),
            format!("2026-11-05T10:00:00Z testhost logger: {ours} and more\n"),
            "2026-11-05T10:00:00Z testhost cron[1]: unlocked user=alice by=root\n".to_owned(),
            format!("{ours}\n"),
            "x".repeat(200_000) + "\n",
            accepted("2026-11-05T10:00:01Z", "eve"),
        ];
        let mut bytes = text.concat().into_bytes();
        bytes.splice(0..0, *b"\xff\xfe twofactor\n");
        fs::write(FILE, bytes).unwrap();
        assert_eq!(users(host, &[]), ["eve"]);
    });
}

#[test]
fn a_log_of_any_length_takes_the_same_memory() {
    host_with_daemons(|host| {
        let line = accepted("2026-11-05T10:00:00Z", "eve");
        let script = format!("yes '{}' | head -n 200000 | gzip -1 > {FILE}.1.gz; touch {FILE}", line.trim_end());
        host.succeed("sh", ["-c", &script]);
        // Within 48 MB for everything: the program, its libraries and buffers. As many entries in memory would take more.
        let limited = "ulimit -v 49152; twofactor log --json-lines | wc -l; twofactor log -n 3 | wc -l";
        assert_eq!(host.succeed("sh", ["-c", limited]), "200000\n4\n");
    });
}
