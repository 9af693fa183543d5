//! The journal, which knows who wrote a line.

use twofactor_tests::log_daemon::Stamps;
use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::requirements::PYTHON;
use twofactor_tests::ssh::Client;
use twofactor_tests::terminal::{Size, Terminal};

use crate::{assign_fob, events, host_with_daemons, words};

fn client<'c>(user: &'c str, code: &'c str) -> Client<'c> {
    Client { user, password: PASSWORD, code, options: &["PreferredAuthentications=keyboard-interactive"] }
}

/// Logs in over ssh, once with a wrong code and once with the right one, and gives the user a fob.
fn a_day(host: &Host) {
    let alice = host.user_with_app("alice");
    let sshd = host.sshd("");
    assert!(!sshd.client(&client("alice", &alice.wrong_code())).opened());
    sshd.opens(&client("alice", &alice.code()));
    assign_fob(host, "alice");
}

const A_DAY: [&str; 5] = ["enrolled alice", "denied alice", "accepted alice", "imported -", "assigned alice"];

#[test]
fn logins_and_what_sysadmins_did_are_told_in_order_and_once() {
    host_with_daemons(|host| {
        let journald = host.journald();
        a_day(host);
        journald.settle();
        let events = events(host, &[]);
        assert_eq!(words(&events), A_DAY);
        let denied = &events[1];
        for (key, value) in [
            ("source", "journal"),
            ("service", "sshd"),
            ("rhost", "127.0.0.1"),
            ("reason", "wrong-code"),
            ("phase", "auth"),
            ("host", "testhost"),
        ] {
            assert_eq!(denied[key], value, "{denied}");
        }
        let time = denied["time"].as_str().unwrap();
        assert!(time.len() == 20 && time.ends_with('Z'), "RFC 3339 in UTC: {time}");
        assert_eq!(events[4]["source"], "registry", "both the registry and the journal have it: {}", events[4]);
        assert_eq!((&events[3]["new"], &events[3]["series"]), (&1.into(), &"fobs".into()));
    });
}

#[test]
fn what_stands_in_the_journal_and_in_a_file_is_told_once() {
    for stamps in [Stamps::Exact, Stamps::Traditional] {
        host_with_daemons(|host| {
            let rsyslogd = host.rsyslogd_behind_journald(stamps);
            let journald = host.journald();
            a_day(host);
            journald.settle();
            rsyslogd.settle();
            let file = std::fs::read_to_string("/var/log/auth.log").unwrap();
            assert!(file.contains("): accepted user=alice") && file.contains(": assigned serial="), "{file}");
            assert_eq!(words(&events(host, &[])), A_DAY, "{stamps:?}\n{file}");
        });
    }
}

#[test]
fn a_login_through_su_is_told_although_it_begins_with_the_rights_of_a_user() {
    host_with_daemons(|host| {
        let journald = host.journald();
        host.add_user("bob");
        let alice = host.user_with_app("alice");
        host.system_service("su", "auth required pam_twofactor.so\naccount required pam_permit.so\n");
        let mut su = host.command("setpriv");
        su.args(["--reuid", "bob", "--regid", "bob", "--init-groups", "su", "alice"]);
        let mut terminal = Terminal::start(&su, Size::LARGE);
        terminal.expect("Verification code: ");
        terminal.type_line(&alice.wrong_code());
        assert!(!terminal.wait().success());
        journald.settle();
        let output = host.run_twofactor(&["log", "--json", "--denied"]);
        let text = String::from_utf8_lossy(&output.stdout);
        // su may be gone before the journal has looked at it; then that is said, and nothing is lost in silence.
        let told = text.contains("\"source\":\"journal\",\"unproven\":true")
            && text.contains("\"service\":\"su\"")
            && text.contains("wrong-code");
        let complained = String::from_utf8_lossy(&output.stderr).contains("left out, as root did not write it: 1");
        assert!(told != complained, "{}", said(&output));
    });
}

/// Writes a line of ours as an ordinary user, and becomes su before the journal looks who wrote it.
const FORGER: &str = r#"
import os, socket
line = b"<85>su: pam_twofactor(su:auth): accepted user=root service=su token=app drift=0"
begun, beginning = os.pipe()
for _ in range(30):
    if os.fork() == 0:
        os.setsid()
        reader, writer = os.pipe()
        os.dup2(reader, 0)
        log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        log.connect("/dev/log")
        log.send(line)
        os.execv("/usr/bin/su", ["su", "root"])
os.close(beginning)
os.read(begun, 1)  # ends when every child has become su, which closes its pipes
"#;

#[test]
fn whoever_writes_a_line_and_becomes_su_proves_nothing() {
    host_with_daemons(|host| {
        let journald = host.journald();
        host.add_user("mallory");
        let become_mallory = ["--reuid", "mallory", "--regid", "mallory", "--init-groups"];
        host.succeed("setpriv", [&become_mallory[..], &[PYTHON, "-c", FORGER]].concat());
        journald.settle();
        let output = host.run_twofactor(&["log", "--json"]);
        let told: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        let proven: Vec<_> = told.iter().filter(|event| event["unproven"] != true).collect();
        assert!(proven.is_empty(), "{proven:?}");
        let warning = String::from_utf8_lossy(&output.stderr);
        assert!(!told.is_empty() || warning.contains("as root did not write it: "), "{}", said(&output));
    });
}

#[test]
fn what_a_user_writes_to_the_journal_is_not_taken_for_ours() {
    host_with_daemons(|host| {
        let journald = host.journald();
        host.add_user("mallory");
        let forge = |tag: &str, line: &str| {
            let arguments = ["--reuid", "mallory", "--regid", "mallory", "--init-groups", "logger", "-p"];
            host.succeed("setpriv", [&arguments[..], &["authpriv.notice", "-t", tag, line]].concat());
        };
        forge("sshd", "pam_twofactor(sshd:auth): accepted user=root service=sshd rhost=192.0.2.1 token=app drift=0");
        forge("twofactor", "unlocked user=mallory failures=9 by=root");
        forge("mallory", "pam_twofactor(su:auth): accepted user=root nonsense");
        journald.settle();
        let output = host.run_twofactor(&["log", "--json"]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "[]\n");
        let warning = String::from_utf8_lossy(&output.stderr);
        assert!(warning.contains("left out, as root did not write it: 2 in the journal"), "{warning}");
        let hint = warning.split("look at it: ").nth(1).unwrap().trim().to_owned();
        let shown = host.succeed("sh", ["-c", &format!("{hint} --output=cat")]);
        assert!(shown.contains("accepted user=root"), "{hint}: {shown}");
    });
}
